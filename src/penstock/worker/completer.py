"""The completer: writes how runs ended, in fenced batches, until they are written."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress

from penstock.domain.outcomes import ErrorRecord
from penstock.domain.states import JobState, Way
from penstock.errors import StoreUnavailable
from penstock.store.base import Store
from penstock.store.programs.settle import RunEnd, complete, settle
from penstock.worker.logs import get_logger
from penstock.worker.outage import Outage
from penstock.worker.pacing import Backoff
from penstock.worker.service import OnFailure, Service
from penstock.worker.settled import log_settled, log_unwritable, tally, tally_completed
from penstock.worker.stats import Counts

logger = get_logger(__name__)

BATCH = 1_000
"""Ends a write at most (decision 20)."""
BACKLOG = 5_000
"""Unwritten results beyond which nothing more is claimed."""


class Completer(Service):
    """Takes the ends of runs and writes them; refuses none and forgets none.

    A batch is written at once when nothing is under way, else together with what comes meanwhile. Ends from which
    something follows take several trips: where the store writes side by side, two batches of them are on their way.
    While the store is away results wait in memory. `on_settled` is told the queues of what was written and when the
    first of it is due again (µs), `on_room` that no longer too many results wait; `before` run ahead of each batch.
    """

    def __init__(
        self,
        store: Store,
        worker: str,
        counts: Mapping[str, Counts],
        outage: Outage,
        on_failure: OnFailure,
        *,
        on_settled: Callable[[Collection[str], int | None], None],
        on_room: Callable[[], None],
        before: Sequence[Callable[[Sequence[RunEnd]], "asyncio.Future[None] | None"]],
    ) -> None:
        super().__init__("completer", on_failure)
        self._store = store
        self._worker = worker
        self._counts = counts
        self._outage = outage
        self._on_settled = on_settled
        self._on_room = on_room
        self._before = before
        self._waiting: deque[RunEnd] = deque()
        self._held: dict[tuple[str, int], RunEnd] = {}
        self._work = asyncio.Event()
        self._tied_work = asyncio.Event()
        self._empty = asyncio.Event()

    async def start(self) -> None:
        """Begin to write."""
        self.hold(self._live())
        if self._store.side_by_side:
            self.hold(self._live_tied())

    @property
    def unwritten(self) -> int:
        """How many results are not yet in the store."""
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """Whether so many results wait that nothing should be claimed."""
        return len(self._held) >= BACKLOG

    def holds(self, job_id: str, claim_id: int) -> bool:
        """Whether the end of this run waits to be written."""
        return (job_id, claim_id) in self._held

    def add(self, end: RunEnd) -> None:
        """Write this end, soon."""
        self._waiting.append(end)
        self._held[end.job_id, end.claim_id] = end
        self._work.set()
        if end.tied:
            self._tied_work.set()

    async def drain(self, seconds: float) -> bool:
        """Wait until everything is written, at most so long; answers whether it is."""
        if self._held:
            self._empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)
        return not self._held

    async def _live(self) -> None:
        while True:
            await self._work.wait()
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if not self._waiting:
                self._work.clear()
            if batch:
                await self._finish(batch)

    async def _live_tied(self) -> None:
        """A second one, for what takes long; plain ends are the cheaper the more of them share a trip."""
        while True:
            await self._tied_work.wait()
            batch: list[RunEnd] = []
            while self._waiting and self._waiting[0].tied and len(batch) < BATCH:
                batch.append(self._waiting.popleft())
            if not batch or not self._waiting:
                self._tied_work.clear()
            if batch:
                await self._finish(batch)

    async def _finish(self, batch: list[RunEnd]) -> None:
        """Write a batch and forget it."""
        for ahead in [found for one in self._before if (found := one(batch)) is not None]:
            await ahead
        await self._write(batch)
        due = [end.settlement.due_at for end in batch if end.settlement.due_at is not None]
        self._on_settled({end.lane.queue for end in batch}, min(due, default=None))
        was_full = self.is_full
        for end in batch:
            self._held.pop((end.job_id, end.claim_id), None)
        if was_full and not self.is_full:
            self._on_room()
        if not self._held:
            self._empty.set()

    async def _write(self, batch: list[RunEnd]) -> None:
        """Write a batch, whatever it takes; one that the database will not have is split until the bad row is found."""
        try:
            left, states = await self._patiently(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not keep the neighbours from being written
            if len(batch) == 1:
                await self._write_failure(batch[0], error)
                return
            middle = len(batch) // 2
            await self._write(batch[:middle])
            await self._write(batch[middle:])
            return
        self._settled(left, states)

    async def _patiently(self, batch: Sequence[RunEnd]) -> tuple[Sequence[RunEnd], dict[str, JobState]]:
        """End a batch: the plain ones in one trip, what that leaves in full. Answers what was left, and its states.

        What is written stays so when the store goes away in between.
        """
        backoff = Backoff()
        states: dict[str, JobState] = {}
        left = batch
        while True:
            try:
                left = await self._complete(left)
                if left:
                    states = await self._store.run(settle(left, self._store.clock.now(), self._worker))
            except StoreUnavailable as error:
                self._outage.began(error)
                await asyncio.sleep(backoff.next())
            else:
                self._outage.over()
                return left, states

    async def _complete(self, batch: Sequence[RunEnd]) -> Sequence[RunEnd]:
        """End the plain ones, and count them; answers what is left for `settle`."""
        plain = {end.job_id: end for end in batch if not end.tied}
        if not plain:
            return batch
        left = await self._store.run(complete(list(plain.values()), self._store.clock.now()))
        done = plain.values() if not left else [end for end in plain.values() if end.job_id not in left]
        tally_completed(done, self._counts)
        if logger.isEnabledFor(logging.DEBUG):  # nothing else is told of them
            log_settled(done, dict.fromkeys(plain, JobState.COMPLETED), self._worker)
        if len(done) == len(batch):
            return ()
        # By identity: a late run of a job may end together with a newer one of it, which is the one that counts.
        written = set(map(id, done))
        return [end for end in batch if id(end) not in written]

    def _settled(self, ends: Sequence[RunEnd], states: Mapping[str, JobState]) -> None:
        tally(ends, states, self._counts)
        log_settled(ends, states, self._worker)

    async def _write_failure(self, end: RunEnd, error: Exception) -> None:
        """The database refuses this end: the job fails, and says so."""
        log_unwritable(end, error, self._worker)
        text = f"the outcome of its run could not be written: {type(error).__name__}: {error}"
        record = ErrorRecord(type(error).__name__, text)
        failed = end.settlement._replace(
            way=Way.FAIL, state=JobState.FAILED, reason=text, error=record, result=None, due_at=None,
            solo=False, unfinished=True,
        )  # fmt: skip
        replacement = RunEnd(end.job_id, end.claim_id, end.lane, failed, end.started_at)
        try:
            left, states = await self._patiently([replacement])
        except Exception:
            # Nothing of it can be written; the row stays assigned to this worker until that gives it back.
            logger.exception("a job's failure cannot be written either", job_id=end.job_id, worker=self._worker)
            return
        self._settled(left, states)
