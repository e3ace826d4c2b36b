"""Where the curation of tasks stands, on the caller's session."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from systems.learning_plans.application.curation_ports import CurationStatus, TaskOutcome
from systems.learning_plans.infrastructure.finds import ask_again, keep_outcomes, mark_pending
from systems.learning_plans.infrastructure.tables import ModuleRow, TaskCurationRow, TaskRow


class SqlCurated:
    """The port `Curated`."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def mark_pending(self, task_ids: Sequence[str], now: datetime) -> None:
        """See the port."""
        await mark_pending(self._session, task_ids, now)

    async def keep(self, outcomes: Sequence[TaskOutcome], now: datetime) -> None:
        """See the port."""
        await keep_outcomes(self._session, outcomes, now)

    async def ask_again(self, plan_id: str, now: datetime) -> Sequence[str]:
        """See the port."""
        tasks = (
            select(TaskRow.id).join(ModuleRow, ModuleRow.id == TaskRow.module_id).where(ModuleRow.plan_id == plan_id)
        )
        ids = set(await self._session.scalars(tasks))
        asked = await self._session.scalars(select(TaskCurationRow.task_id).where(TaskCurationRow.task_id.in_(ids)))
        never = sorted(ids - set(asked))
        await self.mark_pending(never, now)
        return sorted([*never, *await ask_again(self._session, sorted(ids), now)])

    async def give_up(self, plan_id: str, task_ids: Sequence[str] | None, reason: str, now: datetime) -> None:
        """See the port."""
        tasks = (
            select(TaskRow.id).join(ModuleRow, ModuleRow.id == TaskRow.module_id).where(ModuleRow.plan_id == plan_id)
        )
        if task_ids is not None:
            tasks = tasks.where(TaskRow.id.in_(task_ids))
        pending = (TaskCurationRow.task_id.in_(tasks), TaskCurationRow.status == CurationStatus.PENDING)
        values = {"status": CurationStatus.FAILED, "reason": reason, "updated_at": now}
        await self._session.execute(update(TaskCurationRow).where(*pending).values(values))
