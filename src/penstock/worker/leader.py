"""Leadership: a row with a term. One worker leads; two that both believe to lead are harmless."""

import asyncio
import time
from collections.abc import Callable

from penstock.errors import StoreUnavailable
from penstock.store.base import Store
from penstock.store.programs.workers import Lead, keep_lead, leave_lead, read_leader, take_lead
from penstock.worker.logs import get_logger
from penstock.worker.pacing import jittered
from penstock.worker.service import OnFailure, Service

logger = get_logger(__name__)

ROW = "maintenance"
LEFT = -1
"""The counter of a leader that has signed off."""
STEPS_PER_LEASE = 3
_FAREWELL_S = 2.0


class Leader(Service):
    """Keeps the lead, or takes it over once its holder has been silent for a whole lease on our own clock."""

    def __init__(
        self, store: Store, on_failure: OnFailure, *, worker: str, worker_id: Callable[[], int], lease_s: float
    ) -> None:
        super().__init__("leader", on_failure)
        self._store = store
        self._worker = worker
        self._worker_id = worker_id
        self._lease_s = lease_s
        self._term: tuple[int, int] | None = None
        self._seen: Lead | None = None
        self._seen_at = 0.0
        self.kept_at = 0.0

    async def start(self) -> None:
        """Begin as a candidate."""
        self.hold(self._live())

    async def stop(self) -> None:
        """Give the lead up, so that another takes it at once."""
        await super().stop()
        if self._term is None:
            return
        (worker_id, term), self._term = self._term, None
        try:
            await asyncio.wait_for(self._store.run(leave_lead(ROW, worker_id, term), durable=False), _FAREWELL_S)
        except (StoreUnavailable, TimeoutError):
            logger.info("the lead was not handed over; another takes it after a lease", worker=self._worker)

    @property
    def leads(self) -> bool:
        """Whether this worker leads, and could say so to the store within the last lease."""
        return self._term is not None and time.monotonic() - self.kept_at < self._lease_s

    async def _live(self) -> None:
        while True:
            try:
                await (self._candidate() if self._term is None else self._keep(*self._term))
            except StoreUnavailable:
                # `leads` lapses by itself; the fetcher and the heartbeat log the outage.
                await asyncio.sleep(jittered(self._lease_s / STEPS_PER_LEASE / 2))
            else:
                await asyncio.sleep(jittered(self._lease_s / STEPS_PER_LEASE))

    async def _keep(self, worker_id: int, term: int) -> None:
        asked = time.monotonic()
        if await self._store.run(keep_lead(ROW, worker_id, term), durable=False):
            self.kept_at = asked
        else:
            self._term = None
            self._seen = None
            logger.info("another worker leads", worker=self._worker)

    async def _candidate(self) -> None:
        found = await self._store.read(read_leader(ROW))
        now = time.monotonic()
        if found is not None and found.beats != LEFT:
            if found != self._seen:
                self._seen, self._seen_at = found, now
            if now - self._seen_at < self._lease_s:
                return
        worker_id = self._worker_id()
        term = await self._store.run(take_lead(ROW, worker_id, found), durable=False)
        if term is not None:
            self._term, self.kept_at = (worker_id, term), now
            logger.info("this worker leads", worker=self._worker, term=term)
