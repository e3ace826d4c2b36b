"""plan_stuck_sweep and job_retention."""

import logging
from collections.abc import Collection
from datetime import timedelta

from penstock import Job
from systems.learning_plans.application.failing import FailedJob, failure_event, settle_failure
from systems.learning_plans.application.ports import JobPort
from systems.learning_plans.application.repositories import PlanChange
from systems.learning_plans.domain.classification import FailureClass
from systems.learning_plans.domain.entities import Plan, PlanStatus
from systems.learning_plans.handlers.desk import Desk
from systems.learning_plans.handlers.jobs import JobRetention, PlanStuckSweep

logger = logging.getLogger(__name__)

FORSAKEN_AFTER = timedelta(minutes=15)


class PlanStuckSweepHandler:
    """The net under everything else: a plan that says it is being made, and has no open job, has failed."""

    handles = PlanStuckSweep

    def __init__(self, jobs: JobPort, desk: Desk) -> None:
        self._jobs = jobs
        self._desk = desk

    async def process_job(self, job: Job[PlanStuckSweep]) -> int:
        """How many plans were failed."""
        async with self._desk.reads() as uow:
            plans = await uow.plans.forsaken(self._desk.clock.now() - FORSAKEN_AFTER)
        failed = [plan for plan in plans if await self._fail(plan)]
        if failed:
            logger.warning("plans were left without a job", extra={"plans": [plan.id for plan in failed]})
        return len(failed)

    async def _fail(self, seen: Plan) -> bool:
        open_job = None if seen.active_job_id is None else await self._jobs.find(seen.active_job_id)
        if open_job is not None and not open_job.is_terminal:
            return False
        now = self._desk.clock.now()
        failed = FailedJob(
            job_id=seen.active_job_id or "",
            plan_id=seen.id,
            user_id=seen.user_id,
            attempt=0 if open_job is None else open_job.attempts,
            is_regeneration=False,
            classification=FailureClass.UNKNOWN,
            message="the work on the plan was lost",
        )
        async with self._desk.units() as uow:
            plan = await uow.plans.hold(seen.id)
            if plan is None or plan.status is not PlanStatus.GENERATING or plan.active_job_id != seen.active_job_id:
                return False
            told = await settle_failure(uow, failed, now) if failed.job_id else []
            if not told:
                await uow.plans.change(plan.id, PlanChange((plan.status,), status=PlanStatus.FAILED), now)
                told = [failure_event(failed, now)]
            await self._desk.tell(uow, told)
        return True


class JobRetentionHandler:
    """Removes jobs of this system that ended long ago; open ones stay, however old."""

    handles = JobRetention

    def __init__(self, desk: Desk, queues: Collection[str]) -> None:
        self._desk = desk
        self._queues = queues

    async def process_job(self, job: Job[JobRetention]) -> int:
        """How many jobs were removed."""
        age = timedelta(days=job.data.older_than_days)
        return await self._desk.engine.jobs.prune(self._queues, older_than=age)
