"""Streams over OpenAI's wire: pieces as they come, and connections that are closed when nobody listens any more."""

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from penstock.ai import AdaptiveTimeout, ModelAnswer, ModelChain, ModelFailure, ModelRequest, Usage, answer_or_raise
from penstock.testing import MovableClock
from penstock.testing.model_server import ModelServer
from tests.ai.fakes import NotingGate
from tests.ai.wire import chain_at, provider_at

REQUEST = ModelRequest("i", "p")


class City(BaseModel):
    name: str


async def test_each_piece_is_told_before_the_next_is_sent(server: ModelServer, chain: ModelChain):
    stream = server.stream()
    told: asyncio.Queue[str] = asyncio.Queue()
    asking = asyncio.create_task(chain.ask(REQUEST, on_text=told.put_nowait))
    for piece in ("Par", "is", " it is."):
        await stream.send(piece)
        assert await asyncio.wait_for(told.get(), 10) == piece
    assert not asking.done()
    await stream.end(input_tokens=8, output_tokens=3)
    answer = answer_or_raise(await asking)
    assert (answer.text, answer.usage) == ("Paris it is.", Usage(8, 3, 0))
    assert told.empty()


async def test_structured_output_streams_too(server: ModelServer, chain: ModelChain):
    server.answer_json({"name": "Paris"}, chunks=4)
    told: list[str] = []
    answer = answer_or_raise(await chain.ask(ModelRequest("i", "p", output=City), on_text=told.append))
    assert (answer.value, len(told)) == (City(name="Paris"), 4)
    assert "".join(told) == answer.text


async def test_a_stream_that_breaks_off_is_a_failure_after_one_call(server: ModelServer, chain: ModelChain):
    server.drop(after_chunks=2)
    told: list[str] = []
    failure = await chain.ask(REQUEST, on_text=told.append)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, told) == ("provider_error", True, ["chunk 1 ", "chunk 2 "])
    assert server.calls == 1


async def test_cancelling_closes_the_connection_of_a_stream(server: ModelServer, chain: ModelChain):
    stream = server.stream()
    told: asyncio.Queue[str] = asyncio.Queue()
    asking = asyncio.create_task(chain.ask(REQUEST, on_text=told.put_nowait))
    await stream.send("Par")
    await asyncio.wait_for(told.get(), 10)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(stream.closed_by_client(), 10)


async def test_cancelling_closes_the_connection_of_a_plain_call(server: ModelServer, chain: ModelChain):
    server.stall()
    asking = asyncio.create_task(chain.ask(REQUEST))
    await asyncio.wait_for(server.until_open(1), 10)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(server.until_open(0), 10)


async def test_a_listener_that_fails_closes_the_stream(server: ModelServer, chain: ModelChain):
    stream = server.stream()

    def hear(piece: str) -> None:
        raise KeyError(piece)

    asking = asyncio.create_task(chain.ask(REQUEST, on_text=hear))
    await stream.send("Par")
    with pytest.raises(KeyError, match="Par"):
        await asking
    await asyncio.wait_for(stream.closed_by_client(), 10)


@pytest.mark.parametrize("after_chunks", [0, 2])
async def test_a_stall_is_cut_off_at_the_deadline_and_the_connection_closed(
    server: ModelServer, chain: ModelChain, after_chunks: int
):
    clock = MovableClock()
    server.stall(after_chunks=after_chunks)
    told: asyncio.Queue[str] = asyncio.Queue()
    deadline = AdaptiveTimeout(30_000, clock=clock)
    asking = asyncio.create_task(chain.ask(REQUEST, deadline=deadline, on_text=told.put_nowait))
    await asyncio.wait_for(server.until_open(1), 10)
    for _ in range(after_chunks):
        await asyncio.wait_for(told.get(), 10)
    clock.move(30)
    failure = await asyncio.wait_for(asking, 10)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable) == ("timeout", True)
    await asyncio.wait_for(server.until_open(0), 10)
    assert server.calls == 1


async def test_a_stall_beyond_the_time_of_one_call_goes_to_the_next_provider(server: ModelServer):
    async with ModelServer() as second:
        server.stall()
        second.answer("Paris.")
        async with chain_at(server, second) as chain:
            answer = answer_or_raise(await chain.ask(ModelRequest("i", "p", timeout_s=0.05)))
    assert [(one.provider, one.kind) for one in answer.tries] == [("first", "timeout"), ("second", None)]
    await asyncio.wait_for(server.until_open(0), 10)


class Deaf:
    """A provider whose real call is cancelled, but which answers all the same when it is let."""

    def __init__(self, server: ModelServer) -> None:
        self.inner = provider_at(server)
        self.name, self.model, self.account, self.offline = "deaf", "m", "", False
        self.let = asyncio.Event()

    async def call(self, request: ModelRequest[Any], *, on_text: Any = None, on_usage: Any = None) -> Any:
        try:
            return await self.inner.call(request, on_text=on_text, on_usage=on_usage)
        except asyncio.CancelledError:
            await self.let.wait()
            on_text("too late")
            return ModelAnswer("too late", "too late", self.name, self.model, usage=Usage(9, 9, 0))

    async def close(self) -> None:
        await self.inner.close()


async def test_a_provider_that_ignores_cancellation_is_left_behind_with_its_connection_closed(server: ModelServer):
    clock, gate, stream = MovableClock(), NotingGate(), server.stream()
    deaf = Deaf(server)
    chain = ModelChain([deaf], gate=gate)
    told: asyncio.Queue[str] = asyncio.Queue()
    deadline = AdaptiveTimeout(30_000, clock=clock)
    asking = asyncio.create_task(chain.ask(REQUEST, deadline=deadline, on_text=told.put_nowait))
    await stream.send("Par")
    assert await asyncio.wait_for(told.get(), 10) == "Par"
    clock.move(30)
    failure = await asyncio.wait_for(asking, 10)
    assert isinstance(failure, ModelFailure)
    assert failure.kind == "timeout"
    await asyncio.wait_for(stream.closed_by_client(), 10)
    deaf.let.set()
    await asyncio.wait_for(gate.late.wait(), 10)
    assert told.empty()
    assert [(one.outcome, one.usage, one.late) for one in gate.ends] == [
        ("timeout", Usage(), False), ("answered", Usage(9, 9, 0), True),
    ]  # fmt: skip
    await chain.close()


async def test_the_first_module_moves_the_deadline_of_a_stream(server: ModelServer, chain: ModelChain):
    clock, stream = MovableClock(), server.stream()
    deadline = AdaptiveTimeout(30_000, 15_000, 25_000, clock=clock)
    begun = asyncio.Event()

    def hear(piece: str) -> None:
        if "[" in piece:
            deadline.notify_first_module()
            begun.set()

    asking = asyncio.create_task(chain.ask(ModelRequest("i", "p", json=True), deadline=deadline, on_text=hear))
    clock.move(20)
    await stream.send('{"modules": [')
    await asyncio.wait_for(begun.wait(), 10)
    clock.move(20)
    assert not deadline.timed_out
    await stream.send("1]}")
    await stream.end()
    assert answer_or_raise(await asking).value == '{"modules": [1]}'
