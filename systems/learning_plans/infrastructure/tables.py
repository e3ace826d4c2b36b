"""The tables of learning plans (SQLAlchemy), the same on SQLite and PostgreSQL.

What must never be broken is held by the database: uniqueness, ownership by cascading foreign keys, and CHECKs for
every column with a closed set of values. Their history is in `migrations/`.
"""

from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from systems.common.database.columns import NAMES, TYPES, one_of
from systems.learning_plans.application.curation_ports import CurationStatus
from systems.learning_plans.domain.entities import LearningStyle, PlanStatus, ProgressStatus, SkillLevel
from systems.learning_plans.domain.resources import ResourceType
from systems.learning_plans.domain.tiers import QuotaKind, ReservationState, Tier


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar = {**TYPES, date: Date()}


class UserRow(Base):
    """A learner, known by the text the client names; the row is locked for decisions about quota."""

    __tablename__ = "users"
    __table_args__ = (one_of("tier", Tier),)

    id: Mapped[str] = mapped_column(primary_key=True)
    tier: Mapped[str] = mapped_column(default=Tier.FREE)
    created_at: Mapped[datetime]


class PlanRow(Base):
    """A plan: what was asked for, and where it stands."""

    __tablename__ = "learning_plans"
    __table_args__ = (
        one_of("status", PlanStatus),
        one_of("skill_level", SkillLevel),
        one_of("learning_style", LearningStyle),
        CheckConstraint("weekly_hours BETWEEN 0 AND 80", name="weekly_hours"),
        Index(None, "user_id", "created_at"),
        Index(None, "status", "updated_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    topic: Mapped[str]
    notes: Mapped[str | None]
    skill_level: Mapped[str]
    weekly_hours: Mapped[int]
    learning_style: Mapped[str]
    start_date: Mapped[date | None]
    deadline_date: Mapped[date | None]
    status: Mapped[str]
    is_quota_eligible: Mapped[bool] = mapped_column(default=False)
    finalized_at: Mapped[datetime | None]
    active_job_id: Mapped[str | None] = mapped_column(index=True)
    last_job_id: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ModuleRow(Base):
    """A module of a plan; `order` counts from 1."""

    __tablename__ = "modules"
    __table_args__ = (UniqueConstraint("plan_id", "order"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("learning_plans.id", ondelete="CASCADE"))
    order: Mapped[int]
    title: Mapped[str]
    description: Mapped[str]
    estimated_minutes: Mapped[int]


class TaskRow(Base):
    """A task of a module; `order` counts from 1. Its explanation is plain text and stays once it is there."""

    __tablename__ = "tasks"
    __table_args__ = (UniqueConstraint("module_id", "order"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    module_id: Mapped[str] = mapped_column(ForeignKey("modules.id", ondelete="CASCADE"))
    order: Mapped[int]
    title: Mapped[str]
    description: Mapped[str]
    estimated_minutes: Mapped[int]
    micro_explanation: Mapped[str | None]
    has_micro_explanation: Mapped[bool] = mapped_column(default=False)


class TaskProgressRow(Base):
    """How far a learner is with a task; without a row it is not begun."""

    __tablename__ = "task_progress"
    __table_args__ = (one_of("status", ProgressStatus),)

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    status: Mapped[str]
    completed_at: Mapped[datetime | None]


class ResourceRow(Base):
    """A link, known by its address, whatever tasks it is attached to."""

    __tablename__ = "resources"
    __table_args__ = (
        one_of("type", ResourceType),
        UniqueConstraint("url"),
        CheckConstraint("url LIKE 'http://%' OR url LIKE 'https://%'", name="url"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    title: Mapped[str]
    url: Mapped[str]
    domain: Mapped[str]
    author: Mapped[str | None]
    duration_minutes: Mapped[int | None]
    created_at: Mapped[datetime]


class TaskResourceRow(Base):
    """A resource attached to a task; `order` counts from 1."""

    __tablename__ = "task_resources"
    __table_args__ = (UniqueConstraint("task_id", "resource_id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    resource_id: Mapped[str] = mapped_column(ForeignKey("resources.id", ondelete="CASCADE"), index=True)
    order: Mapped[int]
    score: Mapped[float]


class TaskCurationRow(Base):
    """Where the curation of a task stands; `reason` says why it is not done."""

    __tablename__ = "task_curation"
    __table_args__ = (one_of("status", CurationStatus),)

    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True)
    status: Mapped[str]
    reason: Mapped[str | None]
    updated_at: Mapped[datetime]


class GoogleCallsRow(Base):
    """One row: how many calls to Google were started on a day (UTC), and when the next one may."""

    __tablename__ = "google_calls"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[date]
    started: Mapped[int]
    next_at: Mapped[datetime]


class GenerationAttemptRow(Base):
    """One run of the AI for a plan. `classification` is NULL for a success."""

    __tablename__ = "generation_attempts"
    __table_args__ = (CheckConstraint("status IN ('success', 'failure')", name="status"), Index(None, "job_id"))

    id: Mapped[str] = mapped_column(primary_key=True)
    plan_id: Mapped[str] = mapped_column(ForeignKey("learning_plans.id", ondelete="CASCADE"), index=True)
    job_id: Mapped[str]
    status: Mapped[str]
    classification: Mapped[str | None]
    duration_ms: Mapped[int]
    modules_count: Mapped[int]
    tasks_count: Mapped[int]
    truncated_topic: Mapped[bool]
    truncated_notes: Mapped[bool]
    normalized_effort: Mapped[bool]
    prompt_hash: Mapped[str | None]
    # `metadata` is taken by SQLAlchemy itself.
    details: Mapped[dict[str, Any]] = mapped_column("metadata")
    created_at: Mapped[datetime]


class AiUsageEventRow(Base):
    """One call of a model, as the engine's ledger has it; what is not known is NULL."""

    __tablename__ = "ai_usage_events"
    __table_args__ = (UniqueConstraint("job_id", "job_attempt", "operation", "call_no"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(index=True)
    job_id: Mapped[str]
    job_attempt: Mapped[int]
    call_no: Mapped[int]
    operation: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cost_micros: Mapped[int | None]
    created_at: Mapped[datetime]


class UsageMetricRow(Base):
    """What a learner has used in a month; successes only."""

    __tablename__ = "usage_metrics"
    __table_args__ = (
        CheckConstraint("plans_generated >= 0 AND regenerations_used >= 0 AND exports_used >= 0", name="not_negative"),
    )

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[str] = mapped_column(primary_key=True)
    plans_generated: Mapped[int] = mapped_column(default=0)
    regenerations_used: Mapped[int] = mapped_column(default=0)
    exports_used: Mapped[int] = mapped_column(default=0)


class UsageReservationRow(Base):
    """A unit of monthly quota, held while its job is open. `created_at` is when the job was accepted."""

    __tablename__ = "usage_reservations"
    __table_args__ = (
        one_of("kind", QuotaKind),
        one_of("state", ReservationState),
        UniqueConstraint("job_id"),
        Index(None, "user_id", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    month: Mapped[str]
    kind: Mapped[str]
    job_id: Mapped[str]
    state: Mapped[str]
    created_at: Mapped[datetime]


class UsageMeterEventRow(Base):
    """What is to be told to whoever bills; `sent_at` NULL until it has been."""

    __tablename__ = "usage_meter_events"
    __table_args__ = (UniqueConstraint("idempotency_key"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(index=True)
    event: Mapped[str]
    quantity: Mapped[int]
    idempotency_key: Mapped[str]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
