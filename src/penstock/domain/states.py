"""The states of a job, the status people see, and every legal transition with the one place that performs it."""

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """The engine's states. Who moves a job on is in `TRANSITIONS`."""

    BLOCKED = "blocked"
    SCHEDULED = "scheduled"
    READY = "ready"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobStatus(StrEnum):
    """The status for people outside the engine."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})
WAITING = frozenset({JobState.BLOCKED, JobState.SCHEDULED, JobState.READY})


def status_of(state: JobState) -> JobStatus:
    """The outside status of a state: the three waiting states are all `pending`."""
    return JobStatus.PENDING if state in WAITING else JobStatus(state.value)


class Way(StrEnum):
    """The names of all transitions. A settlement or a program names one of these; nobody assigns a state."""

    ENQUEUE_BLOCKED = "enqueue_blocked"
    ENQUEUE_SCHEDULED = "enqueue_scheduled"
    ENQUEUE_READY = "enqueue_ready"
    UNBLOCK = "unblock"
    UNBLOCK_LATER = "unblock_later"
    UNMET = "unmet"
    FALL_DUE = "fall_due"
    SIGNAL = "signal"
    BUDGET = "budget"
    RESCHEDULE = "reschedule"
    DEBOUNCE = "debounce"
    CLAIM = "claim"
    PARK = "park"
    UNPARK = "unpark"
    COMPLETE = "complete"
    FAIL = "fail"
    RETRY_LATER = "retry_later"
    RETRY_NOW = "retry_now"
    SNOOZE = "snooze"
    RELEASE = "release"
    STOP = "stop"
    CANCEL = "cancel"
    EXPIRE = "expire"
    REVIVE = "revive"
    REVIVE_BLOCKED = "revive_blocked"


@dataclass(frozen=True, slots=True)
class Transition:
    """One legal change of state. `source` None means the job does not exist yet."""

    way: Way
    source: JobState | None
    target: JobState
    place: str
    why: str


def _ways(way: Way, sources: tuple[JobState | None, ...], target: JobState, place: str, why: str) -> list[Transition]:
    return [Transition(way, source, target, place, why) for source in sources]


_B, _S, _R, _X = JobState.BLOCKED, JobState.SCHEDULED, JobState.READY, JobState.RUNNING
_OK, _BAD, _OFF = JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED

TRANSITIONS: tuple[Transition, ...] = tuple(
    _ways(Way.ENQUEUE_BLOCKED, (None,), _B, "programs.enqueue", "it comes after others, and may not start yet")
    + _ways(Way.ENQUEUE_SCHEDULED, (None,), _S, "programs.enqueue", "its time has not come")
    + _ways(Way.ENQUEUE_READY, (None,), _R, "programs.enqueue", "nothing to wait for")
    + _ways(Way.UNBLOCK, (_B,), _R, "programs.flow", "the last job it waited for ended and its condition holds")
    + _ways(Way.UNBLOCK_LATER, (_B,), _S, "programs.flow", "its condition holds, its time has not come")
    + _ways(Way.UNMET, (_B,), _OFF, "programs.flow", "its condition can no longer be met")
    + _ways(Way.FALL_DUE, (_S,), _R, "programs.claim", "its time has come")
    + _ways(Way.SIGNAL, (_S,), _R, "programs.steps", "the signal that its handler waits for was sent")
    + _ways(Way.BUDGET, (_S,), _R, "programs.budgets", "the budget that held its model call was changed")
    + _ways(Way.RESCHEDULE, (_S, _R), _S, "programs.change", "a person moved it")
    + _ways(Way.RESCHEDULE, (_S,), _R, "programs.change", "a person moved it to now")
    + _ways(Way.DEBOUNCE, (_S, _R), _S, "programs.unique", "a later enqueue of its key replaced its data and time")
    + _ways(Way.DEBOUNCE, (_S,), _R, "programs.unique", "as above, for at once")
    + _ways(Way.CLAIM, (_R,), _X, "programs.claim", "a worker takes it")
    + _ways(Way.PARK, (_X,), _S, "programs.claim", "its concurrency key is full")
    + _ways(Way.UNPARK, (_S,), _R, "programs.claim", "its concurrency key has room again")
    + _ways(Way.COMPLETE, (_X,), _OK, "programs.settle", "the handler returned")
    + _ways(Way.FAIL, (_X,), _BAD, "programs.settle", "permanent, or no attempt left")
    + _ways(Way.RETRY_LATER, (_X,), _S, "programs.settle", "failed, timed out or lost; an attempt is left")
    + _ways(Way.RETRY_NOW, (_X,), _R, "programs.settle", "as above, without delay")
    + _ways(Way.SNOOZE, (_X,), _S, "programs.settle", "the handler asked for later; no attempt is spent")
    + _ways(Way.RELEASE, (_X,), _R, "programs.settle", "the worker stops, or never started it; no attempt is spent")
    + _ways(Way.STOP, (_X,), _OFF, "programs.settle", "cancelled by its handler, or by request once the run ended")
    + _ways(Way.CANCEL, (_B, _S, _R), _OFF, "programs.cancel", "cancelled while waiting")
    + _ways(Way.EXPIRE, (_B, _S, _R), _BAD, "programs.cancel", "its deadline passed while it waited")
    + _ways(Way.REVIVE, (_OK, _BAD, _OFF), _R, "programs.retry", "a person retries it, or its flow")
    + _ways(Way.REVIVE_BLOCKED, (_OK, _BAD, _OFF), _B, "programs.retry", "a job before it runs again")
)

LEGAL = frozenset((t.source, t.target) for t in TRANSITIONS)
