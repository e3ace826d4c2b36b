"""One gate for all calls to Google: so many at once, so far apart, so many a day."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date

from systems.learning_plans.application.curation_ports import Clock, SearchFailed, Waiting

CONCURRENCY = 2
SPACING_S = 8.0
DAILY_LIMIT = 1_000


class GoogleLimiter:
    """Turns are given in the order they are asked for: at most `concurrency` at once, their starts `spacing_s` seconds
    apart, `daily_limit` on one UTC day. It counts the calls of this process since its start."""

    def __init__(
        self,
        clock: Clock,
        *,
        concurrency: int = CONCURRENCY,
        spacing_s: float = SPACING_S,
        daily_limit: int = DAILY_LIMIT,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._slots = asyncio.Semaphore(concurrency)
        self._spacing_s = spacing_s
        self._daily_limit = daily_limit
        self._monotonic = monotonic
        self._sleep = sleep
        self._next_start = monotonic()
        self._day: date | None = None
        self._started_today = 0

    @asynccontextmanager
    async def turn(self, waiting: Waiting) -> AsyncIterator[None]:
        """Hold it during one call; what passes before it is entered lies inside `waiting()`.

        Raises `SearchFailed` when the day's calls are used up.
        """
        with waiting():
            await self._slots.acquire()
        try:
            with waiting():
                await self._start()
            yield
        finally:
            self._slots.release()

    async def _start(self) -> None:
        self._count()
        now = self._monotonic()
        at = max(now, self._next_start)
        self._next_start = at + self._spacing_s
        if at > now:
            await self._sleep(at - now)

    def _count(self) -> None:
        today = self._clock.now().date()
        if today != self._day:
            self._day, self._started_today = today, 0
        if self._started_today >= self._daily_limit:
            raise SearchFailed(f"the {self._daily_limit} calls to Google of this day (UTC) are used up")
        self._started_today += 1
