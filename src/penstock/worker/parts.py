"""A worker's services, wired to each other."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Cancelled, Completed, Outcome, Released
from penstock.errors import SchemaError
from penstock.registry import Registry
from penstock.store.programs.workers import HeldRun, give_back
from penstock.worker.claims import Claims
from penstock.worker.completer import Completer
from penstock.worker.duties import standard_duties
from penstock.worker.engine import Engine
from penstock.worker.executor import Executor
from penstock.worker.fetcher import Backs, Fetcher
from penstock.worker.heartbeat import Findings, Heartbeat
from penstock.worker.leader import Leader
from penstock.worker.loading import DataLoader
from penstock.worker.logs import get_logger
from penstock.worker.maintenance import Duty, Maintenance
from penstock.worker.options import WorkerOptions
from penstock.worker.outage import Outage
from penstock.worker.progress import ProgressWriter
from penstock.worker.reconcile import STRAY_S, Reconciler, RunKey
from penstock.worker.redaction import Redactor
from penstock.worker.registration import Registration
from penstock.worker.run import Run, Stop
from penstock.worker.run_port import WorkerPort
from penstock.worker.service import OnFailure, Service
from penstock.worker.settling import settle_run
from penstock.worker.stats import Counts, QueueStats, WorkerStats
from penstock.worker.steps import StepDesk
from penstock.worker.streams import StreamDesk
from penstock.worker.usage import UsageSender

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What the parts are made of."""

    engine: Engine
    registry: Registry
    options: WorkerOptions
    duties: Sequence[Duty]


