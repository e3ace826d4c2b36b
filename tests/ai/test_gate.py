"""What stands around each real call is told of each, once, whatever becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock.ai import AdaptiveTimeout, CallInfo, CallPolicy, ModelChain, ModelFailure, ModelRequest, Usage
from penstock.domain.calls import CallScope, calling
from penstock.testing import MovableClock
from tests.ai.fakes import DeafProvider, NotingGate, failing, provider

REQUEST = ModelRequest("i", "p")
SCOPE = CallScope("job-1", 7, 2, "work", "tenant", "flow-1", "outline")


async def test_each_real_call_goes_through_the_gate_with_its_end() -> None:
    gate = NotingGate()
    limits = {"x-ratelimit-remaining-requests": "0"}
    busy = ModelFailure("rate_limit", "slow", retryable=True, retry_after_s=2, usage=Usage(1), limits=limits)
    first = provider(failing("provider_error"), busy)
    second = provider("no json", '{"a": 1}', name="b", usage=Usage(5, 2))
    policy = CallPolicy(tries=9, retries=1, retry_delay_s=(0, 0))
    with calling(SCOPE):
        await ModelChain([first, second], gate=gate).ask(ModelRequest("i", "p", json=True), policy=policy)
    assert [(one.provider, one.number, one.purpose) for one in gate.infos] == [
        ("a", 1, "ask"), ("a", 2, "retry"), ("b", 3, "fallback"), ("b", 4, "reask"),
    ]  # fmt: skip
    assert {one.scope for one in gate.infos} == {SCOPE}
    assert [one.request.prompt_text for one in gate.infos[:3]] == ["p"] * 3
    assert [(one.outcome, one.usage, one.retry_after_s, one.late) for one in gate.ends] == [
        ("provider_error", Usage(), None, False),
        ("rate_limit", Usage(1), 2, False),
        ("answered", Usage(5, 2), None, False),
        ("answered", Usage(5, 2), None, False),
    ]
    assert gate.ends[1].limits == limits
    assert gate.inside == 0


async def test_outside_of_steps_there_is_no_scope() -> None:
    gate = NotingGate()
    await ModelChain([provider("hi")], gate=gate).ask(REQUEST)
    assert gate.infos[0].scope is None


async def test_a_call_cut_off_by_the_deadline_is_settled_at_once_and_again_when_its_answer_comes_late() -> None:
    gate, clock = NotingGate(), MovableClock()
    deaf = DeafProvider(["late"], usage=Usage(7, 3, 0))
    asking = asyncio.create_task(
        ModelChain([deaf], gate=gate).ask(REQUEST, deadline=AdaptiveTimeout(30_000, clock=clock))
    )
    clock.move(30)
    await asyncio.wait_for(asking, 10)
    assert [(one.outcome, one.usage, one.late) for one in gate.ends] == [("timeout", Usage(7), False)]
    assert gate.inside == 0
    deaf.let.set()
    await asyncio.wait_for(gate.late.wait(), 10)
    assert [(one.outcome, one.usage, one.late) for one in gate.ends[1:]] == [("answered", Usage(7, 3, 0), True)]


async def test_a_cancelled_call_is_settled_as_cancelled_with_what_it_used_so_far() -> None:
    gate, deaf = NotingGate(), DeafProvider(["late"])
    asking = asyncio.create_task(ModelChain([deaf], gate=gate).ask(REQUEST))
    await deaf.called.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert [(one.outcome, one.usage, one.late) for one in gate.ends] == [("cancelled", Usage(7), False)]
    deaf.let.set()


async def test_a_call_whose_listener_fails_is_settled_too() -> None:
    gate = NotingGate()

    def hear(piece: str) -> None:
        raise KeyError(piece)

    with pytest.raises(KeyError):
        await ModelChain([provider("hi", usage=Usage(1))], gate=gate).ask(REQUEST, on_text=hear)
    assert [one.outcome for one in gate.ends] == ["cancelled"]


class Closed:
    """A gate that lets nothing through."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    @asynccontextmanager
    async def call(self, info: CallInfo) -> AsyncIterator[NotingGate]:
        if self.error is not None:
            raise self.error
        await asyncio.Event().wait()
        yield NotingGate()


async def test_what_a_gate_raises_reaches_the_caller_as_it_is_and_nothing_is_called() -> None:
    called = provider("hi")
    for error in (KeyError("no budget"), TimeoutError("its own")):
        with pytest.raises(type(error)) as caught:
            await ModelChain([called], gate=Closed(error)).ask(REQUEST, deadline=AdaptiveTimeout(60_000))
        assert caught.value is error
    assert called.requests == []


async def test_waiting_at_the_gate_ends_with_the_deadline() -> None:
    called, clock = provider("hi"), MovableClock()
    deadline = AdaptiveTimeout(30_000, clock=clock)
    asking = asyncio.create_task(ModelChain([called], gate=Closed()).ask(REQUEST, deadline=deadline))
    clock.move(30)
    failure = await asyncio.wait_for(asking, 10)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.tries, failure.provider) == ("timeout", (), "")
    assert called.requests == []


async def test_the_deadline_does_not_interrupt_what_the_gate_writes_on_leaving() -> None:
    clock, written = MovableClock(), list[str]()

    class Writing(NotingGate):
        @asynccontextmanager
        async def call(self, info: CallInfo) -> AsyncIterator[NotingGate]:
            yield self
            clock.move(60)
            assert deadline.timed_out
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            written.append("row")

    deadline = AdaptiveTimeout(30_000, clock=clock)
    answer = await ModelChain([provider("hi")], gate=Writing()).ask(REQUEST, deadline=deadline)
    assert written == ["row"]
    assert not isinstance(answer, ModelFailure)
