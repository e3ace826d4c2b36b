"""The ground of the model: jobs, flows and keys as plain values, how parents stand, and what follows from an end."""

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from penstock.domain.flows import When
from penstock.domain.order import STRICT_STEP
from penstock.domain.states import FINAL, LEGAL, JobState

T = TypeVar("T")
SECOND = 1_000_000
DAY = 86_400 * SECOND
AGING: dict[str, int | None] = {"strict": None, "aged": 10 * SECOND}
"""The two queues, and what waiting is worth a level in each."""
KEPT = {
    "strict": {JobState.COMPLETED: 60 * SECOND, JobState.FAILED: 120 * SECOND, JobState.CANCELLED: 60 * SECOND},
    "aged": {JobState.COMPLETED: 10 * SECOND, JobState.CANCELLED: 30 * SECOND},
}
"""How long each queue keeps its ended jobs; a state that is not named is kept for ever."""
ENDING_QUEUE = "aged"
MOST_LOSSES = 10
LOSSES_BEFORE_SOLO = 2


class Refused(Exception):
    """The program should raise one of these errors, and change nothing."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.names = names


@dataclass(slots=True)
class ModelJob:
    """A job. Times µs; `ready_at` is its place in its queue before its level counts; `culprit`: why it never started,

    "?" until the store has named one.
    """

    id: str
    queue: str
    kind: str
    tenant: str | None
    state: JobState
    level: int
    max_attempts: int
    created_at: int
    ready_at: int
    due: int | None = None
    retry_s: float = 0
    deadline: int | None = None
    after: tuple[str, ...] = ()
    when: When = When.ALL_COMPLETED
    flow: str | None = None
    unique: str | None = None
    ckey: str | None = None
    climit: int | None = None
    attempt: int = 0
    losses: int = 0
    solo: bool = False
    claim: int | None = None
    worker: int | None = None
    started: int | None = None
    stop_asked: bool = False
    culprit: str | None = None
    finished: int | None = None

    @property
    def position(self) -> int:
        """Its place among the ready jobs of its queue."""
        return self.ready_at - self.level * (AGING[self.queue] or STRICT_STEP)

    @property
    def parked(self) -> bool:
        """Whether it waits for room in its concurrency key."""
        return self.state is JobState.SCHEDULED and self.due is None

    def go(self, state: JobState) -> None:
        """Change the state; only as the domain allows."""
        assert (self.state, state) in LEGAL, f"{self.id}: {self.state} -> {state}"
        self.state = state

    def wait(self, now: int) -> None:
        """Be ready, or scheduled when its time has not come."""
        if self.due is not None and self.due > now:
            self.go(JobState.SCHEDULED)
            self.ready_at = self.due
        else:
            self.go(JobState.READY)
            self.due, self.ready_at = None, now


@dataclass(slots=True)
class ModelFlow:
    """A flow; `gone`: how its pruned jobs had ended."""

    id: str
    round: int = 1
    finished: int | None = None
    gone: Counter[JobState] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Key:
    """Who holds a unique key, and until when (µs)."""

    job: str
    scope: str
    expires: int | None


@dataclass(frozen=True, slots=True)
class Run:
    """A claim of a job, current or lost."""

    job: str
    claim: int


class Ground:
    """All there is. `now` is set before each step; `tie` says which of two jobs of one place the store took first."""

    def __init__(self) -> None:
        self.now = 0
        self.jobs: dict[str, ModelJob] = {}
        self.flows: dict[str, ModelFlow] = {}
        self.keys: dict[str, Key] = {}
        self.paused: set[str] = set()
        self.endings: list[str] = []
        self.tie: Callable[[str], int] = lambda _: 0

    def trying(self, change: Callable[[], T]) -> T:
        """Make a change that may be refused: then nothing of it stays."""
        jobs = {id_: copy.copy(job) for id_, job in self.jobs.items()}
        flows = {id_: copy.copy(flow) for id_, flow in self.flows.items()}
        keys, endings = dict(self.keys), list(self.endings)
        try:
            return change()
        except Refused:
            self.jobs, self.flows, self.keys, self.endings = jobs, flows, keys, endings
            raise

    # Standing: what follows from how parents stand.

    def standing(self, node: str) -> str:
        """How a job or flow stands for those after it: open, ok or bad. What was pruned counts as completed."""
        if node in self.jobs:
            state = self.jobs[node].state
            return "open" if state not in FINAL else "ok" if state is JobState.COMPLETED else "bad"
        if node in self.flows:
            counts = self.counts(node)
            if self.flows[node].finished is None:
                return "open"
            return "bad" if counts[JobState.FAILED] or counts[JobState.CANCELLED] else "ok"
        return "ok"

    def parents(self, job: ModelJob) -> Counter[str]:
        """How many of its parents stand how."""
        return Counter(self.standing(parent) for parent in job.after)

    def fate(self, job: ModelJob) -> str:
        """Whether it may start: wait, start or never."""
        count = self.parents(job)
        if job.when is When.ALL_COMPLETED and count["bad"]:
            return "never"
        if job.when is When.ANY_COMPLETED and count["ok"]:
            return "start"
        if count["open"]:
            return "wait"
        return "never" if job.when is When.ANY_COMPLETED else "start"

    def members(self, flow: str) -> list[ModelJob]:
        """The jobs of a flow."""
        return [job for job in self.jobs.values() if job.flow == flow]

    def counts(self, flow: str) -> Counter[JobState]:
        """The states of all jobs a flow ever had."""
        return Counter(job.state for job in self.members(flow)) + self.flows[flow].gone

    def children(self, node: str) -> list[ModelJob]:
        """The jobs after a job or flow."""
        return [job for job in self.jobs.values() if node in job.after]

    # Ends, and what follows from them.

    def _end(self, job: ModelJob, state: JobState, *, unfinished: bool) -> None:
        job.go(state)
        job.finished, job.due = self.now, None
        if unfinished and job.kind == "fragile":
            self.endings.append(job.id)

    def _follow(self, moved: Iterable[ModelJob]) -> None:
        """What follows from jobs that ended or left their run: all of them have their new state already."""
        moved = list(moved)
        nodes = [job.id for job in moved if job.state in FINAL]
        while nodes:
            node = nodes.pop(0)
            if node in self.jobs:
                nodes += self._leave(self.jobs[node])
            for child in self.children(node):
                if child.state is JobState.BLOCKED:
                    nodes += self._judge(child)
        self._unpark({job.ckey for job in moved if job.ckey is not None})

    def _leave(self, job: ModelJob) -> list[str]:
        """Free the key of an ended job; its flow's id when that has ended with it."""
        held = self.keys.get(job.unique or "")
        if held is not None and held.job == job.id and held.scope == "active":
            del self.keys[job.unique or ""]
        flow = self.flows.get(job.flow or "")
        if flow is None or flow.finished is not None or any(m.state not in FINAL for m in self.members(flow.id)):
            return []
        flow.finished = self.now
        return [flow.id]

    def _judge(self, child: ModelJob) -> list[str]:
        """Let a blocked job start or end when it is time; its id when it ended."""
        match self.fate(child):
            case "start":
                child.wait(self.now)
            case "never":
                self._end(child, JobState.CANCELLED, unfinished=True)
                child.culprit = "?"
                return [child.id]
        return []

    def _running(self, ckey: str) -> int:
        return sum(job.ckey == ckey and job.state is JobState.RUNNING for job in self.jobs.values())

    def _unpark(self, ckeys: Iterable[str]) -> None:
        for ckey in ckeys:
            running = self._running(ckey)
            parked = [job for job in self.jobs.values() if job.ckey == ckey and job.parked]
            for turn, job in enumerate(sorted(parked, key=lambda j: (j.position, self.tie(j.id))), 1):
                if running + turn <= (job.climit or 0):
                    job.go(JobState.READY)

    def unpark_all(self) -> None:
        """See `_unpark`."""
        self._unpark({job.ckey for job in self.jobs.values() if job.parked and job.ckey})
