"""The facts about plans as they stand in the log: stream `plans`, subject: the plan's id."""

from dataclasses import asdict
from datetime import datetime

from pydantic import BaseModel

from penstock import Event
from systems.learning_plans.domain.events import PlanEvent, PlanEventType

STREAM = "plans"
_MAX_ID = 200


class _Facts(BaseModel):
    plan_id: str
    user_id: str
    job_id: str
    attempt: int
    timestamp: datetime


class _Failure(_Facts):
    classification: str
    message: str


class _Unit(_Facts):
    kind: str


class PlanCreated(Event, _Facts, type=PlanEventType.CREATED, stream=STREAM):
    """A plan was asked for."""


class GenerationStarted(Event, _Facts, type=PlanEventType.GENERATION_STARTED, stream=STREAM):
    """A run has begun to make the plan."""


class ModuleDetected(Event, _Facts, type=PlanEventType.MODULE_DETECTED, stream=STREAM):
    """A module shows in the model's answer."""

    number: int
    title: str


class PlanRetrying(Event, _Failure, type=PlanEventType.RETRYING, stream=STREAM):
    """An attempt failed; another follows."""


class PlanReady(Event, _Facts, type=PlanEventType.READY, stream=STREAM):
    """The plan is there."""


class PlanFailed(Event, _Failure, type=PlanEventType.FAILED, stream=STREAM):
    """The plan will not be made."""


class PlanRegenerated(Event, _Facts, type=PlanEventType.REGENERATED, stream=STREAM):
    """The plan has new content."""


class RegenerationFailed(Event, _Failure, type=PlanEventType.REGENERATION_FAILED, stream=STREAM):
    """The plan stays as it was."""


class UsageCommitted(Event, _Unit, type=PlanEventType.USAGE_COMMITTED, stream=STREAM):
    """A unit of quota is used."""


class UsageRefunded(Event, _Unit, type=PlanEventType.USAGE_REFUNDED, stream=STREAM):
    """A unit of quota is given back."""


_LOGGED: dict[PlanEventType, type[Event]] = {
    PlanEventType.CREATED: PlanCreated,
    PlanEventType.GENERATION_STARTED: GenerationStarted,
    PlanEventType.MODULE_DETECTED: ModuleDetected,
    PlanEventType.RETRYING: PlanRetrying,
    PlanEventType.READY: PlanReady,
    PlanEventType.FAILED: PlanFailed,
    PlanEventType.REGENERATED: PlanRegenerated,
    PlanEventType.REGENERATION_FAILED: RegenerationFailed,
    PlanEventType.USAGE_COMMITTED: UsageCommitted,
    PlanEventType.USAGE_REFUNDED: UsageRefunded,
}


def named(given: object) -> str:
    """An id of a job's data as events can carry it; data that is wrong may hold anything."""
    fits = isinstance(given, str) and 0 < len(given) <= _MAX_ID and given.isprintable()
    return str(given) if fits else "unknown"


def logged(event: PlanEvent) -> Event:
    """The event as the log holds it."""
    return _LOGGED[event.type].model_validate(asdict(event))
