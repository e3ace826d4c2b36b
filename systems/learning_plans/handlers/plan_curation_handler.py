"""plan_curation."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock import ClaimLost, Event, Job
from systems.learning_plans.application.curation_ports import (
    Clock,
    Curate,
    CurationInput,
    CurationStatus,
    CurationSummary,
    CurationWork,
    PlanTopic,
    TaskOutcome,
)
from systems.learning_plans.application.services.curation_service import CurationService
from systems.learning_plans.domain.classification import FailureClass
from systems.learning_plans.domain.errors import NotFound
from systems.learning_plans.handlers.base import PlanJobResult
from systems.learning_plans.handlers.plan_curation_job import TIMEOUT_S, PlanCurationJob

logger = logging.getLogger(__name__)

RecordUsage = Callable[[str, str], Awaitable[None]]

# Left of the job's time for storing what was found, when curation is cut short.
STORING = timedelta(seconds=30)


class PlanCurated(Event, type="plan.curated", stream="plans"):
    """The curation of a plan has ended; the numbers are of tasks, but for the last two."""

    plan_id: str
    user_id: str
    job_id: str
    attempt: int
    timestamp: datetime
    done: int
    skipped: int
    failed: int
    resources: int
    micro_explanations: int


@dataclass(frozen=True, slots=True)
class CurationResult:
    """What the job answers; see `PlanCurated`."""

    plan_id: str
    done: int
    skipped: int
    failed: int
    resources: int
    micro_explanations: int


class PlanCurationHandler:
    """Each task's searches, and its explanation, are a durable step: a run that goes on after a stop or a crash asks
    nobody again about a finished one, and only stores what is not stored yet."""

    handles = PlanCurationJob

    def __init__(self, curation: CurationService, work: CurationWork, clock: Clock, record_usage: RecordUsage) -> None:
        """`record_usage` is told user and job when the models' calls of a run have been made."""
        self._curation = curation
        self._work = work
        self._clock = clock
        self._record_usage = record_usage

    async def process_job(self, job: Job[PlanCurationJob]) -> PlanJobResult:
        """Curate, and say so in the log. A plan that is gone or another learner's fails the job for good."""
        began, data = time.monotonic(), job.data
        topic = await self._work.topic(data.plan_id, data.user_id)
        if topic is None:
            async with job.transaction() as tx:
                tx.fail(f"{NotFound('plan')} ({FailureClass.VALIDATION})")
            return PlanJobResult("failed", data.plan_id, classification=FailureClass.VALIDATION)
        # Which tasks they are is remembered: those that an earlier run has finished are no longer open, but it may have
        # ended between finding and storing.
        task_ids = await job.step("open tasks", self._work.open_task_ids, data.plan_id, data.task_ids)
        try:
            summary = await self._curate(job, topic, task_ids)
            await self._record_usage(data.user_id, job.id)
        except ClaimLost:
            raise
        except Exception as error:
            await self._leave(job, task_ids, error)
            raise
        result = _result(data.plan_id, summary)
        async with job.transaction() as tx:
            await tx.publish(self._curated(job, result), subject=data.plan_id)
            tx.complete(result)
        duration_ms = round((time.monotonic() - began) * 1_000)
        return PlanJobResult("completed", data.plan_id, tasks_count=len(summary.outcomes), duration_ms=duration_ms)

    async def _curate(self, job: Job[PlanCurationJob], topic: PlanTopic, task_ids: list[str]) -> CurationSummary:
        return await self._curation.curate_and_attach_resources(
            CurationInput(
                plan_id=job.data.plan_id,
                topic=topic.topic,
                skill_level=topic.skill_level,
                tasks=await self._work.tasks(job.data.plan_id, task_ids),
                ends_by=self._clock.now() + timedelta(seconds=job.timeout_s or TIMEOUT_S) - STORING,
                once=_Steps(job),
            )
        )

    async def _leave(self, job: Job[PlanCurationJob], task_ids: list[str], error: Exception) -> None:
        """After a run that failed: its calls are written, and after the last one its tasks can be asked for again.

        What cannot be written either is only logged, so that the run's own error is what the job tells.
        """
        try:
            await self._record_usage(job.data.user_id, job.id)
            if job.is_last_attempt:
                await self._curation.give_up(task_ids, f"curation failed ({type(error).__name__})")
        except Exception:
            logger.exception("what is left of a curation could not be written", extra={"job_id": job.id})

    def _curated(self, job: Job[PlanCurationJob], result: CurationResult) -> PlanCurated:
        return PlanCurated(
            user_id=job.data.user_id,
            job_id=job.id,
            attempt=job.attempt,
            timestamp=self._clock.now(),
            plan_id=result.plan_id,
            done=result.done,
            skipped=result.skipped,
            failed=result.failed,
            resources=result.resources,
            micro_explanations=result.micro_explanations,
        )


class _Steps:
    """The hook `Once`, by the steps of a job."""

    def __init__(self, job: Job[PlanCurationJob]) -> None:
        self._job = job

    async def __call__(self, name: str, curate: Curate, /) -> TaskOutcome:
        return await self._job.step(name, curate, returns=TaskOutcome)


def _result(plan_id: str, summary: CurationSummary) -> CurationResult:
    return CurationResult(
        plan_id=plan_id,
        done=summary.count(CurationStatus.DONE),
        skipped=summary.count(CurationStatus.SKIPPED),
        failed=summary.count(CurationStatus.FAILED),
        resources=summary.resources,
        micro_explanations=summary.micro_explanations,
    )
