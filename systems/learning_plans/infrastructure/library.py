"""The port `Library`."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from systems.common.database.connections import Database
from systems.learning_plans.application.curation_ports import Clock, CurationStatus
from systems.learning_plans.application.views import (
    AttemptView,
    MadeBy,
    ModuleView,
    PlanStanding,
    PlanSummary,
    PlanView,
    TaskView,
    UsageView,
)
from systems.learning_plans.domain.entities import Module, Plan, ProgressStatus, Resource, Task
from systems.learning_plans.domain.errors import NotFound
from systems.learning_plans.domain.resources import ResourceType
from systems.learning_plans.domain.tiers import LIMITS, month_of
from systems.learning_plans.infrastructure.plan_repository import SqlPlans, plan_of
from systems.learning_plans.infrastructure.tables import (
    GenerationAttemptRow,
    ModuleRow,
    PlanRow,
    ResourceRow,
    TaskCurationRow,
    TaskProgressRow,
    TaskResourceRow,
    TaskRow,
)
from systems.learning_plans.infrastructure.usage_repository import SqlUsage, SqlUsers

_MOST_PLANS = 500


class SqlLibrary:
    """Each call is one reading transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._reads = database.reads
        self._clock = clock

    async def plans(self, user_id: str) -> Sequence[PlanSummary]:
        """See the port; the newest 500."""
        newest = select(PlanRow).where(PlanRow.user_id == user_id).order_by(PlanRow.created_at.desc(), PlanRow.id)
        done = (TaskProgressRow.task_id == TaskRow.id) & (TaskProgressRow.status == ProgressStatus.COMPLETED)
        counting = (
            select(
                ModuleRow.plan_id,
                func.count(ModuleRow.id.distinct()),
                func.count(TaskRow.id),
                func.count(TaskProgressRow.task_id),
            )
            .join(TaskRow, TaskRow.module_id == ModuleRow.id)
            .outerjoin(TaskProgressRow, done & (TaskProgressRow.user_id == user_id))
            .group_by(ModuleRow.plan_id)
        )
        async with self._reads() as session:
            plans = [plan_of(row) for row in await session.scalars(newest.limit(_MOST_PLANS))]
            found = await session.execute(counting.where(ModuleRow.plan_id.in_([plan.id for plan in plans])))
            counts = {plan_id: (modules, tasks, completed) for plan_id, modules, tasks, completed in found}
        return [PlanSummary(plan, *counts.get(plan.id, (0, 0, 0))) for plan in plans]

    async def plan(self, user_id: str, plan_id: str) -> PlanView:
        """See the port."""
        async with self._reads() as session:
            plan = await _owned(session, user_id, plan_id)
            modules = await SqlPlans(session).content(plan_id)
            details = await _Details.read(session, user_id, [task.id for module in modules for task in module.tasks])
            made_by = await _made_by(session, plan_id)
        return PlanView(plan, tuple(details.module(module) for module in modules), made_by if modules else None)

    async def standing(self, user_id: str, plan_id: str) -> PlanStanding:
        """See the port."""
        counting = select(func.count()).select_from(GenerationAttemptRow).where(GenerationAttemptRow.plan_id == plan_id)
        async with self._reads() as session:
            plan = await _owned(session, user_id, plan_id)
            return PlanStanding(plan, (await session.execute(counting)).scalar_one())

    async def attempts(self, user_id: str, plan_id: str) -> Sequence[AttemptView]:
        """See the port."""
        wanted = select(GenerationAttemptRow).where(GenerationAttemptRow.plan_id == plan_id)
        async with self._reads() as session:
            await _owned(session, user_id, plan_id)
            rows = await session.scalars(wanted.order_by(GenerationAttemptRow.created_at, GenerationAttemptRow.id))
            return [_attempt(row) for row in rows]

    async def usage(self, user_id: str) -> UsageView:
        """See the port."""
        month = month_of(self._clock.now())
        async with self._reads() as session:
            tier = await SqlUsers(session).tier(user_id)
            standing = await SqlUsage(session).standing(user_id, month)
            active = await SqlPlans(session).active_count(user_id)
        return UsageView(
            month=month,
            tier=tier,
            limits=LIMITS[tier],
            active=active,
            generated=standing.plans_generated,
            regenerations_used=standing.regenerations_used,
            regenerations_reserved=standing.regenerations_reserved,
            exports_used=standing.exports_used,
            exports_reserved=standing.exports_reserved,
        )


