"""What became of a run (outcome), and the pure decision what becomes of its job (settlement)."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, assert_never

from penstock.domain.order import position
from penstock.domain.retry import OwnDelay, RetryPolicy, bounded, next_delay
from penstock.domain.states import JobState, Way

MAX_LOSSES = 10
"""Runs lost with unknown start before a job fails (DESIGN, claims and attempts)."""
SOLO_AFTER = 2
"""Losses after which a job is claimed alone, so that a poison job does not spend its neighbours' attempts."""


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """One entry of a job's error history. `error_class` is the exception's name, `traceback` may be empty."""

    error_class: str
    message: str
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Completed:
    """The handler returned; `result` is JSON or None."""

    result: bytes | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The handler raised. `after_s` overrides the policy's delay; `permanent` ends the job at once."""

    error: ErrorRecord
    permanent: bool = False
    after_s: float | None = None
    by_handler: bool = True


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The run was stopped at its timeout (seconds)."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The handler asked to run again at `until` (µs)."""

    until: int
    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The run ended as cancelled: asked for by a person (`by_handler` False) or by the handler itself."""

    reason: str
    by_handler: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The worker gives the job back without a spent attempt."""

    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker holding it is gone. `started`: the run is known to have begun, so it counts as an attempt."""

    worker: str
    started: bool


Outcome = Completed | Failed | TimedOut | Snoozed | Cancelled | Released | Lost


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the decision needs to know of the job whose run ended. Times µs."""

    level: int
    attempts_before: int
    losses_before: int
    max_attempts: int
    retry: RetryPolicy
    aging_step: int | None = None
    deadline: int | None = None
    position: int = 0
    own_delays: Mapping[str, OwnDelay] = field(default_factory=dict)


class Settlement(NamedTuple):
    """How a run's job goes on. `attempt` and `losses` are the new counts; `due_at` is set for `scheduled`.

    `solo`: the job is claimed alone from now on. `unfinished`: it ended without its handler finishing. A tuple, because
    every run makes one and a frozen dataclass takes four times as long to make.
    """

    way: Way
    state: JobState
    attempt: int
    losses: int
    position: int = 0
    due_at: int | None = None
    reason: str | None = None
    result: bytes | None = None
    error: ErrorRecord | None = None
    solo: bool = False
    unfinished: bool = False


def completed(attempts_before: int, losses_before: int, result: bytes | None) -> Settlement:
    """The settlement of a run whose handler returned."""
    settlement = _completed(attempts_before, losses_before)
    return settlement if result is None else settlement._replace(result=result)


@lru_cache(maxsize=256)
def _completed(attempts_before: int, losses_before: int) -> Settlement:
    return Settlement(Way.COMPLETE, JobState.COMPLETED, attempts_before + 1, losses_before)


def decide(outcome: Outcome, run: RunFacts, now: int, rng: random.Random) -> Settlement:
    """The settlement of a run that ended with `outcome` at `now` (µs). Pure but for `rng`, which draws the jitter."""
    attempt, losses = run.attempts_before, run.losses_before
    match outcome:
        case Completed(result):
            return completed(attempt, losses, result)
        case Snoozed(until, reason):
            due = max(until, now)
            return Settlement(Way.SNOOZE, JobState.SCHEDULED, attempt, losses, due_at=due, reason=reason)
        case Cancelled(reason, by_handler):
            return Settlement(Way.STOP, JobState.CANCELLED, attempt, losses, reason=reason, unfinished=not by_handler)
        case Released(reason):
            # It keeps its place: giving back is the worker's business, not the job's.
            return Settlement(Way.RELEASE, JobState.READY, attempt, losses, position=run.position, reason=reason)
        case Failed():
            return _failed(outcome, run, now, rng)
        case TimedOut(timeout_s):
            error = ErrorRecord("TimeoutError", f"stopped after its timeout of {timeout_s:g} s")
            return _failed(Failed(error, by_handler=False), run, now, rng)
        case Lost(worker, started):
            return _lost(worker, started, run, now, rng)
    assert_never(outcome)


def _failed(outcome: Failed, run: RunFacts, now: int, rng: random.Random) -> Settlement:
    attempt = run.attempts_before + 1
    if outcome.permanent or attempt >= run.max_attempts:
        return _fail(outcome.error, attempt, run.losses_before, unfinished=not outcome.by_handler)
    return _again(outcome, run, attempt, run.losses_before, now, rng)


def _fail(error: ErrorRecord, attempt: int, losses: int, *, unfinished: bool) -> Settlement:
    return Settlement(
        Way.FAIL, JobState.FAILED, attempt, losses, reason=error.message, error=error, unfinished=unfinished
    )


def _again(outcome: Failed, run: RunFacts, attempt: int, losses: int, now: int, rng: random.Random) -> Settlement:
    error = outcome.error
    if outcome.after_s is None:
        delay_s = next_delay(run.retry, attempt, error.error_class, rng, run.own_delays)
    else:
        delay_s = bounded(outcome.after_s)
    due = now + int(delay_s * 1_000_000)
    if run.deadline is not None and due >= run.deadline:
        late = ErrorRecord(error.error_class, f"{error.message} (no retry: its deadline comes first)", error.traceback)
        return _fail(late, attempt, losses, unfinished=not outcome.by_handler)
    solo = losses >= SOLO_AFTER
    if due <= now:
        place = position(now, run.level, run.aging_step)
        return Settlement(Way.RETRY_NOW, JobState.READY, attempt, losses, place, reason="retry", error=error, solo=solo)
    return Settlement(
        Way.RETRY_LATER, JobState.SCHEDULED, attempt, losses, due_at=due, reason="retry", error=error, solo=solo
    )


def _lost(worker: str, started: bool, run: RunFacts, now: int, rng: random.Random) -> Settlement:
    losses = run.losses_before + 1
    attempt = run.attempts_before + (1 if started else 0)
    error = ErrorRecord("WorkerLost", f"worker {worker} was lost while it held this job (loss {losses})")
    # A run known to have begun is bounded as an attempt, one of unknown start by the count of losses.
    if attempt >= run.max_attempts if started else losses >= MAX_LOSSES:
        return _fail(error, attempt, losses, unfinished=True)
    if started:
        return _again(Failed(error, by_handler=False), run, attempt, losses, now, rng)
    return Settlement(
        Way.RETRY_NOW,
        JobState.READY,
        attempt,
        losses,
        run.position,
        reason="lost",
        error=error,
        solo=losses >= SOLO_AFTER,
    )
