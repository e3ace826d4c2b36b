"""The adaptive deadline: when it moves, when it is over, and that it cuts off what does not listen."""

import asyncio
from collections.abc import Callable

import pytest

from penstock.ai import AdaptiveTimeout
from penstock.testing import MovableClock

START = 1_800_000_000_000_000  # µs


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(START)


def deadline(clock: MovableClock) -> AdaptiveTimeout:
    """As the learning plans are specified: 30 s, 15 s more, when the first module shows within 25 s."""
    return AdaptiveTimeout(30_000, 15_000, 25_000, clock=clock)


def test_it_has_the_specified_defaults(clock: MovableClock) -> None:
    timeout = AdaptiveTimeout(clock=clock)
    assert timeout.started_at == START / 1_000
    assert timeout.deadline - timeout.started_at == 10_000
    clock.move(9.5)
    timeout.notify_first_module()
    assert timeout.deadline - timeout.started_at == 20_000


@pytest.mark.parametrize(("seconds", "length", "extended"), [(25.0, 45_000, True), (25.1, 30_000, False)])
def test_a_first_module_within_the_threshold_moves_the_deadline(
    clock: MovableClock, seconds: float, length: float, extended: bool
) -> None:
    timeout = deadline(clock)
    clock.move(seconds)
    timeout.notify_first_module()
    assert timeout.deadline == timeout.started_at + length
    assert timeout.did_extend is extended
    assert timeout.elapsed() == seconds * 1_000


def test_two_notices_move_it_once(clock: MovableClock) -> None:
    timeout = deadline(clock)
    timeout.notify_first_module()
    timeout.notify_first_module()
    assert timeout.deadline - timeout.started_at == 45_000


def test_the_time_is_over_at_the_deadline_and_a_notice_changes_nothing_then(clock: MovableClock) -> None:
    timeout = AdaptiveTimeout(1_000, 5_000, 60_000, clock=clock)
    clock.move(0.999)
    assert not timeout.timed_out
    assert not timeout.signal.is_set()
    clock.move(0.001)
    timeout.notify_first_module()
    assert timeout.timed_out
    assert timeout.signal.is_set()
    assert timeout.deadline - timeout.started_at == 1_000
    assert not timeout.did_extend
    clock.move(-10)
    assert timeout.timed_out


def test_cancelled_it_is_never_over(clock: MovableClock) -> None:
    timeout = deadline(clock)
    timeout.cancel()
    clock.move(1_000)
    timeout.notify_first_module()
    assert not timeout.timed_out
    assert not timeout.did_extend


@pytest.mark.parametrize("name", ["base_ms", "extension_ms", "threshold_ms"])
@pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
def test_a_wrong_option_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        AdaptiveTimeout(**{name: value})  # type: ignore[arg-type]


async def test_the_signal_is_set_by_itself_when_the_time_is_over() -> None:
    timeout = AdaptiveTimeout(20, 20, 0)
    await asyncio.wait_for(timeout.signal.wait(), 10)
    assert timeout.timed_out
    assert timeout.elapsed() >= 20


async def test_an_extension_is_waited_for_too(clock: MovableClock) -> None:
    timeout = AdaptiveTimeout(1_000, 1_000, 1_000, clock=clock)
    waiting = asyncio.create_task(timeout.signal.wait())
    timeout.notify_first_module()
    clock.move(1.5)
    assert not timeout.timed_out
    clock.move(0.5)
    await asyncio.wait_for(waiting, 10)


async def test_a_call_that_ends_in_time_gives_its_result() -> None:
    async def call() -> str:
        return "done"

    assert await AdaptiveTimeout(60_000).run(call()) == "done"


async def test_errors_of_the_call_pass_through() -> None:
    async def call() -> str:
        raise KeyError("its own")

    with pytest.raises(KeyError, match="its own"):
        await AdaptiveTimeout(60_000).run(call())


async def test_the_wait_ends_at_the_deadline_and_the_call_is_cancelled(clock: MovableClock) -> None:
    timeout = deadline(clock)
    cancelled = asyncio.Event()

    async def call() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    running = asyncio.create_task(timeout.run(call()))
    clock.move(30)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(running, 10)
    await asyncio.wait_for(cancelled.wait(), 10)


class Deaf:
    """A call that swallows being cancelled (once) and answers when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.heard = asyncio.Event()

    async def call(self) -> str:
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.heard.set()
            await self.let.wait()
        return "too late"


async def test_a_call_that_does_not_listen_is_not_waited_for_and_its_late_result_is_told_apart(
    clock: MovableClock,
) -> None:
    timeout, deaf = deadline(clock), Deaf()
    late: asyncio.Queue[str] = asyncio.Queue()
    running = asyncio.create_task(timeout.run(deaf.call(), late.put_nowait))
    clock.move(30)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(running, 10)
    await asyncio.wait_for(deaf.heard.wait(), 10)
    assert late.empty()
    deaf.let.set()
    assert await asyncio.wait_for(late.get(), 10) == "too late"


async def test_cancelling_the_waiter_does_not_wait_for_a_deaf_call_either() -> None:
    timeout, deaf = AdaptiveTimeout(60_000), Deaf()
    running = asyncio.create_task(timeout.run(deaf.call()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(running), 10)
    await asyncio.wait_for(deaf.heard.wait(), 10)
    deaf.let.set()


async def test_what_comes_after_the_clock_has_passed_the_deadline_is_late_even_if_nobody_was_woken(
    clock: MovableClock,
) -> None:
    timeout = deadline(clock)
    late: list[str] = []

    async def call() -> str:
        clock.move(31)
        return "too late"

    with pytest.raises(TimeoutError):
        await timeout.run(call(), late.append)
    assert late == ["too late"]


async def test_nothing_is_begun_for_long_once_the_time_is_over(clock: MovableClock) -> None:
    timeout = deadline(clock)
    clock.move(60)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            async with timeout.bounding():
                await asyncio.Event().wait()


async def test_several_waits_end_together(clock: MovableClock) -> None:
    timeout = deadline(clock)
    running = [asyncio.create_task(timeout.run(asyncio.Event().wait())) for _ in range(3)]
    await asyncio.sleep(0)
    clock.move(30)
    results = await asyncio.wait_for(asyncio.gather(*running, return_exceptions=True), 10)
    assert [type(result) for result in results] == [TimeoutError] * 3


async def test_errors_of_calls_nobody_waits_for_are_dropped_quietly() -> None:
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    deaf = Deaf()

    async def call() -> str:
        await deaf.call()
        raise KeyError("nobody hears this")

    running = asyncio.create_task(AdaptiveTimeout(60_000).run(call()))
    await _turns(lambda: running.cancel())
    with pytest.raises(asyncio.CancelledError):
        await running
    deaf.let.set()
    await _turns()
    assert told == []


async def _turns(then: Callable[[], object] = lambda: None) -> None:
    for _ in range(5):
        await asyncio.sleep(0)
    then()
    for _ in range(5):
        await asyncio.sleep(0)
