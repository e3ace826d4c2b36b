"""What runs say on their way: gathered by run, and written together a few times a second."""

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from penstock.errors import StoreUnavailable
from penstock.store.programs.settle import RunEnd
from penstock.worker.logs import get_logger
from penstock.worker.outage import Outage
from penstock.worker.pacing import Backoff
from penstock.worker.service import OnFailure, Service

logger = get_logger(__name__)

T = TypeVar("T")
RunKey = tuple[str, int]
"""Job and claim."""

INTERVAL_S = 0.25
"""At most four writes a second, and all runs share them."""


class Gathering(Service, Generic[T]):
    """Holds one item for each run that has something to be written; a subclass says how two merge, and writes them.

    While the store is away items wait, and grow together. What is on its way arrives before the end of its run does.
    """

    def __init__(self, name: str, outage: Outage, on_failure: OnFailure) -> None:
        super().__init__(name, on_failure)
        self._outage = outage
        self._waiting: dict[RunKey, T] = {}
        self._flying: dict[RunKey, T] = {}
        self._landed = asyncio.Event()
        self._work = asyncio.Event()

    @abstractmethod
    def merged(self, older: T, newer: T) -> T:
        """Two items of one run as one."""

    @abstractmethod
    async def write(self, items: Sequence[T]) -> None:
        """Write items of several runs. Raises StoreUnavailable; then they are given again, as they are or merged."""

    async def start(self) -> None:
        """Begin to write."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.hold(self._live())

    def take(self, run: RunKey, item: T) -> None:
        """Have this written soon. From any thread."""
        if threading.get_ident() == self._thread:
            self._put(run, item)
        else:
            self._loop.call_soon_threadsafe(self._put, run, item)

    def ahead_of(self, batch: Sequence[RunEnd]) -> "asyncio.Future[None] | None":
        """Write what waits for runs that are about to end: afterwards it would be refused. None when nothing waits."""
        if not self._waiting and not self._flying:
            return None
        runs = [(end.job_id, end.claim_id) for end in batch]
        says = any(run in self._waiting or run in self._flying for run in runs)
        return self.hold(self._last_words(runs)) if says else None

    def _put(self, run: RunKey, item: T) -> None:
        before = self._waiting.get(run)
        self._waiting[run] = item if before is None else self.merged(before, item)
        self._work.set()

    async def _last_words(self, runs: Sequence[RunKey]) -> None:
        while any(run in self._flying for run in runs):
            # What is on its way must arrive before the end, too; when it does not, it waits again.
            await self._landed.wait()
        # Once: a handler that will not stop may have something new to say for ever.
        items = [self._waiting.pop(run) for run in runs if run in self._waiting]
        try:
            await self._patiently(items)
        except Exception:
            logger.exception("what a run had left to say cannot be written", what=self.name)

    async def _patiently(self, items: Sequence[T]) -> None:
        backoff = Backoff()
        while True:
            try:
                await self.write(items)
            except StoreUnavailable as error:
                # The ends that come after this would meet the same outage, and wait as long.
                self._outage.began(error)
                await asyncio.sleep(backoff.next())
            else:
                self._outage.over()
                return

    async def _live(self) -> None:
        backoff = Backoff()
        while True:
            await self._work.wait()
            self._work.clear()
            self._flying, self._waiting = self._waiting, {}
            self._landed.clear()
            try:
                await self.write(list(self._flying.values()))
            except StoreUnavailable:
                self._give_back()
                pause = backoff.next()
            else:
                backoff.reset()
                pause = INTERVAL_S
            finally:
                self._flying = {}
                self._landed.set()
            await asyncio.sleep(pause)

    def _give_back(self) -> None:
        for run, item in self._flying.items():
            newer = self._waiting.get(run)
            self._waiting[run] = item if newer is None else self.merged(item, newer)
        self._work.set()
