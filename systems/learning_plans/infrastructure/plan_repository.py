"""Plans, their content and their AI runs in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import CursorResult, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from systems.common.database.upsert import insert_unless_there
from systems.learning_plans.application.generation import AttemptReport
from systems.learning_plans.application.repositories import PlanChange
from systems.learning_plans.domain.entities import (
    LearningStyle,
    Module,
    Plan,
    PlanStatus,
    ProgressStatus,
    SkillLevel,
    Task,
    Wishes,
)
from systems.learning_plans.infrastructure.tables import (
    GenerationAttemptRow,
    ModuleRow,
    PlanRow,
    TaskProgressRow,
    TaskRow,
)

_ACTIVE = (PlanStatus.GENERATING, PlanStatus.READY)


class SqlPlans:
    """The port `Plans` on the caller's session; nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, plan: Plan) -> None:
        """See the port."""
        values = {"id": plan.id, "user_id": plan.user_id, "status": plan.status, "active_job_id": plan.active_job_id}
        times = {"created_at": plan.created_at, "updated_at": plan.updated_at, "finalized_at": plan.finalized_at}
        eligible = {"is_quota_eligible": plan.is_quota_eligible}
        await self._session.execute(insert(PlanRow).values(**values, **times, **eligible, **_wished(plan.wishes)))

    async def get(self, plan_id: str) -> Plan | None:
        """See the port."""
        return await self._found(select(PlanRow).where(PlanRow.id == plan_id))

    async def hold(self, plan_id: str) -> Plan | None:
        """See the port."""
        return await self._found(select(PlanRow).where(PlanRow.id == plan_id).with_for_update())

    async def hold_of_job(self, job_id: str) -> Plan | None:
        """See the port."""
        return await self._found(select(PlanRow).where(PlanRow.active_job_id == job_id).with_for_update())

    async def change(self, plan_id: str, change: PlanChange, now: datetime) -> bool:
        """See the port."""
        values: dict[str, Any] = {"active_job_id": change.active_job_id, "updated_at": now}
        if change.active_job_id is not None:
            values["last_job_id"] = change.active_job_id
        if change.status is not None:
            values["status"] = change.status
        if change.is_final:
            values |= {"is_quota_eligible": True, "finalized_at": now}
        if change.wishes is not None:
            values |= _wished(change.wishes)
        done = await self._session.execute(
            update(PlanRow).where(PlanRow.id == plan_id, PlanRow.status.in_(change.from_statuses)).values(values)
        )
        return isinstance(done, CursorResult) and done.rowcount == 1

    async def owner_of_task(self, task_id: str) -> str | None:
        """See the port."""
        found = select(PlanRow.user_id).join(ModuleRow, ModuleRow.plan_id == PlanRow.id)
        return await self._session.scalar(
            found.join(TaskRow, TaskRow.module_id == ModuleRow.id).where(TaskRow.id == task_id)
        )

    async def set_progress(
        self, task_id: str, user_id: str, status: ProgressStatus, completed_at: datetime | None
    ) -> None:
        """See the port."""
        row: dict[str, object] = {"task_id": task_id, "user_id": user_id, "status": status, "completed_at": None}
        await insert_unless_there(self._session, TaskProgressRow, [row])
        mine = (TaskProgressRow.task_id == task_id, TaskProgressRow.user_id == user_id)
        # Completed again, it stays completed since then.
        since = func.coalesce(TaskProgressRow.completed_at, completed_at) if completed_at is not None else None
        await self._session.execute(update(TaskProgressRow).where(*mine).values(status=status, completed_at=since))

    async def active_count(self, user_id: str) -> int:
        """See the port."""
        counting = select(func.count()).select_from(PlanRow)
        found = await self._session.execute(counting.where(PlanRow.user_id == user_id, PlanRow.status.in_(_ACTIVE)))
        return found.scalar_one()

    async def content(self, plan_id: str) -> tuple[Module, ...]:
        """See the port."""
        modules = await self._session.scalars(
            select(ModuleRow).where(ModuleRow.plan_id == plan_id).order_by(ModuleRow.order)
        )
        tasks = await self._session.scalars(
            select(TaskRow)
            .join(ModuleRow, ModuleRow.id == TaskRow.module_id)
            .where(ModuleRow.plan_id == plan_id)
            .order_by(TaskRow.order)
        )
        of_module: dict[str, list[Task]] = {}
        for row in tasks:
            of_module.setdefault(row.module_id, []).append(_task(row))
        return tuple(_module(row, of_module.get(row.id, [])) for row in modules)

    async def put_content(self, plan_id: str, modules: Sequence[Module]) -> None:
        """See the port."""
        old = list(await self._session.scalars(select(ModuleRow.id).where(ModuleRow.plan_id == plan_id)))
        # Locked in the order in which curation locks them.
        tasks = select(TaskRow.id).where(TaskRow.module_id.in_(old)).order_by(TaskRow.id).with_for_update()
        there = set(await self._session.scalars(tasks))
        # Out of the way of the new ones: orders are unique within the plan.
        await self._session.execute(
            update(ModuleRow).where(ModuleRow.plan_id == plan_id).values(order=-ModuleRow.order)
        )
        for module in modules:
            await self._put_module(plan_id, module, there)
        await self._session.execute(delete(ModuleRow).where(ModuleRow.id.in_(old)))

    async def delete(self, plan_id: str) -> None:
        """See the port; the database removes what hangs on it."""
        await self._session.execute(delete(PlanRow).where(PlanRow.id == plan_id))

    async def forsaken(self, before: datetime) -> Sequence[Plan]:
        """See the port."""
        wanted = select(PlanRow).where(PlanRow.status == PlanStatus.GENERATING, PlanRow.updated_at < before)
        return [plan_of(row) for row in await self._session.scalars(wanted.order_by(PlanRow.updated_at).limit(1_000))]

    async def _put_module(self, plan_id: str, module: Module, there: set[str]) -> None:
        shown = {"title": module.title, "description": module.description}
        values = {"id": module.id, "plan_id": plan_id, "order": module.order} | shown
        await self._session.execute(insert(ModuleRow).values(estimated_minutes=module.estimated_minutes, **values))
        for task in module.tasks:
            values = {
                "module_id": module.id,
                "order": task.order,
                "title": task.title,
                "description": task.description,
                "estimated_minutes": task.estimated_minutes,
            }
            if task.id in there:
                await self._session.execute(update(TaskRow).where(TaskRow.id == task.id).values(values))
            else:
                explained = {"micro_explanation": None, "has_micro_explanation": False}
                await self._session.execute(insert(TaskRow).values(id=task.id, **values, **explained))

    async def _found(self, wanted: Select[PlanRow]) -> Plan | None:
        # The session may hold the row as an earlier statement saw it: a compare-and-set goes past it.
        row = await self._session.scalar(wanted.execution_options(populate_existing=True))
        return None if row is None else plan_of(row)


