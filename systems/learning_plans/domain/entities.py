"""A learner's plan and what it is made of. Times are aware (UTC); ids are UUID strings."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from systems.learning_plans.domain.resources import ResourceType


class SkillLevel(StrEnum):
    """How much the learner knows already."""

    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


class LearningStyle(StrEnum):
    """How the learner likes to learn."""

    READING = "reading"
    VIDEO = "video"
    PRACTICE = "practice"
    MIXED = "mixed"


class PlanStatus(StrEnum):
    """`generating` → `ready` or `failed`; `failed` → `generating` by a regeneration; `ready` stays."""

    GENERATING = "generating"
    READY = "ready"
    FAILED = "failed"


class ProgressStatus(StrEnum):
    """How far the learner is with a task."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a learner asks for. `notes` None: none were given; a deadline None: there is none."""

    topic: str
    notes: str | None
    skill_level: SkillLevel
    weekly_hours: int
    learning_style: LearningStyle
    start_date: date | None = None
    deadline_date: date | None = None


@dataclass(frozen=True, slots=True)
class TaskDraft:
    """A task as a model proposed it."""

    title: str
    description: str
    estimated_minutes: int


@dataclass(frozen=True, slots=True)
class ModuleDraft:
    """A module as a model proposed it, its tasks in order."""

    title: str
    description: str
    estimated_minutes: int
    tasks: tuple[TaskDraft, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a stored plan. `order` counts from 1 within its module."""

    id: str
    order: int
    title: str
    description: str
    estimated_minutes: int
    micro_explanation: str | None = None
    has_micro_explanation: bool = False


@dataclass(frozen=True, slots=True)
class Module:
    """A module of a stored plan, its tasks in order. `order` counts from 1."""

    id: str
    order: int
    title: str
    description: str
    estimated_minutes: int
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A stored plan without its content. `active_job_id` is the open generation or regeneration job, if any,
    `last_job_id` that one or the last there was."""

    id: str
    user_id: str
    wishes: Wishes
    status: PlanStatus
    is_quota_eligible: bool
    finalized_at: datetime | None
    active_job_id: str | None
    last_job_id: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Resource:
    """A link attached to a task; `order` counts from 1 within the task, `score` is 0 to 1."""

    id: str
    type: ResourceType
    title: str
    url: str
    domain: str
    author: str | None
    duration_minutes: int | None
    order: int
    score: float
