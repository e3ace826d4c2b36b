"""Model text streams into the streams of jobs, over the wire: read while it comes, begun anew, cut off by a cancel."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from penstock import Job, JobState, Penstock
from penstock.ai import CallPolicy, ModelChain, ModelRequest, answer_or_raise
from penstock.ai.providers import provider_from
from penstock.operations import StreamPiece
from penstock.testing import ModelServer
from tests.worker.working import Note, reached, working

ROOT = Path(__file__).parents[2]
QUESTION = ModelRequest("Answer.", "What is a penstock?", timeout_s=40)


def chain(engine: Penstock, *base_urls: str) -> ModelChain:
    providers = [provider_from("openai", model="gpt-4o-mini", api_key="key", base_url=url) for url in base_urls]
    return ModelChain(providers, policy=CallPolicy(retries=1, retry_delay_s=(0, 0.01)), gate=engine.ledger)


def answering(models: ModelChain) -> Callable[[Job[Note]], Awaitable[str]]:
    """A handler that asks, and streams what it is told."""

    async def answer(job: Job[Note]) -> str:
        plan = job.stream("plan")

        async def ask() -> str:
            return answer_or_raise(await models.ask(QUESTION, on_text=plan.write, on_call=plan.restart)).text

        return await job.step("ask", ask)

    return answer


async def test_an_answer_is_read_while_it_comes(any_engine: Penstock):
    async with ModelServer() as server, asyncio.timeout(50):
        stream = server.stream()
        models = chain(any_engine, server.base_url)
        handle = await any_engine.enqueue(Note())

        async with working(any_engine, answering(models)):
            reader = any_engine.tail(handle.id, "plan")
            await stream.send("A pipe")
            assert await anext(reader) == StreamPiece("plan", 1, 1, 0, "A pipe")
            await stream.send(" that feeds a mill.")
            assert await anext(reader) == StreamPiece("plan", 1, 1, 6, " that feeds a mill.")
            await stream.end()
            assert [piece async for piece in reader] == []
        assert await handle.result(10) == "A pipe that feeds a mill."
        await models.close()


async def test_a_second_try_begins_anew_and_readers_are_told(any_engine: Penstock):
    """First a stream that breaks off and is retried, then a fallback to another provider."""
    async with ModelServer() as first, ModelServer() as other, asyncio.timeout(50):
        broken, busy = first.stream(), first.stream()
        other.answer("A pipe.")
        models = chain(any_engine, first.base_url, other.base_url)
        handle = await any_engine.enqueue(Note())

        async with working(any_engine, answering(models)):
            reader = any_engine.tail(handle.id, "plan")
            await broken.send("A fish")
            assert await anext(reader) == StreamPiece("plan", 1, 1, 0, "A fish")
            broken.drop()
            await busy.send("A wheel")
            assert await anext(reader) == StreamPiece("plan", 2, 1, 0, "A wheel", restarted=True)
            busy.drop()
            assert [(p.version, p.text, p.restarted) async for p in reader] == [(3, "A pipe.", True)]
        assert await handle.result(10) == "A pipe."
        await models.close()


CHILD = """
import asyncio, sys
from penstock import Penstock, Worker
from tests.worker.test_model_streams import answering, chain
from tests.worker.working import NO_PROFILE

async def main(url: str, model_url: str) -> None:
    async with Penstock(url, **NO_PROFILE) as engine:
        await Worker(engine, [answering(chain(engine, model_url))], name="child").run()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_cancel_closes_the_stream_of_a_model_in_another_process(
    any_engine: Penstock, request: pytest.FixtureRequest, sqlite_path: Path
):
    is_sqlite = "sqlite" in request.node.callspec.id
    url = f"sqlite:///{sqlite_path}" if is_sqlite else request.getfixturevalue("postgres_url")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    async with ModelServer() as server, asyncio.timeout(50):
        stream = server.stream()
        handle = await any_engine.enqueue(Note())
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, url, server.base_url, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}
        )
        try:
            reader = any_engine.tail(handle.id, "plan")
            await stream.send("A pipe")
            assert (await anext(reader)).text == "A pipe"
            await any_engine.cancel(handle.id)
            await stream.closed_by_client()
            await reached(any_engine, handle.id, JobState.CANCELLED)
            assert [piece async for piece in reader] == []
        finally:
            process.terminate()
            await process.wait()
    assert [piece.text for piece in any_engine.sync.tail(handle.id)] == ["A pipe"]
    [call] = await any_engine.jobs.calls(handle.id)
    assert call.outcome == "cancelled"
