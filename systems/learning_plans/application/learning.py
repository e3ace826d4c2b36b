"""What learners do with a plan that is there."""

from datetime import datetime

from systems.learning_plans.application.accepting import owned_plan
from systems.learning_plans.application.quota import hold_learner
from systems.learning_plans.application.repositories import UnitOfWork
from systems.learning_plans.domain.entities import PlanStatus, ProgressStatus
from systems.learning_plans.domain.errors import Conflict, NotFound
from systems.learning_plans.domain.tiers import QuotaKind, month_of


async def set_progress(uow: UnitOfWork, user_id: str, task_id: str, status: ProgressStatus, now: datetime) -> None:
    """Note how far the learner is. Raises `NotFound`."""
    if await uow.plans.owner_of_task(task_id) != user_id:
        raise NotFound("task")
    done = now if status is ProgressStatus.COMPLETED else None
    await uow.plans.set_progress(task_id, user_id, status, done)


async def count_export(uow: UnitOfWork, user_id: str, plan_id: str, now: datetime) -> None:
    """An export is used. Raises `NotFound`, `Conflict` (there is nothing to export yet), `QuotaExceeded`."""
    allowance = await hold_learner(uow, user_id, now)
    plan = await owned_plan(uow, user_id, plan_id)
    if plan.status is not PlanStatus.READY:
        raise Conflict(f"a plan that is {plan.status} cannot be exported")
    await allowance.check_exports()
    await uow.usage.count_up(user_id, month_of(now), QuotaKind.EXPORT)
