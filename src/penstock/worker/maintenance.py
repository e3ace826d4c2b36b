"""Maintenance: what only the leader does. Each duty is harmless when two do it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from penstock.errors import StoreUnavailable
from penstock.store.base import Store
from penstock.store.programs.cancel import expire
from penstock.store.programs.claim import unpark_all
from penstock.store.programs.workers import rescue, worker_beats
from penstock.worker.leader import Leader
from penstock.worker.logs import get_logger
from penstock.worker.pacing import jittered
from penstock.worker.service import OnFailure, Service

logger = get_logger(__name__)

EXPIRE_S = 1.0
UNPARK_S = 5.0
LOOKS_PER_LEASE = 4
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Duty:
    """Something the leader does every `every_s` seconds: `run(store, now in µs)`."""

    name: str
    every_s: float
    run: Callable[[Store, int], Awaitable[None]]


class Silence:
    """For how long each worker's counter has stood still, on our own monotonic clock.

    Time between two looks counts at most `longest_gap` seconds: if this process itself stood still meanwhile, others on
    the same machine did too, and must get the chance to be seen alive.
    """

    def __init__(self, longest_gap: float) -> None:
        self._longest_gap = longest_gap
        self._looked_at: float | None = None
        self._silent: dict[int, tuple[int, float, float]] = {}

    def look(self, beats: Mapping[int, int], now: float) -> dict[int, tuple[float, float]]:
        """Take a look at worker number -> counter; answers worker number -> (seconds silent, silent since)."""
        gap = 0.0 if self._looked_at is None else min(now - self._looked_at, self._longest_gap)
        self._looked_at = now
        before = self._silent
        self._silent = {}
        for worker_id, count in beats.items():
            old = before.get(worker_id)
            still = old is not None and old[0] == count
            self._silent[worker_id] = (count, old[1] + gap, old[2]) if still and old else (count, 0.0, now)
        return {worker_id: (seconds, since) for worker_id, (_, seconds, since) in self._silent.items()}


class Maintenance(Service):
    """Runs the duties while this worker leads: lost workers, passed deadlines, parked jobs, and those it is given."""

    def __init__(
        self,
        store: Store,
        leader: Leader,
        duties: Sequence[Duty],
        on_failure: OnFailure,
        *,
        worker: str,
        worker_id: Callable[[], int],
        lease_s: float,
    ) -> None:
        super().__init__("maintenance", on_failure)
        self._store = store
        self._leader = leader
        self._worker = worker
        self._worker_id = worker_id
        self._lease_s = lease_s
        self._rng = random.Random()  # noqa: S311 - jitter of retries, no secret
        look_s = lease_s / LOOKS_PER_LEASE
        self._silence = Silence(2 * look_s)
        self._duties = (
            Duty("rescue", look_s, self._rescue), Duty("expire", EXPIRE_S, _expire), Duty("unpark", UNPARK_S, _unpark),
            *duties,
        )  # fmt: skip

    async def start(self) -> None:
        """Begin the duties, each in a task of its own."""
        for duty in self._duties:
            self.hold(self._do(duty))

    async def _do(self, duty: Duty) -> None:
        while True:
            await asyncio.sleep(jittered(duty.every_s))
            if not self._leader.leads:
                continue
            try:
                await duty.run(self._store, self._store.clock.now())
            except StoreUnavailable:
                # The fetcher and the heartbeat log outages; the next turn is the retry.
                continue
            except Exception:
                # One duty's fault must not end the others, least of all the rescue of lost workers.
                logger.exception("a duty of the leader failed; it is tried again", duty=duty.name, worker=self._worker)

    async def _rescue(self, store: Store, _now: int) -> None:
        """Take the runs of workers that were silent for a lease, during which we ourselves could write."""
        found = await store.read(worker_beats())
        now = time.monotonic()
        silent = self._silence.look({worker_id: pulse.beats for worker_id, pulse in found.items()}, now)
        for worker_id, (seconds, since) in silent.items():
            # Each by its own lease; at least ours, since we look only so often.
            lease_s = max(self._lease_s, found[worker_id].lease_us / 1_000_000)
            if worker_id == self._worker_id() or seconds < lease_s or self._leader.kept_at <= since:
                continue
            name = found[worker_id].name
            taken = await self._take_from(store, worker_id, name)
            logger.info("a lost worker's jobs were taken", lost=name, jobs=taken, worker=self._worker)

    async def _take_from(self, store: Store, worker_id: int, name: str) -> int:
        taken = 0
        while True:
            batch = await store.run(rescue(worker_id, name, store.clock.now(), self._rng, _BATCH))
            taken += batch
            if batch < _BATCH:
                return taken


async def _expire(store: Store, now: int) -> None:
    while await store.run(expire(now)) >= _BATCH:
        pass


async def _unpark(store: Store, _now: int) -> None:
    await store.run(unpark_all())
