"""How both plan jobs run: one path from the data to the plan, and one for whatever goes wrong."""

import logging
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from penstock import Cancel, ClaimLost, Job, JobData, Permanent, Retry, Snooze
from systems.learning_plans.application.curation_ports import CurationInput, CurationTask, TaskOutcome
from systems.learning_plans.application.failing import FailedJob
from systems.learning_plans.application.generation import (
    AttemptReport,
    GenerationContext,
    GenerationFailure,
    GenerationInput,
    GenerationSuccess,
    unexpected,
)
from systems.learning_plans.application.services.curation_service import CurationService
from systems.learning_plans.application.services.generation_service import GenerationService
from systems.learning_plans.application.services.persistence_service import (
    CompletedJob,
    FailedRun,
    PersistenceService,
)
from systems.learning_plans.domain.classification import FailureClass
from systems.learning_plans.domain.entities import Module, Wishes
from systems.learning_plans.domain.errors import InvalidJobData, NotFound, PlanReplaced
from systems.learning_plans.domain.events import PlanEvent, PlanEventType
from systems.learning_plans.domain.keeping import kept_tasks
from systems.learning_plans.domain.numbering import numbered
from systems.learning_plans.handlers.base import AttemptFailed, PlanJobResult, RunOptions
from systems.learning_plans.handlers.desk import CurationMode, Desk
from systems.learning_plans.handlers.events import named
from systems.learning_plans.handlers.jobs import PLAN_RETRY
from systems.learning_plans.handlers.telling import telling

logger = logging.getLogger(__name__)

# Before a failure that could not be written is tried again.
_GIVE_UP_AGAIN_S = 5.0
# Left of a run's time for storing what was found, when inline curation is cut short.
_STORING = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Order:
    """What a job is to make, and the content that it replaces."""

    plan_id: str
    user_id: str
    wishes: Wishes
    before: tuple[Module, ...] = ()


