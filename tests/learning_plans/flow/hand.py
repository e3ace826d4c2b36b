"""A run of a plan job held by hand: what handlers do, without a worker around it."""

from typing import Any

from penstock import Job
from systems.learning_plans import LearningPlans
from systems.learning_plans.application.failing import FailedJob
from systems.learning_plans.application.generation import AttemptReport
from systems.learning_plans.application.services.persistence_service import (
    CompletedJob,
    FailedRun,
    PersistenceService,
)
from systems.learning_plans.domain.entities import LearningStyle, ModuleDraft, SkillLevel, TaskDraft, Wishes
from systems.learning_plans.domain.numbering import numbered
from systems.learning_plans.handlers.running import EngineRun
from systems.learning_plans.infrastructure.unit_of_work import write_units
from tests.learning_plans.support import USER
from tests.support.engine import HandWorker, run_of

REPORT = AttemptReport(10, 1, 1, False, False, False, "h", {"provider": {"name": "p", "model": "m"}})
WISHED = Wishes("By hand", None, SkillLevel.BEGINNER, 5, LearningStyle.MIXED)
DRAFTS = (ModuleDraft("M", "m", 30, (TaskDraft("T", "t", 20), TaskDraft("U", "u", 20))),)


class HandPort:
    """What a worker gives its runs, as far as these tests need it."""

    def __init__(self, plans: LearningPlans) -> None:
        self._producer = plans.engine.producer

    def transaction(self, job: Job[Any], on: Any) -> Any:
        return self._producer.transaction_for_run(job, on, "hand")

    async def publish(self, job: Job[Any], events: Any, on: Any = None) -> None:
        await self._producer.publish_for_run(job, events, on)


class Hand:
    """Claims plan jobs one by one."""

    def __init__(self, plans: LearningPlans, worker: HandWorker) -> None:
        self.plans = plans
        self.worker = worker

    @classmethod
    async def at(cls, plans: LearningPlans) -> "Hand":
        return cls(plans, await HandWorker.register(plans.engine.store, queues=("plans",)))

    async def claim(self) -> EngineRun:
        """The run of the next plan job."""
        job = run_of(await self.worker.claim_one(queue="plans"))
        job.port = HandPort(self.plans)  # type: ignore[assignment]
        return EngineRun(job, write_units(self.plans.database.sessions))


def persistence_of(plans: LearningPlans) -> PersistenceService:
    handler: Any = plans.handlers["plan_generation"]
    found: PersistenceService = handler.persistence
    return found


def completed(run: EngineRun, plan_id: str, **more: Any) -> CompletedJob:
    given: dict[str, Any] = {
        "run": run, "plan_id": plan_id, "user_id": USER, "attempt": 1, "is_regeneration": False, "wishes": WISHED,
        "modules": numbered(run.job_id, DRAFTS, {}), "report": REPORT, "result": {"status": "completed"},
    }  # fmt: skip
    return CompletedJob(**{**given, **more})


def failed(run: EngineRun, plan_id: str) -> FailedRun:
    job = FailedJob(run.job_id, plan_id, USER, 1, False, "unknown", "it broke", REPORT)
    return FailedRun(run, job)
