"""A plan as its learner sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from systems.learning_plans.application.curation_ports import CurationStatus
from systems.learning_plans.domain.entities import Module, Plan, ProgressStatus, Resource, Task
from systems.learning_plans.domain.tiers import Limits, Tier


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with what hangs on it. `curation` is None when nobody has asked for it."""

    task: Task
    progress: ProgressStatus
    completed_at: datetime | None
    curation: CurationStatus | None
    curation_reason: str | None
    resources: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class ModuleView:
    """A module with its tasks in order."""

    module: Module
    tasks: tuple[TaskView, ...]


@dataclass(frozen=True, slots=True)
class MadeBy:
    """Who made the present content; `offline`: no model was asked."""

    provider: str
    model: str
    offline: bool


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan with its content; `made_by` is None before there is any."""

    plan: Plan
    modules: tuple[ModuleView, ...]
    made_by: MadeBy | None

    @property
    def tasks(self) -> list[TaskView]:
        """All tasks in order."""
        return [task for module in self.modules for task in module.tasks]


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A plan in a list."""

    plan: Plan
    modules: int
    tasks: int
    completed: int


@dataclass(frozen=True, slots=True)
class PlanStanding:
    """Where a plan stands, and how many AI runs it has had."""

    plan: Plan
    attempts: int


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One AI run."""

    id: str
    job_id: str
    status: str
    classification: str | None
    duration_ms: int
    modules_count: int
    tasks_count: int
    truncated_topic: bool
    truncated_notes: bool
    normalized_effort: bool
    prompt_hash: str | None
    metadata: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class UsageView:
    """What a learner has used, and may use. `active` counts now, all else the month."""

    month: str
    tier: Tier
    limits: Limits
    active: int
    generated: int
    regenerations_used: int
    regenerations_reserved: int
    exports_used: int
    exports_reserved: int


class Library(Protocol):
    """Reading, for learners. All raise `NotFound` for what is not theirs."""

    async def plans(self, user_id: str) -> Sequence[PlanSummary]:
        """The learner's plans, newest first."""
        ...

    async def plan(self, user_id: str, plan_id: str) -> PlanView: ...

    async def standing(self, user_id: str, plan_id: str) -> PlanStanding:
        """For who asks again and again."""
        ...

    async def attempts(self, user_id: str, plan_id: str) -> Sequence[AttemptView]:
        """AI runs of the plan, oldest first."""
        ...

    async def usage(self, user_id: str) -> UsageView: ...