class SqlAttempts:
    """The port `Attempts` on the caller's session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self, plan_id: str, job_id: str, report: AttemptReport, classification: str | None, now: datetime
    ) -> None:
        """See the port."""
        row = GenerationAttemptRow(
            id=str(uuid4()),
            plan_id=plan_id,
            job_id=job_id,
            status="success" if classification is None else "failure",
            classification=classification,
            duration_ms=report.duration_ms,
            modules_count=report.modules_count,
            tasks_count=report.tasks_count,
            truncated_topic=report.truncated_topic,
            truncated_notes=report.truncated_notes,
            normalized_effort=report.normalized_effort,
            prompt_hash=report.prompt_hash,
            details=report.details,
            created_at=now,
        )
        self._session.add(row)
        await self._session.flush()

    async def count(self, job_id: str) -> int:
        """See the port."""
        counting = select(func.count()).select_from(GenerationAttemptRow)
        return (await self._session.execute(counting.where(GenerationAttemptRow.job_id == job_id))).scalar_one()


def _wished(wishes: Wishes) -> dict[str, Any]:
    return {
        "topic": wishes.topic,
        "notes": wishes.notes,
        "skill_level": wishes.skill_level,
        "weekly_hours": wishes.weekly_hours,
        "learning_style": wishes.learning_style,
        "start_date": wishes.start_date,
        "deadline_date": wishes.deadline_date,
    }


def plan_of(row: PlanRow) -> Plan:
    """The plan in a row."""
    wishes = Wishes(
        topic=row.topic,
        notes=row.notes,
        skill_level=SkillLevel(row.skill_level),
        weekly_hours=row.weekly_hours,
        learning_style=LearningStyle(row.learning_style),
        start_date=row.start_date,
        deadline_date=row.deadline_date,
    )
    return Plan(
        id=row.id,
        user_id=row.user_id,
        wishes=wishes,
        status=PlanStatus(row.status),
        is_quota_eligible=row.is_quota_eligible,
        finalized_at=row.finalized_at,
        active_job_id=row.active_job_id,
        last_job_id=row.last_job_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _module(row: ModuleRow, tasks: Sequence[Task]) -> Module:
    return Module(row.id, row.order, row.title, row.description, row.estimated_minutes, tuple(tasks))


def _task(row: TaskRow) -> Task:
    return Task(
        row.id, row.order, row.title, row.description, row.estimated_minutes, row.micro_explanation,
        row.has_micro_explanation,
    )  # fmt: skip
