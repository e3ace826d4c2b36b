"""One gate for all calls to Google: so many at once, so far apart, so many a day."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from systems.common.database.upsert import insert_unless_there
from systems.learning_plans.application.curation_ports import Clock, SearchFailed, Waiting
from systems.learning_plans.domain.call_starts import CallStarts, next_turn
from systems.learning_plans.infrastructure.tables import GoogleCallsRow

CONCURRENCY = 2
SPACING_S = 8.0
DAILY_LIMIT = 1_000

_THE_ONE = 1


class CallBook(Protocol):
    """Who may call when."""

    async def take(self) -> float:
        """Takes the next start, so many seconds from now. Raises `SearchFailed` when the day's calls are used up."""
        ...


class SqlCallBook:
    """One book for all processes on a database, kept across restarts."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        clock: Clock,
        *,
        spacing_s: float = SPACING_S,
        daily_limit: int = DAILY_LIMIT,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._spacing = timedelta(seconds=spacing_s)
        self._daily_limit = daily_limit

    async def take(self) -> float:
        """See the protocol."""
        async with self._sessions.begin() as session:
            # The row is locked before the time is read: starts are given in the order of the lock.
            given = await self._held(session)
            now = self._clock.now()
            turn = next_turn(given, now, self._spacing, self._daily_limit)
            if turn is None:
                raise SearchFailed(f"the {self._daily_limit} calls to Google of this day (UTC) are used up")
            values = {"day": turn.given.day, "started": turn.given.count, "next_at": turn.given.next_at}
            await session.execute(update(GoogleCallsRow).where(GoogleCallsRow.id == _THE_ONE).values(values))
        return turn.wait_s

    async def _held(self, session: AsyncSession) -> CallStarts:
        now = self._clock.now()
        first: dict[str, object] = {"id": _THE_ONE, "day": now.date(), "started": 0, "next_at": now}
        await insert_unless_there(session, GoogleCallsRow, [first])
        row = (await session.scalars(select(GoogleCallsRow).with_for_update())).one()
        return CallStarts(row.day, row.started, row.next_at)


class GoogleLimiter:
    """Turns are given in the order they are asked for: at most `concurrency` calls at once in this process, each at the
    start that the book gives it."""

    def __init__(
        self,
        book: CallBook,
        *,
        concurrency: int = CONCURRENCY,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._book = book
        self._slots = asyncio.Semaphore(concurrency)
        self._sleep = sleep

    @asynccontextmanager
    async def turn(self, waiting: Waiting) -> AsyncIterator[None]:
        """Hold it during one call; what passes before it is entered lies inside `waiting()`.

        Raises `SearchFailed` when the day's calls are used up.
        """
        with waiting():
            await self._slots.acquire()
        try:
            with waiting():
                await self._sleep(await self._book.take())
            yield
        finally:
            self._slots.release()