class Parts:
    """All services of one worker. Made in the loop that runs them, after the worker has signed on."""

    def __init__(
        self,
        plan: Blueprint,
        registration: Registration,
        on_failure: OnFailure,
        on_outdated: Callable[[SchemaError], None],
    ) -> None:
        engine, options = plan.engine, plan.options
        self._store = store = engine.store
        self._options = options
        self._registration = registration
        self._counts = {name: Counts() for name in options.queues}
        self._aging = {name: queue.aging_step for name, queue in options.queues.items()}
        self._on_outdated = on_outdated
        self.stopping = False
        outage = Outage(options.name)
        redactor = Redactor()
        self.progress = ProgressWriter(store, outage, on_failure)
        self.streams = StreamDesk(store, redactor, outage, on_failure)
        self.steps = StepDesk(store, plan.registry.steps, engine.settings.max_payload_bytes, outage, on_failure)
        port = WorkerPort(engine.producer, self.progress, self.steps, self.streams, redactor, options.name)
        loader = DataLoader(engine.keyring, redactor, port)
        self.executor = Executor(
            plan.registry, loader, store.clock, on_failure, timeouts=options.timeouts, threads=options.slots,
            max_result_bytes=engine.settings.max_payload_bytes, kill_grace_s=options.kill_grace_s,
        )  # fmt: skip
        self.fetcher = Fetcher(
            store,
            options.feeds(self._counts, engine.settings.poll_s, asyncio.get_running_loop().time()),
            self.executor,
            Backs(self._release, self._cancelled, self._may_claim),
            Claims(store, outage, plan.registry.kinds, engine.keyring.ids, lambda: registration.worker_id),
            engine.ledger.pressure,
            on_failure,
            prefetch=engine.settings.prefetch,
        )
        self.completer = Completer(
            store, options.name, self._counts, outage, on_failure,
            on_settled=self.fetcher.on_settled, on_room=self.fetcher.go_on,
            before=(self.progress.ahead_of, self.streams.ahead_of),
        )  # fmt: skip
        self.executor.on_end = self._on_end
        self.executor.on_free = self.fetcher.on_free
        self._reconciler = Reconciler(self._holds, min(STRAY_S, options.lease_s))
        self.heartbeat = Heartbeat(
            store, self.executor, self._findings(), outage, on_failure,
            worker=options.name, lease_s=options.lease_s, kill_grace_s=options.kill_grace_s,
        )  # fmt: skip
        self.leader = Leader(
            store, on_failure, worker=options.name, worker_id=lambda: registration.worker_id, lease_s=options.lease_s
        )
        self.maintenance = Maintenance(
            store, self.leader, (*standard_duties(engine.settings, engine.ledger.cost), *plan.duties), on_failure,
            worker=options.name, worker_id=lambda: registration.worker_id, lease_s=options.lease_s,
        )  # fmt: skip
        self.usage = UsageSender(store, engine.ledger, on_failure)

    @property
    def services(self) -> tuple[Service, ...]:
        """In the order in which they start."""
        return (
            self.executor, self.progress, self.streams, self.steps, self.completer, self.heartbeat, self.leader,
            self.maintenance, self.usage, self.fetcher,
        )  # fmt: skip

    def stats(self) -> WorkerStats:
        """What all of them have counted. From any thread."""
        queues = {
            name: QueueStats(feed.counts, self.executor.slots_taken(name), len(feed.buffer))
            for name, feed in self.fetcher.feeds.items()
        }
        return WorkerStats.of(queues, stubborn=len(self.executor.stubborn), unwritten=self.completer.unwritten)

    def _findings(self) -> Findings:
        return Findings(
            assigned=self._assigned,
            unregistered=self._unregistered,
            lapsed=self._lapsed,
            renewed=self.fetcher.look,
            outdated=self._on_outdated,
            stats=lambda: self.stats().as_row(),
            stopping=lambda: self.stopping,
            worker_id=lambda: self._registration.worker_id,
        )

    def _may_claim(self) -> bool:
        return self._registration.is_valid and not self.heartbeat.has_lapsed and not self.completer.is_full

    def _on_end(self, run: Run, outcome: Outcome | None) -> None:
        """A run has its outcome; None: its handler has ended the job itself."""
        claimed = run.claimed
        if run.job is not None and run.job.memory is not None and isinstance(outcome, Completed | None):
            _tell_of_unasked(run, run.job.memory.unasked)
        if run.job is not None and run.job.streams:
            self.streams.end(run.job)
        if outcome is None:
            counts = self._counts[claimed.queue]
            if run.job is not None and run.job.ended_failed:
                counts.failed += 1
            else:
                counts.completed += 1
            self.fetcher.on_settled((claimed.queue,))
            return
        own_delays = run.entry.spec.retries if run.entry is not None else {}
        end = settle_run(
            claimed, outcome, self._store.clock.now(), options=run.options, own_delays=own_delays,
            aging_step=self._aging[claimed.queue], started_at=run.started_at if run.entered else None, solo=run.solo,
        )  # fmt: skip
        self.completer.add(end)

    def _release(self, job: ClaimedJob, reason: str) -> None:
        self.completer.add(settle_run(job, Released(reason), self._store.clock.now()))

    def _cancelled(self, job: ClaimedJob, reason: str) -> None:
        self.completer.add(settle_run(job, Cancelled(reason), self._store.clock.now()))

    def _holds(self, job_id: str, claim_id: int) -> bool:
        run = self.executor.held.get(job_id)
        if run is not None and run.claimed.claim_id == claim_id:
            return True
        return self.completer.holds(job_id, claim_id) or self.fetcher.holds(job_id, claim_id)

    def _assigned(self, held: list[HeldRun]) -> None:
        for run in held:
            if run.cancel_requested:
                self.fetcher.cancel(run.job_id, "its cancel was requested")
        strays = self._reconciler.strays(held, asyncio.get_running_loop().time())
        if strays:
            self.heartbeat.hold(self._give_back(strays))

    async def _give_back(self, strays: frozenset[RunKey]) -> None:
        await self._store.run(
            give_back(self._registration.worker_id, self._options.name, self._store.clock.now(), strays)
        )

    def _unregistered(self) -> None:
        """Our row is gone: we were declared lost, and whatever we ran is others' by now."""
        if self._registration.is_valid:
            self._registration.void()
            self._lapsed()
            self.heartbeat.hold(self._sign_on_again())

    async def _sign_on_again(self) -> None:
        await self._registration.sign_on_again()
        self.fetcher.look()

    def _lapsed(self) -> None:
        """The lease is not ours any more: stop what runs, and keep nothing."""
        self.fetcher.drop_buffers("the worker lost its lease")
        self.executor.stop_all(Stop.LOST, "the worker lost its lease")


def _tell_of_unasked(run: Run, names: Sequence[str]) -> None:
    """Steps that earlier runs have stored and this one, which has ended its job, did not ask for: renamed, perhaps."""
    if names:
        claimed = run.claimed
        logger.warning(
            "stored steps were not asked for", steps=list(names), job_id=claimed.id, kind=claimed.kind,
            attempt=claimed.attempts_before + 1,
        )  # fmt: skip