class _NoPlan(Exception):
    """Carries a failure out of a step, whose result must not be kept."""

    def __init__(self, failure: GenerationFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(slots=True)
class _Attempt:
    """One run on its way."""

    job: Job[Any]
    opts: RunOptions
    began: float = field(default_factory=time.monotonic)

    @property
    def duration_ms(self) -> int:
        return round((time.monotonic() - self.began) * 1_000)


class PlanJobHandler(ABC):
    """Both plan handlers share the same three services."""

    handles: ClassVar[type[JobData]]
    is_regeneration: ClassVar[bool]

    def __init__(
        self, generation: GenerationService, curation: CurationService, persistence: PersistenceService, desk: Desk
    ) -> None:
        self.generation = generation
        self.curation = curation
        self.persistence = persistence
        self._desk = desk

    @abstractmethod
    async def order(self, job: Job[Any]) -> Order:
        """Check the data. Raises `InvalidJobData`, or `NotFound` when the plan is gone or another learner's."""

    async def process_job(self, job: Job[Any], opts: RunOptions | None = None) -> PlanJobResult:
        """Make the plan and end the job with it. Raises `Retry` for a failure that another attempt may mend."""
        attempt = _Attempt(job, opts or RunOptions.of(job))
        try:
            return await self._made(attempt, await self.order(job))
        except (Retry, Permanent, Snooze, Cancel, ClaimLost):
            raise
        except (InvalidJobData, NotFound) as error:
            return await self._give_up(attempt, FailureClass.VALIDATION, str(error))
        except PlanReplaced as error:
            return await self._give_up(attempt, FailureClass.CONFLICT, str(error))
        except _NoPlan as error:
            return await self._no_plan(attempt, error.failure)
        except Exception as error:
            logger.exception("a plan job failed unexpectedly", extra={"job_id": job.id, "kind": job.kind})
            return await self._no_plan(attempt, unexpected(error, attempt.duration_ms))

    async def _made(self, attempt: _Attempt, order: Order) -> PlanJobResult:
        job = attempt.job
        made = await job.step("plan", partial(self._generated, attempt), order)
        kept = kept_tasks(order.before, made.modules)
        modules = numbered(job.id, made.modules, kept)
        curate, finds = await self._curated(attempt, order, modules, set(kept.values()))
        result = PlanJobResult(
            status="completed",
            plan_id=order.plan_id,
            modules_count=len(modules),
            tasks_count=sum(len(module.tasks) for module in modules),
            duration_ms=attempt.duration_ms,
            provider=made.provider,
            model=made.model,
            curation=self._desk.curation,
        )
        await self.persistence.complete_job(
            CompletedJob(
                run=self._desk.run_of(job),
                plan_id=order.plan_id,
                user_id=order.user_id,
                attempt=job.attempt,
                is_regeneration=self.is_regeneration,
                wishes=order.wishes,
                modules=modules,
                report=made.report,
                result=result.as_json(),
                curate=curate,
                finds=finds,
            )
        )
        return result

    async def _generated(self, attempt: _Attempt, order: Order) -> GenerationSuccess:
        """The step that asks the model. Raises `_NoPlan`."""
        job = attempt.job
        async with self._desk.reads() as uow:
            before = await uow.attempts.count(job.id)
        facts = (order.plan_id, order.user_id, job.id, job.attempt)
        async with telling(job) as tell:
            tell(PlanEvent(PlanEventType.GENERATION_STARTED, *facts, self._desk.clock.now()))

            def on_module(number: int, title: str) -> None:
                now = self._desk.clock.now()
                tell(PlanEvent(PlanEventType.MODULE_DETECTED, *facts, now, number=number, title=title))

            outcome = await self.generation.generate_plan(
                GenerationInput(order.plan_id, order.user_id, order.wishes),
                GenerationContext(self._desk.clock.now().date(), before, on_module),
            )
        if isinstance(outcome, GenerationFailure):
            raise _NoPlan(outcome)
        return outcome

    async def _curated(
        self, attempt: _Attempt, order: Order, modules: tuple[Module, ...], kept: set[str]
    ) -> tuple[list[str], tuple[TaskOutcome, ...]]:
        """The tasks to curate (those that were there before have their standing), and what was found if it was now."""
        new = [
            CurationTask(task.id, (module.order, task.order), task.title, task.description)
            for module in modules
            for task in module.tasks
            if task.id not in kept
        ]
        if self._desk.curation is CurationMode.OFF or not new:
            return [], ()
        ids = [task.id for task in new]
        if self._desk.curation is CurationMode.QUEUED:
            return ids, ()
        return ids, await attempt.job.step("curation", self._curated_now, attempt, order, new)

    async def _curated_now(self, attempt: _Attempt, order: Order, tasks: list[CurationTask]) -> tuple[TaskOutcome, ...]:
        now, left = self._desk.clock.now(), attempt.job.timeout_s
        ends_by = None if left is None else now + timedelta(seconds=left - attempt.duration_ms / 1_000) - _STORING
        wishes = order.wishes
        asked = CurationInput(order.plan_id, wishes.topic, wishes.skill_level, tasks, ends_by=ends_by, in_memory=True)
        return (await self.curation.curate_and_attach_resources(asked)).outcomes

    async def _no_plan(self, attempt: _Attempt, failure: GenerationFailure) -> PlanJobResult:
        job = attempt.job
        if not failure.retryable or job.is_last_attempt:
            return await self._give_up(attempt, failure.classification, failure.message, failure.report)
        failed = self._failed(attempt, failure.classification, failure.message, failure.report)
        await self.persistence.record_attempt(FailedRun(self._desk.run_of(job), failed))
        usual_s = min(PLAN_RETRY.cap, PLAN_RETRY.base * PLAN_RETRY.factor ** (job.attempt - 1))
        after = None if failure.retry_after_s is None else max(failure.retry_after_s, usual_s)
        raise AttemptFailed(failure.message, failure.classification, after=after)

    async def _give_up(
        self, attempt: _Attempt, classification: FailureClass, message: str, report: AttemptReport | None = None
    ) -> PlanJobResult:
        failed = self._failed(attempt, classification, message, report)
        try:
            await self.persistence.fail_job(FailedRun(self._desk.run_of(attempt.job), failed))
        except ClaimLost:
            raise
        except Exception as error:
            # The job must not end while its plan still says that it is being made: nobody would end that for a while.
            logger.exception("a failure could not be written", extra={"job_id": attempt.job.id})
            raise Snooze(_GIVE_UP_AGAIN_S, f"its failure could not be written: {error}") from error
        return PlanJobResult("failed", failed.plan_id, duration_ms=attempt.duration_ms, classification=classification)

    def _failed(
        self, attempt: _Attempt, classification: FailureClass, message: str, report: AttemptReport | None
    ) -> FailedJob:
        job, data = attempt.job, attempt.job.data
        return FailedJob(
            job_id=job.id,
            plan_id=named(data.plan_id),
            user_id=named(data.user_id),
            attempt=job.attempt,
            is_regeneration=self.is_regeneration,
            classification=classification,
            message=message,
            report=report,
        )
