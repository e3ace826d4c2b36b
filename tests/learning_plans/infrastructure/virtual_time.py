"""Time that passes only when everybody waits for it."""

import asyncio
import heapq
from collections.abc import Coroutine
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from tests.learning_plans.application.curation_fakes import NOW


class VirtualClock:
    """The same time, as a moment."""

    def __init__(self, time: "VirtualTime") -> None:
        self._time = time

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self._time.now)


class VirtualTime:
    def __init__(self) -> None:
        self.now = 0.0
        self._asleep: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = count()

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._asleep, (self.now + seconds, next(self._number), future))
        await future

    async def run(self, *calls: Coroutine[Any, Any, Any]) -> list[Any]:
        """What the calls answer or raise, run side by side to their ends."""
        running = asyncio.gather(*calls, return_exceptions=True)
        while not running.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if self._asleep:
                self.now, _, future = heapq.heappop(self._asleep)
                if not future.done():
                    future.set_result(None)
        return await running
