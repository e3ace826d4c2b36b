"""What is to be curated of a plan."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from systems.learning_plans.application.curation_ports import CurationStatus, CurationTask, PlanTopic
from systems.learning_plans.infrastructure.tables import ModuleRow, PlanRow, TaskCurationRow, TaskRow


class SqlCurationWork:
    """The port `CurationWork`; `reads` are sessions that take no write lock."""

    def __init__(self, reads: async_sessionmaker[AsyncSession]) -> None:
        self._reads = reads

    async def topic(self, plan_id: str, user_id: str) -> PlanTopic | None:
        """See the port."""
        wanted = select(PlanRow.topic, PlanRow.skill_level).where(PlanRow.id == plan_id, PlanRow.user_id == user_id)
        async with self._reads() as session:
            row = (await session.execute(wanted)).one_or_none()
        return None if row is None else PlanTopic(row.topic, row.skill_level)

    async def open_task_ids(self, plan_id: str, task_ids: Sequence[str] | None) -> list[str]:
        """See the port."""
        is_open = (TaskCurationRow.status == CurationStatus.PENDING) | TaskCurationRow.status.is_(None)
        rows = await self._rows(plan_id, task_ids, is_open)
        return [task.id for task in rows]

    async def tasks(self, plan_id: str, task_ids: Sequence[str]) -> list[CurationTask]:
        """See the port."""
        return await self._rows(plan_id, task_ids)

    async def _rows(
        self, plan_id: str, task_ids: Sequence[str] | None, *conditions: ColumnElement[bool]
    ) -> list[CurationTask]:
        wanted = (
            select(TaskRow, ModuleRow.order)
            .join(ModuleRow, ModuleRow.id == TaskRow.module_id)
            .outerjoin(TaskCurationRow, TaskCurationRow.task_id == TaskRow.id)
            .where(ModuleRow.plan_id == plan_id, *conditions)
            .order_by(ModuleRow.order, TaskRow.order)
        )
        if task_ids is not None:
            wanted = wanted.where(TaskRow.id.in_(task_ids))
        async with self._reads() as session:
            rows = (await session.execute(wanted)).all()
        return [
            CurationTask(task.id, (module_order, task.order), task.title, task.description, task.has_micro_explanation)
            for task, module_order in rows
        ]
