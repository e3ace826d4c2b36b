"""Facts about plans, as the log tells them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PlanEventType(StrEnum):
    """What can have happened."""

    CREATED = "plan.created"
    GENERATION_STARTED = "plan.generation.started"
    MODULE_DETECTED = "plan.module.detected"
    RETRYING = "plan.retrying"
    READY = "plan.ready"
    FAILED = "plan.failed"
    REGENERATED = "plan.regenerated"
    REGENERATION_FAILED = "plan.regeneration.failed"
    CURATED = "plan.curated"
    USAGE_COMMITTED = "usage.committed"
    USAGE_REFUNDED = "usage.refunded"


ENDS = frozenset(
    {
        PlanEventType.READY,
        PlanEventType.FAILED,
        PlanEventType.REGENERATED,
        PlanEventType.REGENERATION_FAILED,
        PlanEventType.CURATED,
    }
)
"""With these a job's story is over."""


@dataclass(frozen=True, slots=True)
class PlanEvent:
    """One fact. `classification` and `message` are those of a failure; `number` (from 1) and `title` of a module;
    `kind` that of a unit of quota."""

    type: PlanEventType
    plan_id: str
    user_id: str
    job_id: str
    attempt: int
    timestamp: datetime
    classification: str | None = None
    message: str | None = None
    number: int | None = None
    title: str | None = None
    kind: str | None = None
