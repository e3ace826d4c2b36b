"""The tables as they were first."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    _plans()
    _curation()
    _usage()


def downgrade() -> None:
    """There is nothing before."""
    raise NotImplementedError("there is no version before the first")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _int(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, _INT, nullable=null)


def _time(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null)


def _plans() -> None:
    op.create_table(
        "users",
        _text("id"),
        _text("tier"),
        _time("created_at"),
        sa.CheckConstraint("tier IN ('free', 'starter', 'pro')", name=op.f("ck_users_tier")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
    )
    op.create_table(
        "learning_plans",
        _text("id"),
        _text("user_id"),
        _text("topic"),
        _text("notes", null=True),
        _text("skill_level"),
        _int("weekly_hours"),
        _text("learning_style"),
        sa.Column("start_date", sa.Date(), nullable=True),
        sa.Column("deadline_date", sa.Date(), nullable=True),
        _text("status"),
        sa.Column("is_quota_eligible", sa.Boolean(), nullable=False),
        _time("finalized_at", null=True),
        _text("active_job_id", null=True),
        _text("last_job_id", null=True),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint(
            "learning_style IN ('reading', 'video', 'practice', 'mixed')", name=op.f("ck_learning_plans_learning_style")
        ),
        sa.CheckConstraint(
            "skill_level IN ('beginner', 'intermediate', 'advanced')", name=op.f("ck_learning_plans_skill_level")
        ),
        sa.CheckConstraint("status IN ('generating', 'ready', 'failed')", name=op.f("ck_learning_plans_status")),
        sa.CheckConstraint("weekly_hours BETWEEN 0 AND 80", name=op.f("ck_learning_plans_weekly_hours")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_learning_plans_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learning_plans")),
    )
    op.create_index(op.f("ix_learning_plans_active_job_id"), "learning_plans", ["active_job_id"])
    op.create_index(op.f("ix_learning_plans_status_updated_at"), "learning_plans", ["status", "updated_at"])
    op.create_index(op.f("ix_learning_plans_user_id_created_at"), "learning_plans", ["user_id", "created_at"])
    op.create_table(
        "modules",
        _text("id"),
        _text("plan_id"),
        _int("order"),
        _text("title"),
        _text("description"),
        _int("estimated_minutes"),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["learning_plans.id"], name=op.f("fk_modules_plan_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_modules")),
        sa.UniqueConstraint("plan_id", "order", name=op.f("uq_modules_plan_id_order")),
    )
    op.create_table(
        "tasks",
        _text("id"),
        _text("module_id"),
        _int("order"),
        _text("title"),
        _text("description"),
        _int("estimated_minutes"),
        _text("micro_explanation", null=True),
        sa.Column("has_micro_explanation", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["module_id"], ["modules.id"], name=op.f("fk_tasks_module_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("module_id", "order", name=op.f("uq_tasks_module_id_order")),
    )
    op.create_table(
        "task_progress",
        _text("task_id"),
        _text("user_id"),
        _text("status"),
        _time("completed_at", null=True),
        sa.CheckConstraint(
            "status IN ('not_started', 'in_progress', 'completed')", name=op.f("ck_task_progress_status")
        ),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_progress_task_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_task_progress_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "user_id", name=op.f("pk_task_progress")),
    )
    op.create_index(op.f("ix_task_progress_user_id"), "task_progress", ["user_id"])


def _curation() -> None:
    op.create_table(
        "resources",
        _text("id"),
        _text("type"),
        _text("title"),
        _text("url"),
        _text("domain"),
        _text("author", null=True),
        _int("duration_minutes", null=True),
        _time("created_at"),
        sa.CheckConstraint("type IN ('youtube', 'doc')", name=op.f("ck_resources_type")),
        sa.CheckConstraint("url LIKE 'http://%' OR url LIKE 'https://%'", name=op.f("ck_resources_url")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resources")),
        sa.UniqueConstraint("url", name=op.f("uq_resources_url")),
    )
    op.create_table(
        "task_resources",
        _text("id"),
        _text("task_id"),
        _text("resource_id"),
        _int("order"),
        sa.Column("score", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id"], ["resources.id"], name=op.f("fk_task_resources_resource_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_resources_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_resources")),
        sa.UniqueConstraint("task_id", "resource_id", name=op.f("uq_task_resources_task_id_resource_id")),
    )
    op.create_index(op.f("ix_task_resources_resource_id"), "task_resources", ["resource_id"])
    op.create_table(
        "task_curation",
        _text("task_id"),
        _text("status"),
        _text("reason", null=True),
        _time("updated_at"),
        sa.CheckConstraint("status IN ('pending', 'done', 'skipped', 'failed')", name=op.f("ck_task_curation_status")),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_curation_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_task_curation")),
    )


def _usage() -> None:
    op.create_table(
        "generation_attempts",
        _text("id"),
        _text("plan_id"),
        _text("job_id"),
        _text("status"),
        _text("classification", null=True),
        _int("duration_ms"),
        _int("modules_count"),
        _int("tasks_count"),
        sa.Column("truncated_topic", sa.Boolean(), nullable=False),
        sa.Column("truncated_notes", sa.Boolean(), nullable=False),
        sa.Column("normalized_effort", sa.Boolean(), nullable=False),
        _text("prompt_hash", null=True),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=False),
        _time("created_at"),
        sa.CheckConstraint("status IN ('success', 'failure')", name=op.f("ck_generation_attempts_status")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["learning_plans.id"], name=op.f("fk_generation_attempts_plan_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation_attempts")),
    )
    op.create_index(op.f("ix_generation_attempts_job_id"), "generation_attempts", ["job_id"])
    op.create_index(op.f("ix_generation_attempts_plan_id"), "generation_attempts", ["plan_id"])
    op.create_table(
        "ai_usage_events",
        _text("id"),
        _text("user_id"),
        _text("job_id"),
        _int("job_attempt"),
        _int("call_no"),
        _text("operation"),
        _text("provider"),
        _text("model"),
        _int("input_tokens", null=True),
        _int("output_tokens", null=True),
        _int("cost_micros", null=True),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ai_usage_events")),
        sa.UniqueConstraint(
            "job_id",
            "job_attempt",
            "operation",
            "call_no",
            name=op.f("uq_ai_usage_events_job_id_job_attempt_operation_call_no"),
        ),
    )
    op.create_index(op.f("ix_ai_usage_events_user_id"), "ai_usage_events", ["user_id"])
    op.create_table(
        "usage_metrics",
        _text("user_id"),
        _text("month"),
        _int("plans_generated"),
        _int("regenerations_used"),
        _int("exports_used"),
        sa.CheckConstraint(
            "plans_generated >= 0 AND regenerations_used >= 0 AND exports_used >= 0",
            name=op.f("ck_usage_metrics_not_negative"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_usage_metrics_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "month", name=op.f("pk_usage_metrics")),
    )
    op.create_table(
        "usage_reservations",
        _text("id"),
        _text("user_id"),
        _text("month"),
        _text("kind"),
        _text("job_id"),
        _text("state"),
        _time("created_at"),
        sa.CheckConstraint("kind IN ('plan', 'regeneration', 'export')", name=op.f("ck_usage_reservations_kind")),
        sa.CheckConstraint("state IN ('reserved', 'committed', 'refunded')", name=op.f("ck_usage_reservations_state")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_usage_reservations_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_reservations")),
        sa.UniqueConstraint("job_id", name=op.f("uq_usage_reservations_job_id")),
    )
    op.create_index(op.f("ix_usage_reservations_user_id_created_at"), "usage_reservations", ["user_id", "created_at"])
    op.create_table(
        "usage_meter_events",
        _text("id"),
        _text("user_id"),
        _text("event"),
        _int("quantity"),
        _text("idempotency_key"),
        _time("created_at"),
        _time("sent_at", null=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_meter_events")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_usage_meter_events_idempotency_key")),
    )
    op.create_index(op.f("ix_usage_meter_events_user_id"), "usage_meter_events", ["user_id"])
