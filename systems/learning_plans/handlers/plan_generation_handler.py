"""plan_generation."""

from typing import Any

from penstock import Job
from systems.learning_plans.domain.errors import Fault, InvalidJobData
from systems.learning_plans.domain.wishes import read_wishes
from systems.learning_plans.handlers.jobs import PlanGeneration
from systems.learning_plans.handlers.plan_job import Order, PlanJobHandler


class PlanGenerationHandler(PlanJobHandler):
    """Fills a new plan with what its job's data wishes for."""

    handles = PlanGeneration
    is_regeneration = False

    async def order(self, job: Job[Any]) -> Order:
        """See the base class; a plan that is gone shows when it is to be written."""
        faults = id_faults(job.data)
        wishes, more = read_wishes(job.data.model_dump())
        if faults or wishes is None:
            raise InvalidJobData([*faults, *more])
        return Order(job.data.plan_id, job.data.user_id, wishes)


def id_faults(data: Any) -> list[Fault]:
    """What is wrong with whom and what a job is about."""
    return [
        (name, "must be a text")
        for name in ("plan_id", "user_id")
        if not isinstance(value := getattr(data, name), str) or not value.strip()
    ]
