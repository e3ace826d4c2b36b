"""Limits of model calls, as workers keep them: over the wire, on both stores."""

import asyncio

from penstock import Job, JobState, Penstock, Queue
from penstock.ai import CallPolicy, ModelChain, ModelLimit, ModelRequest, answer_or_raise
from penstock.ai.providers import provider_from
from penstock.ledger import Ledger
from penstock.testing import ModelServer, ScriptedAnswer
from tests.worker.working import Note, Other, reached, working

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


async def test_the_jobs_that_wait_go_on_by_themselves_and_none_is_asked_for_twice(any_engine: Penstock):
    async with ModelServer() as server:
        server.default = ScriptedAnswer("A pipe.")
        handle, models = asking(any_engine, server, ModelLimit("acme", requests=900))
        handles = await any_engine.enqueue_many([Note() for _ in range(60)], max_attempts=1)
        async with working(any_engine, handle, queues=WIDE):
            await asyncio.gather(*(one.result(50) for one in handles))
        await models.close()
    assert server.calls == 60


async def test_steps_at_once_are_not_lost_when_one_of_them_has_to_wait(any_engine: Penstock):
    async with ModelServer() as server:
        server.default = ScriptedAnswer("A pipe.")
        _, models = asking(any_engine, server, ModelLimit("acme", requests=26))
        runs = 0

        async def ask() -> str:
            return answer_or_raise(await models.ask(QUESTION)).text

        async def handle(job: Job[Note]) -> list[str]:
            nonlocal runs
            runs += 1
            return list(await asyncio.gather(*(job.step(f"ask {n}", ask) for n in range(3))))

        handle_ = await any_engine.enqueue(Note(), max_attempts=1)
        async with working(any_engine, handle):
            assert await handle_.result(50) == ["A pipe."] * 3
        await models.close()
    assert server.calls == 3
    assert runs > 1, "it gave its slot back"
    assert (await any_engine.get(handle_.id)).attempt == 1


async def test_a_step_that_has_called_keeps_its_slot_for_the_next_call(engine: Penstock):
    async with ModelServer() as server:
        server.answer("no number")
        server.answer("7")
        _, models = asking(engine, server, ModelLimit("acme", requests=25))
        runs = 0

        async def ask() -> int:
            return answer_or_raise(await models.ask(ModelRequest("Answer.", "How many?", output=int))).value

        async def handle(job: Job[Note]) -> int:
            nonlocal runs
            runs += 1
            return await job.step("ask", ask)

        handle_ = await engine.enqueue(Note(), max_attempts=1)
        async with working(engine, handle):
            assert await handle_.result(50) == 7
        await models.close()
    assert (server.calls, runs) == (2, 1)


async def test_a_slow_limit_does_not_make_jobs_come_and_go(engine: Penstock):
    async with ModelServer() as server:
        server.default = ScriptedAnswer("A pipe.")
        handle, models = asking(engine, server, ModelLimit("acme", requests=60))
        await engine.enqueue_many([Note() for _ in range(500)])
        async with working(engine, handle) as worker:
            await server.until_calls(5)
            started = worker.get_stats().started
        await models.close()
    assert started <= 10 + 5 * 3, "ten found out; from then on about one comes for each that goes"


async def test_another_kind_is_not_held_up(engine: Penstock):
    async with ModelServer() as server:
        server.default = ScriptedAnswer("A pipe.")
        handle, models = asking(engine, server, ModelLimit("acme", requests=6))

        async def other(job: Job[Other]) -> int:
            return job.data.number

        await engine.enqueue_many([Note() for _ in range(100)])
        async with working(engine, handle, other):
            await server.until_calls(1)
            results = [await (await engine.enqueue(Other(number=n))).result(20) for n in range(20)]
        await models.close()
    assert results == list(range(20))
    assert server.calls <= 2
