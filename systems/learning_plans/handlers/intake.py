"""What learners' requests start and stop: rows, jobs and events of a request commit together."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from penstock import JobView
from penstock import NotFound as NoSuchJob
from systems.learning_plans.application.accepting import (
    Accepted,
    accept_plan,
    accept_regeneration,
    check_overrides,
    checked_wishes,
    owned_plan,
)
from systems.learning_plans.application.failing import FailedJob, settle_failure
from systems.learning_plans.application.ports import JobPort
from systems.learning_plans.domain.classification import CANCELLED, FailureClass
from systems.learning_plans.domain.entities import Plan, PlanStatus
from systems.learning_plans.domain.errors import Conflict, NotFound
from systems.learning_plans.domain.events import PlanEvent, PlanEventType
from systems.learning_plans.domain.wishes import as_json
from systems.learning_plans.handlers.desk import CurationMode, Desk
from systems.learning_plans.handlers.jobs import LEARNERS_KINDS, JobType, PlanGeneration, PlanRegeneration
from systems.learning_plans.handlers.plan_curation_job import PlanCurationJob
from systems.learning_plans.handlers.running import WritingUnit, attempts_of


@dataclass(frozen=True, slots=True)
class Started:
    """A plan and the job that makes it."""

    plan: Plan
    job_id: str


class Intake:
    """Create, regenerate, curate, cancel, delete. Whose object it is not, `NotFound` says of it."""

    def __init__(self, desk: Desk, jobs: JobPort) -> None:
        self._desk = desk
        self._jobs = jobs

    async def create(self, user_id: str, body: Mapping[str, Any], *, max_attempts: int | None = None) -> Started:
        """Accept a plan. Raises `InvalidInput` and as `accept_plan`; refused requests leave nothing behind."""
        wishes = checked_wishes(body)
        async with self._desk.units() as uow:
            accepted = await accept_plan(uow, user_id, wishes, self._desk.clock.now())
            plan = accepted.plan
            data = PlanGeneration(plan_id=plan.id, user_id=user_id, **as_json(wishes))
            started = await self._start(uow, accepted, data, max_attempts=max_attempts)
            now = self._desk.clock.now()
            await self._desk.tell(uow, [PlanEvent(PlanEventType.CREATED, plan.id, user_id, started.job_id, 0, now)])
        return started

    async def regenerate(self, user_id: str, plan_id: str, overrides: Mapping[str, Any]) -> Started:
        """Accept another making of a plan. Raises as `accept_regeneration`."""
        check_overrides(overrides)
        async with self._desk.units() as uow:
            # The learner before the plan, as everywhere: two requests must not wait for each other.
            await uow.users.hold(user_id, self._desk.clock.now())
            await self._settle_what_is_over(uow, plan_id)
            accepted = await accept_regeneration(uow, user_id, plan_id, overrides, self._desk.clock.now())
            data = PlanRegeneration(plan_id=plan_id, user_id=user_id, overrides=dict(overrides))
            return await self._start(uow, accepted, data)

    async def curate(self, user_id: str, plan_id: str) -> str:
        """Let skipped and failed tasks, and those never asked about, be curated; the job's id. It has nothing to do
        when there are none.

        Raises `NotFound`, and `Conflict` when a job is open or curation is switched off.
        """
        async with self._desk.units() as uow:
            plan = await owned_plan(uow, user_id, plan_id)
            if self._desk.curation is CurationMode.OFF:
                raise Conflict("curation is switched off here")
            if plan.active_job_id is not None:
                raise Conflict("the plan is being made just now", plan.active_job_id)
            tasks = await uow.curated.ask_again(plan_id, self._desk.clock.now())
            async with self._desk.engine.transaction(on=uow.session) as tx:
                data = PlanCurationJob(plan_id=plan_id, user_id=user_id, task_ids=list(tasks))
                handle = await tx.enqueue(data)
        return handle.id

    async def cancel(self, user_id: str, job_id: str) -> None:
        """Stop a job. Raises `NotFound`, and `Conflict` when it has ended otherwise."""
        view = await self.learners_job(user_id, job_id)
        async with self._desk.units() as uow:
            await self._stop(uow, view, user_id)

    async def delete(self, user_id: str, plan_id: str) -> None:
        """Remove a plan with all that hangs on it, and stop its open job. Raises `NotFound`."""
        async with self._desk.units() as uow:
            plan = await owned_plan(uow, user_id, plan_id)
            if plan.active_job_id is not None:
                # One that has ended by itself is no hindrance.
                with suppress(NoSuchJob, Conflict):
                    await self._stop(uow, await self._desk.engine.get(plan.active_job_id), user_id)
            await uow.plans.delete(plan_id)

    async def learners_job(self, user_id: str, job_id: str) -> JobView:
        """A job that is the learner's. Raises `NotFound`."""
        try:
            view = await self._desk.engine.get(job_id)
            data, _ = await self._desk.engine.jobs.payload(job_id)
        except NoSuchJob:
            raise NotFound("job") from None
        if view.kind not in LEARNERS_KINDS or data.get("user_id") != user_id:
            raise NotFound("job")
        return view

    async def _start(
        self, uow: WritingUnit, accepted: Accepted, data: PlanGeneration | PlanRegeneration, **options: Any
    ) -> Started:
        plan = accepted.plan
        async with self._desk.engine.transaction(on=uow.session) as tx:
            handle = await tx.enqueue(data, **self._desk.plan_options(plan.id, accepted.priority), **options)
        if not handle.created:
            raise Conflict("the plan is being made just now", handle.id)
        return Started(await accepted.attach(handle.id), handle.id)

    async def _stop(self, uow: WritingUnit, view: JobView, user_id: str) -> None:
        data, _ = await self._desk.engine.jobs.payload(view.id)
        failed = _cancelled(view, data["plan_id"], user_id)
        # Our own rows first, as everywhere: whoever completes the job locks in the same order.
        if view.kind != JobType.PLAN_CURATION:
            await self._desk.tell(uow, await settle_failure(uow, failed, self._desk.clock.now()))
        report = await self._desk.engine.jobs.cancel(view.id, reason="cancelled", on=uow.session)
        if report.ended:
            raise Conflict("the job has ended already")

    async def _settle_what_is_over(self, uow: WritingUnit, plan_id: str) -> None:
        """A job that has ended without its handler is told of by a job of its own; who comes before that settles it."""
        plan = await uow.plans.hold(plan_id)
        if plan is None or plan.active_job_id is None:
            return
        row = await self._jobs.find(plan.active_job_id)
        if row is not None and row.is_terminal:
            was_cancelled = row.status == CANCELLED
            failed = FailedJob(
                job_id=row.id,
                plan_id=plan.id,
                user_id=plan.user_id,
                attempt=row.attempts,
                is_regeneration=plan.status is not PlanStatus.GENERATING,
                classification=CANCELLED if was_cancelled else FailureClass.UNKNOWN,
                message=CANCELLED if was_cancelled else "the work on the plan was lost",
            )
            await self._desk.tell(uow, await settle_failure(uow, failed, self._desk.clock.now()))


def _cancelled(view: JobView, plan_id: str, user_id: str) -> FailedJob:
    return FailedJob(
        job_id=view.id,
        plan_id=plan_id,
        user_id=user_id,
        attempt=attempts_of(view),
        is_regeneration=view.kind == JobType.PLAN_REGENERATION,
        classification=CANCELLED,
        message=CANCELLED,
    )