async def _owned(session: AsyncSession, user_id: str, plan_id: str) -> Plan:
    plan = await SqlPlans(session).get(plan_id)
    if plan is None or plan.user_id != user_id:
        raise NotFound("plan")
    return plan


async def _made_by(session: AsyncSession, plan_id: str) -> MadeBy | None:
    successes = select(GenerationAttemptRow.details).where(
        GenerationAttemptRow.plan_id == plan_id, GenerationAttemptRow.status == "success"
    )
    details = await session.scalar(successes.order_by(GenerationAttemptRow.created_at.desc()).limit(1))
    found = (details or {}).get("provider")
    return None if not found else MadeBy(found.get("name", ""), found.get("model", ""), bool(found.get("offline")))


def _attempt(row: GenerationAttemptRow) -> AttemptView:
    return AttemptView(
        row.id, row.job_id, row.status, row.classification, row.duration_ms, row.modules_count, row.tasks_count,
        row.truncated_topic, row.truncated_notes, row.normalized_effort, row.prompt_hash, row.details, row.created_at,
    )  # fmt: skip


class _Details:
    """What hangs on the tasks of a plan."""

    def __init__(
        self,
        progress: dict[str, TaskProgressRow],
        curation: dict[str, TaskCurationRow],
        resources: dict[str, list[Resource]],
    ) -> None:
        self._progress = progress
        self._curation = curation
        self._resources = resources

    @classmethod
    async def read(cls, session: AsyncSession, user_id: str, task_ids: Sequence[str]) -> "_Details":
        """In one transaction with the tasks themselves."""
        mine = (TaskProgressRow.task_id.in_(task_ids), TaskProgressRow.user_id == user_id)
        progress = await session.scalars(select(TaskProgressRow).where(*mine))
        curation = await session.scalars(select(TaskCurationRow).where(TaskCurationRow.task_id.in_(task_ids)))
        attached = await session.execute(
            select(TaskResourceRow, ResourceRow)
            .join(ResourceRow, ResourceRow.id == TaskResourceRow.resource_id)
            .where(TaskResourceRow.task_id.in_(task_ids))
            .order_by(TaskResourceRow.order)
        )
        resources: dict[str, list[Resource]] = {}
        for place, row in attached:
            resources.setdefault(place.task_id, []).append(_resource(place, row))
        return cls({row.task_id: row for row in progress}, {row.task_id: row for row in curation}, resources)

    def module(self, module: Module) -> ModuleView:
        """With its tasks."""
        return ModuleView(module, tuple(self._task(task) for task in module.tasks))

    def _task(self, task: Task) -> TaskView:
        progress, curation = self._progress.get(task.id), self._curation.get(task.id)
        return TaskView(
            task=task,
            progress=ProgressStatus.NOT_STARTED if progress is None else ProgressStatus(progress.status),
            completed_at=None if progress is None else progress.completed_at,
            curation=None if curation is None else CurationStatus(curation.status),
            curation_reason=None if curation is None else curation.reason,
            resources=tuple(self._resources.get(task.id, ())),
        )


def _resource(place: TaskResourceRow, row: ResourceRow) -> Resource:
    return Resource(
        row.id, ResourceType(row.type), row.title, row.url, row.domain, row.author, row.duration_minutes, place.order,
        place.score,
    )  # fmt: skip
