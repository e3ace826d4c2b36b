"""Jobs that were lost twice are claimed alone, so that a poison job takes nobody with it."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from penstock.domain.claimed import ClaimedJob
from penstock.store.programs.claim import Claimed
from penstock.worker.feed import Feed
from penstock.worker.pacing import jittered

SOLO_S = 1.0
"""How often a queue is asked for such jobs; with many queues more seldom, so that an idle worker stays quiet."""
_SOLO_S_PER_QUEUE = 0.5


class Claimer(Protocol):
    """What a solo turn needs of the fetcher."""

    closing: bool

    @property
    def feeds(self) -> Mapping[str, Feed]:
        """The queues by name."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether the process runs no handler."""
        ...

    def drop_buffers(self, reason: str) -> None:
        """Give back what has not started."""
        ...

    async def has_solo(self, feed: Feed) -> bool:
        """Whether a job that has to be claimed alone is ready in this queue."""
        ...

    async def claim(self, feed: Feed, limit: int, *, solo: bool) -> Claimed:
        """Claim from one queue."""
        ...

    def start_job(self, feed: Feed, job: ClaimedJob, *, solo: bool) -> None:
        """Hand a job to the executor."""
        ...


class SoloTurn:
    """Now and then asks whether such a job waits; if so, lets the process run empty and runs what waits, one by one.

    A turn takes no further job after a second: many short ones (a killed worker's innocent prefetch) go quickly, and
    long ones leave the rest of the work its share.
    """

    def __init__(self, claimer: Claimer) -> None:
        self._claimer = claimer
        self._freed = asyncio.Event()

    def freed(self) -> None:
        """A handler has ended, or the worker stops."""
        self._freed.set()

    async def take_if_due(self, now: float) -> None:
        """Ask for the queues whose time has come, and take a turn for the first that has such a job."""
        feeds = self._claimer.feeds
        for feed in feeds.values():
            if now >= feed.solo_at:
                feed.solo_at = now + jittered(max(SOLO_S, _SOLO_S_PER_QUEUE * len(feeds)))
                if await self._claimer.has_solo(feed):
                    await self._take(feed)
                    return

    async def _take(self, feed: Feed) -> None:
        """Run empty, claim one, run it alone; and the next. Given up when others have taken them meanwhile."""
        self._claimer.drop_buffers("the worker runs empty for a job that is to run alone")
        ask_at = time.monotonic() + SOLO_S
        while not await self._is_empty_soon():
            if self._claimer.closing:
                return
            if time.monotonic() >= ask_at:
                ask_at = time.monotonic() + SOLO_S
                if not await self._claimer.has_solo(feed):
                    return
        until = time.monotonic() + SOLO_S
        while time.monotonic() < until:
            claimed = await self._claimer.claim(feed, 1, solo=True)
            if not claimed.jobs:
                return
            self._claimer.start_job(feed, claimed.jobs[0], solo=True)
            while not await self._is_empty_soon():
                if self._claimer.closing:
                    return

    async def _is_empty_soon(self) -> bool:
        """Whether the process runs nothing, now or after the next change or second."""
        self._freed.clear()
        if not self._claimer.is_empty:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), jittered(SOLO_S))
        return self._claimer.is_empty
