"""The heartbeat: a thread renews the worker's lease, so that a handler that blocks the loop does not lose it."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import SchemaError, StoreUnavailable
from penstock.store.base import Store
from penstock.store.programs.workers import Beat, HeldRun, beat
from penstock.worker.executor import Executor
from penstock.worker.logs import get_logger
from penstock.worker.loop_watch import PING_S, LoopWatch
from penstock.worker.outage import Outage
from penstock.worker.pacing import jittered
from penstock.worker.service import OnFailure, Service

logger = get_logger(__name__)

BEATS_PER_LEASE = 3
LAPSE = 0.75
"""The share of a lease without renewal after which the handlers are stopped (DESIGN, Leases)."""
NO_TIMEOUT_S = 600.0
"""How long the loop may be silent when a handler without a timeout runs."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Whom the heartbeat tells, in the loop.

    assigned: what the store assigns to us; unregistered: our row is gone, so we were declared lost; lapsed, renewed: we
    cannot, and can again, renew the lease; outdated: the schema needs newer code than ours. `stats` and `stopping` are
    asked from the thread.
    """

    assigned: Callable[[list[HeldRun]], None]
    unregistered: Callable[[], None]
    lapsed: Callable[[], None]
    renewed: Callable[[], None]
    outdated: Callable[[SchemaError], None]
    stats: Callable[[], Mapping[str, Any]]
    stopping: Callable[[], bool]
    worker_id: Callable[[], int]


class Heartbeat(Service):
    """Renews the lease every third of it; marks long runs as started; watches the loop and its own success."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        findings: Findings,
        outage: Outage,
        on_failure: OnFailure,
        *,
        worker: str,
        lease_s: float,
        kill_grace_s: float,
    ) -> None:
        super().__init__("heartbeat", on_failure)
        self._store = store
        self._executor = executor
        self._findings = findings
        self._outage = outage
        self._worker = worker
        self._lease_s = lease_s
        self._kill_grace_s = kill_grace_s
        self._over = threading.Event()
        self._renewed_at = 0.0
        self.has_lapsed = False

    async def start(self) -> None:
        """Begin to beat. The worker has just been registered."""
        self._loop = asyncio.get_running_loop()
        self._renewed_at = time.monotonic()
        self._watch = LoopWatch(self._loop, threading.get_ident(), self._worker, self._loop_patience)
        self._thread = threading.Thread(target=self._live, name="penstock-heartbeat", daemon=True)
        self._thread.start()
        self.hold(self._watch_lease())

    async def stop(self) -> None:
        """End the thread; a beat under way is awaited for a short time."""
        self._over.set()
        await asyncio.to_thread(self._thread.join, 2.0)
        await super().stop()

    def _live(self) -> None:
        """The thread."""
        interval = self._lease_s / BEATS_PER_LEASE
        # The first at once: where connections are scarce, the lease has its own before work takes the others.
        next_beat = time.monotonic()
        try:
            while not self._over.wait(max(0.0, min(PING_S, next_beat - time.monotonic()))):
                self._watch.look()
                if time.monotonic() >= next_beat:
                    renewed = self._beat()
                    next_beat = time.monotonic() + jittered(interval if renewed else interval / 4)
        except Exception as error:  # noqa: BLE001 - a thread has no other way to tell its owner
            self._tell_failure(error)

    def _tell_failure(self, error: Exception) -> None:
        try:
            self._loop.call_soon_threadsafe(self._on_failure, self.name, error)
        except RuntimeError:
            logger.exception("the heartbeat ended with its loop closed", worker=self._worker)

    def _beat(self) -> bool:
        asked = time.monotonic()
        started = self._long_runs()
        now = self._store.clock.now()
        program = beat(
            self._findings.worker_id(), now, stopping=self._findings.stopping(), stats=self._findings.stats(),
            started=[(run.claimed.id, run.claimed.claim_id, run.started_at) for run in started],
        )  # fmt: skip
        try:
            found = self._store.run_sync(program, durable=False)
        except StoreUnavailable as error:
            self._outage.began(error)
            return False
        self._outage.over()
        for run in started:
            run.marked = run.claimed.id in found.marked
        if found.registered:
            self._renewed_at = asked
        self._loop.call_soon_threadsafe(self._found, found)
        self._recheck()
        return True

    def _recheck(self) -> None:
        """Look after the clock, and whether somebody migrated the database beyond this code."""
        try:
            self._store.recheck_sync()
        except SchemaError as error:
            self._loop.call_soon_threadsafe(self._findings.outdated, error)
        except StoreUnavailable as error:
            self._outage.began(error)

    def _long_runs(self) -> list[Any]:
        """Runs longer than one beat, not yet known to have started."""
        before = self._store.clock.now() - int(self._lease_s / BEATS_PER_LEASE * 1_000_000)
        # A copy in one step: the loop's thread changes the dict meanwhile.
        runs = list(self._executor.held.values())
        return [run for run in runs if run.entered and not run.marked and run.started_at <= before]

    def _found(self, found: Beat) -> None:
        """In the loop."""
        if self._over.is_set():
            return
        if not found.registered:
            self._findings.unregistered()
            return
        self._findings.assigned(found.held)

    async def _watch_lease(self) -> None:
        """In the loop: notice that the lease can no longer be relied on, also while a beat hangs."""
        while True:
            left = self._renewed_at + LAPSE * self._lease_s - time.monotonic()
            if left <= 0 and not self.has_lapsed:
                self.has_lapsed = True
                logger.warning("the lease cannot be renewed; its handlers are stopped", worker=self._worker)
                self._findings.lapsed()
            elif left > 0 and self.has_lapsed:
                self.has_lapsed = False
                logger.info("the lease is renewed", worker=self._worker)
                self._findings.renewed()
            await asyncio.sleep(max(left, self._lease_s / 20))

    def _loop_patience(self) -> float:
        """How long the loop may be silent: the longest timeout of what runs plus the grace, at least a lease."""
        timeouts = [run.timeout_s for run in list(self._executor.held.values())]
        if not timeouts or None in timeouts:
            return NO_TIMEOUT_S
        return max(self._lease_s, max(t for t in timeouts if t is not None) + self._kill_grace_s)
