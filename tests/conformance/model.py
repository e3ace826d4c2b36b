"""A simple model of the engine: what must be true of jobs and flows after each operation, in plain Python.

It knows the rules and nothing of tables, batches, counters or locks. Times µs.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from penstock.domain.flows import FlowCounts, FlowStatus, Verdict, When, judge
from penstock.domain.outcomes import MAX_LOSSES, SOLO_AFTER
from penstock.domain.states import FINAL, WAITING, JobState

RETRY_US = 3_000_000
"""The fixed delay of all jobs of the machine."""


@dataclass(slots=True)
class ModelJob:
    """A job. `claim`: its current claim; `cause`: the parent because of which it can never start."""

    id: str
    parents: tuple[str, ...] = ()
    when: When = When.ALL_COMPLETED
    flow: str | None = None
    key: str | None = None
    ckey: str | None = None
    climit: int = 1
    max_attempts: int = 2
    state: JobState = JobState.READY
    due: int | None = None
    deadline: int | None = None
    attempt: int = 0
    losses: int = 0
    solo: bool = False
    claim: int | None = None
    worker: int | None = None
    started: bool = False
    cancel_requested: bool = False
    unmet: bool = False
    cause: str | None = None

    @property
    def final(self) -> bool:
        """Whether it has ended."""
        return self.state in FINAL

    @property
    def parked(self) -> bool:
        """Whether its concurrency key holds it back."""
        return self.state is JobState.SCHEDULED and self.due is None


@dataclass(slots=True)
class Model:
    """All jobs and flows."""

    jobs: dict[str, ModelJob] = field(default_factory=dict)
    flows: set[str] = field(default_factory=set)
    ended_flows: set[str] = field(default_factory=set)
    paused: bool = False

    def counts(self, flow: str) -> FlowCounts:
        """A flow's counts, counted."""
        states = [job.state for job in self.jobs.values() if job.flow == flow]
        ended = [states.count(state) for state in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)]
        return FlowCounts(len(states), len(states) - sum(ended), *ended)

    def standing(self, parent: str) -> tuple[bool, bool]:
        """Whether a job or flow is open, and whether it completed."""
        if parent in self.flows:
            status = self.counts(parent).status()
            return status is FlowStatus.RUNNING, status is FlowStatus.COMPLETED
        state = self.jobs[parent].state
        return state not in FINAL, state is JobState.COMPLETED

    def tally(self, job: ModelJob) -> tuple[int, int, int]:
        """(open, completed, ended otherwise) parents."""
        standings = [self.standing(parent) for parent in set(job.parents)]
        open_, completed = sum(s[0] for s in standings), sum(s[1] for s in standings)
        return open_, completed, len(standings) - open_ - completed

    def holder(self, key: str | None) -> ModelJob | None:
        """The live job that holds a unique key."""
        return next((job for job in self.jobs.values() if key and job.key == key and not job.final), None)

    def running(self, ckey: str) -> int:
        """How many run under a concurrency key."""
        return sum(job.ckey == ckey and job.state is JobState.RUNNING for job in self.jobs.values())

    def shared_flow(self, parents: Iterable[str]) -> str | None:
        """The flow that all these parents are in."""
        flows = {self.jobs[p].flow if p in self.jobs else None for p in parents}
        return flows.pop() if len(flows) == 1 else None

    def add(self, jobs: Iterable[ModelJob], now: int) -> None:
        """These were enqueued in one transaction; those that can never start end once all are there."""
        dead: list[ModelJob] = []
        for job in jobs:
            self.jobs[job.id] = job
            verdict = judge(job.when, *self.tally(job)) if job.parents else Verdict.START
            if verdict is Verdict.START:
                self._start(job, now)
            else:
                job.state = JobState.BLOCKED
            if verdict is Verdict.UNMET:
                dead.append(job)
        self.end([self._dead(job) for job in dead], now)

    def end(self, ended: list[ModelJob], now: int) -> None:
        """These jobs (already in a final state) have ended: settle what follows."""
        front = {job.id for job in ended}
        while front:
            touched = [job for job in self.jobs.values() if not front.isdisjoint(job.parents)]
            front = set()
            for child in touched:
                if child.state is JobState.BLOCKED and self._judge(child, now):
                    front.add(child.id)
            if not front:
                front = {flow for flow in self.flows - self.ended_flows if self._has_ended(flow)}
                self.ended_flows |= front

    def _has_ended(self, flow: str) -> bool:
        counts = self.counts(flow)
        return bool(counts.total) and not counts.open

    def _judge(self, child: ModelJob, now: int) -> bool:
        """Start a blocked child or let it die; whether it died."""
        match judge(child.when, *self.tally(child)):
            case Verdict.START:
                self._start(child, now)
            case Verdict.UNMET:
                self._dead(child)
                return True
            case Verdict.WAIT:
                pass
        return False

    def _dead(self, job: ModelJob) -> ModelJob:
        job.state, job.unmet, job.due = JobState.CANCELLED, True, None
        return job

    def _start(self, job: ModelJob, now: int) -> None:
        if job.due is not None and job.due > now:
            job.state = JobState.SCHEDULED
        else:
            job.state, job.due = JobState.READY, None

    def finish(self, job: ModelJob, state: JobState, now: int, *, due: int | None = None) -> None:
        """A run ends with this state; a requested cancel comes first."""
        if job.cancel_requested:
            state, due = JobState.CANCELLED, None
        job.claim, job.worker, job.started = None, None, False
        job.state, job.due = state, due
        if state in FINAL:
            self.end([job], now)

    def fail(self, job: ModelJob, now: int, *, permanent: bool) -> None:
        """A counted run failed."""
        job.attempt += 1
        late = job.deadline is not None and now + RETRY_US >= job.deadline
        if permanent or job.attempt >= job.max_attempts or late:
            self.finish(job, JobState.FAILED, now)
        else:
            self.finish(job, JobState.SCHEDULED, now, due=now + RETRY_US)
            job.solo = job.solo or job.losses >= SOLO_AFTER

    def lose(self, job: ModelJob, now: int) -> None:
        """Its worker was lost."""
        job.losses += 1
        if job.started:
            permanent = job.losses >= MAX_LOSSES
            self.fail(job, now, permanent=permanent)
        elif job.losses >= MAX_LOSSES:
            self.finish(job, JobState.FAILED, now)
        else:
            self.finish(job, JobState.READY, now)
            job.solo = job.solo or job.losses >= SOLO_AFTER

    def cancel(self, ids: Iterable[str], now: int) -> None:
        """Cancel these jobs."""
        ended = []
        for job in (self.jobs[id_] for id_ in ids):
            if job.state in WAITING:
                job.state, job.due, job.unmet = JobState.CANCELLED, None, False
                ended.append(job)
            elif job.state is JobState.RUNNING:
                job.cancel_requested = True
        self.end(ended, now)

    def expire(self, now: int) -> None:
        """Fail waiting jobs past their deadline."""
        late = [
            job for job in self.jobs.values()
            if job.state in WAITING and job.deadline is not None and job.deadline <= now
        ]  # fmt: skip
        for job in late:
            job.state, job.due = JobState.FAILED, None
        self.end(late, now)

    def fall_due(self, now: int) -> None:
        """Let scheduled jobs be ready."""
        for job in self.jobs.values():
            if job.state is JobState.SCHEDULED and job.due is not None and job.due <= now:
                job.state, job.due = JobState.READY, None

    def cancelled_below(self, roots: set[str]) -> set[str]:
        """These jobs and all that were cancelled because of them, also by way of flows that ended with them."""
        causes, reached = set(roots), set(roots)
        while True:
            causes |= {self.jobs[id_].flow or "" for id_ in reached if self.jobs[id_].flow in self.ended_flows}
            more = {job.id for job in self.jobs.values() if job.unmet and job.final and job.cause in causes} - reached
            if not more:
                return reached
            reached |= more
            causes |= more

    def failed_part(self, flow: str) -> set[str]:
        """What a retry of this flow brings back in it: failed jobs and their descendants, but those cancelled by hand."""
        members = {job.id: job for job in self.jobs.values() if job.flow == flow and job.final}
        reached = {id_ for id_, job in members.items() if job.state is JobState.FAILED}
        while more := {i for i, job in members.items() if not reached.isdisjoint(job.parents)} - reached:
            reached |= more
        return {i for i in reached if members[i].state is not JobState.CANCELLED or members[i].unmet}

    def revive(self, ids: set[str]) -> None:
        """Bring ended jobs back."""
        coming = [self.jobs[id_] for id_ in ids]
        for job in coming:
            job.state, job.due, job.deadline, job.cancel_requested = JobState.READY, None, None, False
            job.attempt, job.losses, job.unmet, job.cause = 0, 0, False, None
        self.ended_flows -= {job.flow or "" for job in coming}
        for job in coming:
            tally = self.tally(job) if job.parents else (0, 0, 0)
            if tally[0] and judge(job.when, *tally) is not Verdict.START:
                job.state = JobState.BLOCKED
