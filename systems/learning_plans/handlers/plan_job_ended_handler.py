"""plan_job_ended: what is written when a job has ended without its handler."""

from typing import Any

from penstock import Job
from systems.learning_plans.application.failing import FailedJob, settle_failure
from systems.learning_plans.application.services.persistence_service import PersistenceService
from systems.learning_plans.domain.classification import CANCELLED, FailureClass
from systems.learning_plans.handlers.base import PlanJobResult
from systems.learning_plans.handlers.desk import Desk
from systems.learning_plans.handlers.events import logged, named
from systems.learning_plans.handlers.jobs import JobType, PlanJobEnded

_TIMED_OUT = "TimeoutError"
_SENTENCES = {
    CANCELLED: "cancelled",
    FailureClass.TIMEOUT: "the work on the plan took too long",
    FailureClass.UNKNOWN: "the work on the plan was lost",
}


class PlanJobEndedHandler:
    """Lets go of the plan, refunds the quota, writes what the job's runs have used. Nothing that was settled before is
    settled again."""

    handles = PlanJobEnded

    def __init__(self, persistence: PersistenceService, desk: Desk) -> None:
        self._persistence = persistence
        self._desk = desk

    async def process_job(self, job: Job[PlanJobEnded]) -> PlanJobResult:
        """See the class."""
        ended, data = job.data, job.data.data
        plan_id, user_id = named(data.get("plan_id")), named(data.get("user_id"))
        await self._persistence.record_usage(user_id, ended.job_id)
        attempts, why = await self._why(ended)
        failed = FailedJob(
            job_id=ended.job_id,
            plan_id=plan_id,
            user_id=user_id,
            attempt=attempts,
            is_regeneration=ended.kind == JobType.PLAN_REGENERATION,
            classification=why,
            message=_SENTENCES[why],
        )
        async with self._desk.units() as uow, job.transaction(on=uow.session) as tx:
            now = self._desk.clock.now()
            if ended.kind == JobType.PLAN_CURATION:
                await uow.curated.give_up(plan_id, data.get("task_ids"), failed.message, now)
            else:
                for event in await settle_failure(uow, failed, now):
                    await tx.publish(logged(event), subject=event.plan_id)
            tx.complete()
        return PlanJobResult("completed", plan_id, classification=why)

    async def _why(self, ended: PlanJobEnded) -> tuple[int, Any]:
        """The attempts of the ended job, and what stands for its failure."""
        errors = await self._desk.engine.jobs.errors(ended.job_id)
        attempts = max((error.attempt for error in errors), default=1)
        if ended.state == "cancelled":
            return attempts, CANCELLED
        timed_out = bool(errors) and errors[-1].error_class == _TIMED_OUT
        return attempts, FailureClass.TIMEOUT if timed_out else FailureClass.UNKNOWN
