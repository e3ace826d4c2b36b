"""plan_regeneration."""

from typing import Any

from penstock import Job
from systems.learning_plans.domain.errors import InvalidJobData, NotFound
from systems.learning_plans.domain.wishes import merged
from systems.learning_plans.handlers.jobs import PlanRegeneration
from systems.learning_plans.handlers.plan_generation_handler import id_faults
from systems.learning_plans.handlers.plan_job import Order, PlanJobHandler


class PlanRegenerationHandler(PlanJobHandler):
    """Makes a plan anew, with the fields changed that the job's data names; what fails changes nothing of it."""

    handles = PlanRegeneration
    is_regeneration = True

    async def order(self, job: Job[Any]) -> Order:
        """See the base class."""
        data = job.data
        overrides = {} if data.overrides is None else data.overrides
        faults = id_faults(data)
        if not isinstance(overrides, dict):
            faults.append(("overrides", "must be an object"))
        if faults:
            raise InvalidJobData(faults)
        async with self._desk.reads() as uow:
            plan = await uow.plans.get(data.plan_id)
            before = await uow.plans.content(data.plan_id)
        if plan is None or plan.user_id != data.user_id:
            raise NotFound("plan")
        wishes, faults = merged(plan.wishes, overrides)
        if wishes is None:
            raise InvalidJobData(faults)
        return Order(plan.id, plan.user_id, wishes, before)
