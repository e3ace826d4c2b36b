"""Limits of model calls, as workers keep them: over the wire, on both stores."""

import asyncio

from penstock import Job, JobState, Penstock, Queue
from penstock.ai import CallPolicy, ModelChain, ModelLimit, ModelRequest, answer_or_raise
from penstock.ai.providers import provider_from
from penstock.ledger import Ledger
from penstock.testing import ModelServer, ScriptedAnswer
from tests.worker.working import Note, reached, working

QUESTION = ModelRequest("Answer.", "What is a penstock?", timeout_s=20)
WIDE = {"default": Queue(concurrency=50)}


def asking(engine: Penstock, server: ModelServer, *limits: ModelLimit) -> tuple[object, ModelChain]:
    """A handler that asks once in a step, and its chain."""
    engine.ledger = Ledger(engine.store, limits=limits)
    provider = provider_from("acme", model="gpt-4o-mini", api_key="key", base_url=server.base_url)
    models = ModelChain([provider], policy=CallPolicy(), gate=engine.ledger)

    async def ask() -> str:
        return answer_or_raise(await models.ask(QUESTION)).text

    async def handle(job: Job[Note]) -> str:
        return await job.step("ask", ask)

    return handle, models


async def test_what_waits_past_a_moment_gives_its_slot_back_and_spends_no_attempt(any_engine: Penstock):
    async with ModelServer() as server:
        server.default = ScriptedAnswer("A pipe.")
        handle, models = asking(any_engine, server, ModelLimit("acme", requests=6))
        handles = await any_engine.enqueue_many([Note() for _ in range(2)], max_attempts=1)
        async with working(any_engine, handle) as worker:
            await server.until_calls(1)
            first, second = await asyncio.gather(
                *(reached(any_engine, one.id, JobState.COMPLETED, JobState.SCHEDULED) for one in handles)
            )
            [waits] = [view for view in (first, second) if view.state is JobState.SCHEDULED]
            assert waits.attempt == 0
            assert worker.get_stats().running == 0
            why = await any_engine.jobs.why(waits.id)
            assert why.until is not None
            assert why.reasons == ("a limit keeps its model call: acme: 6 requests a minute",)
        await models.close()
    assert server.calls == 1


async def test_no_window_holds_more_than_the_rate_and_nothing_is_lost(any_engine: Penstock):
    async with ModelServer() as server:
        server.default = ScriptedAnswer("A pipe.", input_tokens=9, output_tokens=5)
        handle, models = asking(any_engine, server, ModelLimit("acme", requests=1_800))
        handles = await any_engine.enqueue_many([Note() for _ in range(150)], max_attempts=1)
        async with working(any_engine, handle, queues=WIDE):
            await asyncio.gather(*(one.result(50) for one in handles))
        await models.close()
    assert server.calls == 150
