"""What generating a plan is given and what it answers. All of it can be stored as JSON between runs of a job."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from systems.learning_plans.domain.classification import FailureClass
from systems.learning_plans.domain.entities import ModuleDraft, Wishes


@dataclass(frozen=True, slots=True)
class GenerationInput:
    """For which plan, for whom, and what is wished for."""

    plan_id: str
    user_id: str
    wishes: Wishes


def _nobody(number: int, title: str) -> None:
    """Is told nothing."""


@dataclass(frozen=True, slots=True)
class GenerationContext:
    """What is known besides: the day, how many AI runs this cycle has had, and who is told the number (from 1) and
    title of each module as it shows."""

    today: date
    attempts_before: int = 0
    on_module: Callable[[int, str], None] = _nobody


DETAILS = ("input_truncation", "normalization", "timing", "extended_timeout", "provider", "failure")
"""What the details of every AI run hold, None where it came to nothing."""


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """What is kept of one AI run. `details` is JSON, with the members `DETAILS`."""

    duration_ms: int
    modules_count: int
    tasks_count: int
    truncated_topic: bool
    truncated_notes: bool
    normalized_effort: bool
    prompt_hash: str | None
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class GenerationSuccess:
    """A plan that fits the learner's time, and who made it; `offline`: no model was asked."""

    modules: tuple[ModuleDraft, ...]
    provider: str
    model: str
    offline: bool
    report: AttemptReport


@dataclass(frozen=True, slots=True)
class GenerationFailure:
    """Why there is no plan: a sentence for the learner, and whether another attempt may help, not before
    `retry_after_s` (seconds, None when nobody named a time)."""

    classification: FailureClass
    retryable: bool
    message: str
    report: AttemptReport
    retry_after_s: float | None = None


UNEXPECTED = "something unexpected stopped the making of the plan"


def unexpected(error: Exception, duration_ms: int) -> GenerationFailure:
    """The failure that an error is which nobody foresaw."""
    message = f"{UNEXPECTED} ({type(error).__name__})"
    failure = {"classification": FailureClass.UNKNOWN.value, "retryable": True, "message": message}
    details = {**dict.fromkeys(DETAILS), "extended_timeout": False, "failure": failure}
    report = AttemptReport(duration_ms, 0, 0, False, False, False, None, details)
    return GenerationFailure(FailureClass.UNKNOWN, True, message, report)
