"""Progress of runs: the latest of each job, written together a few times a second."""

import asyncio
import threading
from collections.abc import Sequence

from penstock.errors import StoreUnavailable
from penstock.store.base import Store
from penstock.store.programs.settle import Progress, RunEnd, write_progress
from penstock.worker.pacing import Backoff
from penstock.worker.service import OnFailure, Service

INTERVAL_S = 0.25
"""At most four writes a second per job, and all jobs share them."""


class ProgressWriter(Service):
    """Takes progress from any thread and writes the latest of each run."""

    def __init__(self, store: Store, on_failure: OnFailure) -> None:
        super().__init__("progress", on_failure)
        self._store = store
        self._latest: dict[tuple[str, int], Progress] = {}
        self._flying: dict[tuple[str, int], Progress] = {}
        self._landed = asyncio.Event()
        self._work = asyncio.Event()

    async def start(self) -> None:
        """Begin to write."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.hold(self._live())

    def note(self, update: Progress) -> None:
        """Take an update; a newer one of the same run replaces one that is not yet written. From any thread."""
        if threading.get_ident() == self._thread:
            self._take(update)
        else:
            self._loop.call_soon_threadsafe(self._take, update)

    def _take(self, update: Progress) -> None:
        self._latest[update.job_id, update.claim_id] = update
        self._work.set()

    def ahead_of(self, batch: Sequence[RunEnd]) -> "asyncio.Future[None] | None":
        """Write what waits for runs that are about to end: afterwards it would be refused. None when nothing waits."""
        if not self._latest and not self._flying:
            return None
        keys = [(end.job_id, end.claim_id) for end in batch]
        updates = [update for key in keys if (update := self._latest.pop(key, None)) is not None]
        # What is on its way must arrive before the end, too.
        flies = any(key in self._flying for key in keys)
        return self.hold(self._last_words(updates, flies=flies)) if updates or flies else None

    async def _last_words(self, updates: list[Progress], *, flies: bool) -> None:
        try:
            if flies:
                await self._landed.wait()
            await self._write(updates)
        except StoreUnavailable:
            # The completer meets the same outage next, waits and logs it; the end of a run matters more than this.
            return

    async def _live(self) -> None:
        backoff = Backoff()
        while True:
            await self._work.wait()
            self._work.clear()
            taken = self._flying = self._latest
            self._latest = {}
            self._landed.clear()
            try:
                await self._write(list(taken.values()))
            except StoreUnavailable:
                self._latest = taken | self._latest
                self._work.set()
                pause = backoff.next()
            else:
                backoff.reset()
                pause = INTERVAL_S
            finally:
                self._flying = {}
                self._landed.set()
            await asyncio.sleep(pause)

    async def _write(self, updates: list[Progress]) -> None:
        if updates:
            await self._store.run(write_progress(updates, self._store.clock.now()), durable=False)
