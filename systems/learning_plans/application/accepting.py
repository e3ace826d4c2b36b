"""What a learner asks for is accepted or refused; the jobs themselves are whoever's who calls."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from systems.learning_plans.application.quota import Allowance, hold_learner
from systems.learning_plans.application.repositories import PlanChange, UnitOfWork
from systems.learning_plans.domain.entities import Plan, PlanStatus, Wishes
from systems.learning_plans.domain.errors import Conflict, InvalidInput, NotFound
from systems.learning_plans.domain.priority import priority_of
from systems.learning_plans.domain.tiers import QuotaKind
from systems.learning_plans.domain.wishes import ANY_WISHES, merged, read_wishes


@dataclass(frozen=True, slots=True)
class Accepted:
    """A plan for which a job is to be enqueued with this priority; `attach` notes it."""

    plan: Plan
    priority: int
    kind: QuotaKind
    allowance: Allowance

    async def attach(self, job_id: str) -> Plan:
        """The plan as it stands with its open job, for which a unit is held."""
        uow, now = self.allowance.uow, self.allowance.now
        # Reviving a failed plan is the one change of status that accepting makes.
        status = PlanStatus.GENERATING if self.plan.status is PlanStatus.FAILED else None
        await uow.plans.change(self.plan.id, PlanChange((self.plan.status,), status, active_job_id=job_id), now)
        await self.allowance.reserve(self.kind, job_id)
        return replace(
            self.plan, status=status or self.plan.status, active_job_id=job_id, last_job_id=job_id, updated_at=now
        )


def checked_wishes(given: Mapping[str, Any]) -> Wishes:
    """Raises `InvalidInput`."""
    wishes, faults = read_wishes(given)
    if wishes is None:
        raise InvalidInput(faults)
    return wishes


async def accept_plan(uow: UnitOfWork, user_id: str, wishes: Wishes, now: datetime) -> Accepted:
    """A new plan. Raises `RateLimited`, `PlanTooLong`, `TooManyPlans`, in this order."""
    allowance = await hold_learner(uow, user_id, now)
    await allowance.check_rate()
    allowance.check_length(wishes)
    await allowance.check_active()
    plan = Plan(
        id=str(uuid4()),
        user_id=user_id,
        wishes=wishes,
        status=PlanStatus.GENERATING,
        is_quota_eligible=False,
        finalized_at=None,
        active_job_id=None,
        last_job_id=None,
        created_at=now,
        updated_at=now,
    )
    await uow.plans.add(plan)
    return Accepted(plan, priority_of(allowance.tier, wishes.topic), QuotaKind.PLAN, allowance)


def changed_wishes(wishes: Wishes, overrides: Mapping[str, Any]) -> Wishes:
    """The wishes of a regeneration. Raises `InvalidInput`."""
    found, faults = merged(wishes, overrides)
    if found is None:
        raise InvalidInput([(f"overrides.{field}", problem) for field, problem in faults])
    return found


def check_overrides(overrides: Mapping[str, Any]) -> None:
    """What is wrong with the request itself, before it is asked whose plan it is for. Raises `InvalidInput`."""
    changed_wishes(ANY_WISHES, overrides)


async def accept_regeneration(
    uow: UnitOfWork, user_id: str, plan_id: str, overrides: Mapping[str, Any], now: datetime
) -> Accepted:
    """Another making of a plan. Raises `InvalidInput`, `NotFound`, `Conflict` (a job is open), `RateLimited`,
    `PlanTooLong`, `QuotaExceeded`, `TooManyPlans` (a failed plan would be active again)."""
    allowance = await hold_learner(uow, user_id, now)
    plan = await owned_plan(uow, user_id, plan_id)
    wishes = changed_wishes(plan.wishes, overrides)
    if plan.active_job_id is not None:
        raise Conflict("the plan is being made just now", plan.active_job_id)
    await allowance.check_rate()
    allowance.check_length(wishes)
    await allowance.check_regenerations()
    if plan.status is PlanStatus.FAILED:
        await allowance.check_active()
    return Accepted(plan, priority_of(allowance.tier, wishes.topic), QuotaKind.REGENERATION, allowance)


async def owned_plan(uow: UnitOfWork, user_id: str, plan_id: str) -> Plan:
    """The learner's plan, its row locked. Raises `NotFound`, also for another learner's."""
    plan = await uow.plans.hold(plan_id)
    if plan is None or plan.user_id != user_id:
        raise NotFound("plan")
    return plan
