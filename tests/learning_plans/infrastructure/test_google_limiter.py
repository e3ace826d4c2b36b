import asyncio
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext

import pytest

from systems.common.database.connections import Database
from systems.learning_plans.application.curation_ports import SearchFailed
from systems.learning_plans.infrastructure.google_limiter import GoogleLimiter, SqlCallBook
from tests.learning_plans.application.curation_fakes import MovableClock
from tests.learning_plans.infrastructure.call_book import MemoryBook
from tests.learning_plans.infrastructure.virtual_time import VirtualClock, VirtualTime


class Calls:
    """Calls of one length through a limiter, each noting when it began and ended."""

    def __init__(self, length_s: float = 0.0, **options) -> None:
        self.time = VirtualTime()
        self.limiter = GoogleLimiter(MemoryBook(VirtualClock(self.time), **options), sleep=self.time.sleep)
        self.length_s = length_s
        self.spans: list[tuple[float, float]] = []
        self.waited: list[float] = []

    @contextmanager
    def waiting(self):
        since = self.time.now
        yield
        self.waited.append(self.time.now - since)

    async def call(self) -> None:
        async with self.limiter.turn(self.waiting):
            began = self.time.now
            await self.time.sleep(self.length_s)
            self.spans.append((began, self.time.now))

    async def run(self, number: int) -> list[object]:
        return await self.time.run(*(self.call() for _ in range(number)))


async def test_starts_are_eight_seconds_apart() -> None:
    calls = Calls()
    await calls.run(4)
    assert [began for began, _ in calls.spans] == [0, 8, 16, 24]


async def test_at_most_two_are_in_flight() -> None:
    calls = Calls(length_s=30)
    await calls.run(5)
    moments = [began for began, _ in calls.spans]
    assert sorted(moments) == [0, 8, 30, 38, 60]
    assert max(sum(began <= at < ended for began, ended in calls.spans) for at in moments) == 2


async def test_a_late_call_need_not_wait() -> None:
    calls = Calls()
    await calls.run(1)
    calls.time.now = 100
    await calls.run(2)
    assert [began for began, _ in calls.spans] == [0, 100, 108]


async def test_all_of_the_wait_is_told_and_none_of_the_call() -> None:
    calls = Calls(length_s=30)
    await calls.run(3)
    assert sum(calls.waited) == 0 + 8 + 30


async def test_used_up_calls_free_their_turns() -> None:
    calls = Calls(daily_limit=2)
    ends = await calls.run(4)
    assert len(calls.spans) == 2
    assert sum(isinstance(end, SearchFailed) for end in ends) == 2
    calls.time.now += 86_400
    await calls.run(1)
    assert len(calls.spans) == 3


async def test_a_call_that_is_given_up_frees_its_turn() -> None:
    limiter = GoogleLimiter(MemoryBook(MovableClock(), spacing_s=0), concurrency=1)
    inside = asyncio.Event()

    async def hangs() -> None:
        async with limiter.turn(nullcontext):
            inside.set()
            await asyncio.Event().wait()

    async def waits() -> None:
        async with limiter.turn(nullcontext):
            pass

    first = asyncio.create_task(hangs())
    await inside.wait()
    second, third = asyncio.create_task(waits()), asyncio.create_task(waits())
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await asyncio.wait_for(third, 10)
    with pytest.raises(asyncio.CancelledError):
        await first


async def taken(books: Sequence[SqlCallBook], number: int) -> list[float]:
    return sorted(await asyncio.gather(*(books[n % len(books)].take() for n in range(number))))


async def test_one_book_serves_all_processes_and_restarts(database: Database) -> None:
    clock = MovableClock()
    books = [SqlCallBook(database.sessions, clock) for _ in range(3)]
    assert await taken(books, 5) == [0, 8, 16, 24, 32]
    clock.advance(20)
    again = SqlCallBook(database.sessions, clock)
    assert await again.take() == 20


async def test_one_day_has_its_limit_for_all_processes_together(database: Database) -> None:
    clock = MovableClock()
    books = [SqlCallBook(database.sessions, clock, daily_limit=3) for _ in range(2)]
    await taken(books, 3)
    for book in books:
        with pytest.raises(SearchFailed, match="the 3 calls to Google of this day"):
            await book.take()
    clock.advance(86_400)
    assert await books[0].take() == 0
