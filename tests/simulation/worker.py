"""A worker: it claims, runs and beats, and has written how runs ended; its lines interleave."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from penstock import codec
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Cancelled, Completed, ErrorRecord, Failed, Outcome, Released
from penstock.domain.states import JobState
from penstock.errors import PenstockError, StoreUnavailable
from penstock.worker.heartbeat import BEATS_PER_LEASE, LAPSE
from penstock.worker.reconcile import Reconciler
from penstock.worker.settling import settle_run
from tests.conformance.machine_inputs import at
from tests.conformance.model_ground import AGING, SECOND, Run
from tests.simulation import steps, worker_steps
from tests.simulation.handlers import Handlers
from tests.simulation.oracle import Ending, run_of
from tests.simulation.scheduler import Asking, Life, Process, Scheduler
from tests.simulation.world import World
from tests.simulation.writer import Writer

R = TypeVar("R")
LEASE_S = 10.0
_PREFETCHED = (0.0, 0.0, 0.0, 1.0, 6.0)
_DURATIONS = (0.0, 0.5, 0.5, 2.0, 4.0, 14.0)


@dataclass(slots=True, eq=False)
class Held:
    """A claimed job in this process. `stop`: why it should end: `cancel` or `lost`."""

    job: ClaimedJob
    solo: bool
    started: int | None = None
    marked: bool = False
    stop: str | None = None

    @property
    def run(self) -> Run:
        """As the model knows it."""
        return run_of(self.job)

    def ending(self, outcome: Outcome, now: int) -> Ending:
        """What is to be written when the run came to this at `now`."""
        options = codec.loads(self.job.options) if self.job.options else {}
        row = settle_run(
            self.job, outcome, now, options=options, aging_step=AGING[self.job.queue], started_at=self.started,
            solo=self.solo,
        )  # fmt: skip
        return Ending(self.run, outcome, self.started, now, row)


@dataclass(slots=True)
class Memory:
    """What a worker process knows; it dies with it."""

    number: int = 0
    is_valid: bool = False
    renewed_at: int = 0
    held: dict[Run, Held] = field(default_factory=dict)
    claiming: set[int] = field(default_factory=set)


class Worker(Process):
    """One process. `handlers` are what the jobs do."""

    def __init__(self, world: World, scheduler: Scheduler, name: str, handlers: Handlers, speed: float = 1.0) -> None:
        super().__init__(world, name, speed)
        self.is_calm = False
        self.memory = Memory()
        self._scheduler = scheduler
        self._handlers = handlers
        self._writer = Writer(self, scheduler)
        self._reconciler = Reconciler(self._holds)

    def start(self, after_s: float = 0.0) -> None:
        """Begin to work after so many seconds."""
        self._scheduler.spawn(self, self._fetch(), after_s)
        self._scheduler.spawn(self, self._beat(), after_s)

    def patiently(self, make: Callable[[int], steps.Step[R]]) -> Asking[R]:
        """Ask until there is an answer."""
        while True:
            try:
                return (yield from self.ask(make))
            except StoreUnavailable:
                yield 0.5

    def sign_on(self) -> Life:
        """Register, perhaps anew."""
        memory = self.memory
        lease = int(LEASE_S * SECOND)
        memory.number = yield from self.patiently(lambda now: worker_steps.signing_on(self.name, lease, now))
        memory.renewed_at, memory.is_valid = self.world.time, True

    def _holds(self, job_id: str, claim_id: int) -> bool:
        run, memory = Run(job_id, claim_id), self.memory
        return run in memory.held or run in self._writer.runs or claim_id in memory.claiming

    def sign_off(self) -> Life:
        """Stop: nothing more is begun, what it held goes back, and it is forgotten."""
        number = self.memory.number
        held = [
            job for job in self.world.oracle.jobs.values() if job.state is JobState.RUNNING and job.worker == number
        ]
        only = {(job.id, job.claim or 0) for job in held}
        yield from self.patiently(lambda now: worker_steps.giving_back(number, self.name, only, now))
        yield from self.patiently(lambda now: worker_steps.signing_off(number, now))
        self.world.seen["signed off"] += 1

    @property
    def is_overtaken(self) -> bool:
        """Whether a job that this worker believes to hold runs under another claim."""
        jobs = self.world.oracle.jobs
        believed = (*self.memory.held, *self._writer.runs)
        return any(run.job in jobs and jobs[run.job].claim not in (None, run.claim) for run in believed)

    # Claiming.

    def _fetch(self) -> Life:
        rng, memory = self.world.rng, self.memory
        yield from self.sign_on()
        while True:
            lapsed = self.world.time - memory.renewed_at > LAPSE * LEASE_S * SECOND
            if not memory.is_valid or lapsed or len(memory.held) >= 6:
                yield 1.0
                continue
            try:
                if self._is_due() or rng.random() < 0.05:
                    yield from self.ask(steps.falling_due)
                queue = self._told_of_work()
                if queue is not None:
                    yield from self._claim(queue)
            except StoreUnavailable:
                yield rng.uniform(0.1, 1)
                continue
            yield rng.uniform(0.1, 1.0 if self.is_calm else 3.0)

    def _is_due(self) -> bool:
        """What a fetcher remembers: when the next job is due."""
        now = self.world.time
        scheduled = (job for job in self.world.oracle.jobs.values() if job.state is JobState.SCHEDULED)
        return any(job.due is not None and job.due <= now for job in scheduled)

    def _told_of_work(self) -> str | None:
        """The queue that a wake-up names; seldom one that polling chooses, most of the time none when none has work."""
        rng = self.world.rng
        ready = sorted({job.queue for job in self.world.oracle.jobs.values() if job.state is JobState.READY})
        return rng.choice(ready or tuple(AGING)) if ready or rng.random() < 0.05 else None

    def _claim(self, queue: str) -> Life:
        """Take jobs of a queue and begin to run them."""
        rng, memory = self.world.rng, self.memory
        claim_id = self.world.number()
        solo = not memory.held and rng.random() < 0.3
        limit = 1 if solo else rng.randint(1, 5)
        memory.claiming.add(claim_id)
        try:
            claimed = yield from self.ask(
                lambda now: steps.claiming(queue, limit, claim_id, memory.number, now, solo=solo)
            )
            jobs, stopped = claimed.jobs, claimed.stopped
            if claimed.unadmitted:
                yield rng.choice((0.0, 0.0, 2.0))
                jobs, stopped = yield from self.ask(lambda now: steps.admitting(claim_id, claimed.jobs, now))
        finally:
            memory.claiming.discard(claim_id)
        for job in (*jobs, *stopped):
            held = Held(job, solo, stop="cancel" if job in stopped else None)
            memory.held[held.run] = held
            self._scheduler.spawn(self, self._live(held))
        if solo and jobs:
            self.world.seen["claimed alone"] += 1

    # Running.

    def _live(self, held: Held) -> Life:
        rng = self.world.rng
        yield 0.0 if self.is_calm else rng.choice(_PREFETCHED)
        outcome: Outcome | None = Released("never started")
        if held.stop is None:
            held.started = self.world.tick()
            yield rng.choice(_DURATIONS[:4] if self.is_calm else _DURATIONS)
            try:
                outcome = yield from self._handlers.run(self, held)
            except (StoreUnavailable, PenstockError) as error:
                outcome = Failed(ErrorRecord(type(error).__name__, str(error)))
        if held.stop == "cancel":
            outcome = outcome and Cancelled("as asked")
        elif held.stop == "lost" and not isinstance(outcome, Completed):
            outcome = outcome and Released("the lease was lost")
        del self.memory.held[held.run]
        if outcome is not None:
            now = self.world.tick()
            self._writer.add(held.ending(at(outcome, now, self.world.number() % 500), now))

    # Beating.

    def _beat(self) -> Life:
        world, memory = self.world, self.memory
        while True:
            yield LEASE_S / BEATS_PER_LEASE * world.rng.uniform(0.9, 1.1)
            if not memory.is_valid:
                continue
            asked = world.time
            begun = [held for held in memory.held.values() if held.started is not None and not held.marked]
            long_runs = [held for held in begun if (held.started or 0) <= asked - LEASE_S / BEATS_PER_LEASE * SECOND]
            try:
                runs = [held.run for held in long_runs]
                found = yield from self.ask(partial(worker_steps.beating, memory.number, runs))
                for held in long_runs:
                    held.marked = True
                if not found.registered:
                    yield from self._be_lost()
                    continue
                memory.renewed_at = asked
                self._heed([Run(run.job_id, run.claim_id) for run in found.held if run.cancel_requested])
                strays = self._reconciler.strays(found.held, world.time / SECOND)
                if strays:
                    world.note(self.name, "strays given back")
                    yield from self.ask(partial(worker_steps.giving_back, memory.number, self.name, strays))
            except StoreUnavailable:
                continue

    def _heed(self, runs: list[Run]) -> None:
        for run in runs:
            if run in self.memory.held:
                self.memory.held[run].stop = self.memory.held[run].stop or "cancel"

    def _be_lost(self) -> Life:
        """Somebody declared this worker lost: what it runs is others' by now, and some of that goes on regardless."""
        self.world.note(self.name, "found itself lost")
        self.memory.is_valid = False
        for held in self.memory.held.values():
            if self.world.rng.random() < 0.5:
                held.stop = held.stop or "lost"
        yield from self.sign_on()
