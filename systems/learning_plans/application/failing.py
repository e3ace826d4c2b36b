"""What becomes of a plan, its quota and its story when its job ends without success."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from systems.learning_plans.application.generation import AttemptReport
from systems.learning_plans.application.repositories import PlanChange, Reservation, UnitOfWork
from systems.learning_plans.domain.entities import PlanStatus
from systems.learning_plans.domain.events import PlanEvent, PlanEventType
from systems.learning_plans.domain.tiers import ReservationState


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that has failed for good or was stopped, and why.

    `plan_id` and `user_id` are those of its data, as far as they can be read; `classification` is that of the failure,
    or `cancelled`; `report` is None when no AI run came to an end.
    """

    job_id: str
    plan_id: str
    user_id: str
    attempt: int
    is_regeneration: bool
    classification: str
    message: str
    report: AttemptReport | None = None

    def event(self, type: PlanEventType, now: datetime) -> PlanEvent:
        """The failure as a fact."""
        return PlanEvent(
            type, self.plan_id, self.user_id, self.job_id, self.attempt, now,
            classification=self.classification, message=self.message,
        )  # fmt: skip


async def settle_failure(uow: UnitOfWork, failed: FailedJob, now: datetime) -> list[PlanEvent]:
    """Let go of the plan and refund what the job held; what is to be told, nothing when all was settled before.

    A first generation leaves the plan `failed`; after a regeneration the plan is as it was.
    """
    plan = await uow.plans.hold_of_job(failed.job_id)
    if plan is not None:
        # The one that is still generating has never been ready, or was failed when its regeneration began.
        to = PlanStatus.FAILED if plan.status is PlanStatus.GENERATING else None
        await uow.plans.change(plan.id, PlanChange((plan.status,), status=to), now)
    refunded = await uow.usage.settle(failed.job_id, ReservationState.REFUNDED)
    told: list[PlanEvent] = []
    if refunded is not None:
        told.append(usage_event(PlanEventType.USAGE_REFUNDED, failed, refunded, now))
    if plan is not None or refunded is not None:
        told.append(failure_event(failed, now))
    return told


def failure_event(failed: FailedJob, now: datetime) -> PlanEvent:
    """The end of the job's story."""
    return failed.event(PlanEventType.REGENERATION_FAILED if failed.is_regeneration else PlanEventType.FAILED, now)


class _OfJob(Protocol):
    @property
    def job_id(self) -> str: ...
    @property
    def plan_id(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def attempt(self) -> int: ...


def usage_event(type: PlanEventType, job: _OfJob, unit: Reservation, now: datetime) -> PlanEvent:
    """What became of the unit that a job held."""
    return PlanEvent(type, job.plan_id, job.user_id, job.job_id, job.attempt, now, kind=unit.kind)
