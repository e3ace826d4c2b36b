"""Writes how jobs end: content, plan, usage, quota and what is billed, in the transaction that ends the job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from systems.learning_plans.application.curation_ports import Clock, TaskOutcome
from systems.learning_plans.application.failing import FailedJob, failure_event, settle_failure, usage_event
from systems.learning_plans.application.generation import AttemptReport
from systems.learning_plans.application.ports import Ending, JobPort, JobRow, ModelCall, Run, UsageMeter
from systems.learning_plans.application.repositories import MeterEvent, PlanChange, UnitOfWork, WriteUnits
from systems.learning_plans.application.usage_rows import usage_rows
from systems.learning_plans.domain.entities import Module, PlanStatus, Wishes
from systems.learning_plans.domain.errors import PlanReplaced
from systems.learning_plans.domain.events import PlanEvent, PlanEventType
from systems.learning_plans.domain.tiers import ReservationState

_BILLED_AS = {PlanEventType.READY: "plan_generated", PlanEventType.REGENERATED: "plan_regenerated"}


@dataclass(frozen=True, slots=True)
class CompletedJob:
    """A plan that is made, for these wishes. `curate` are the tasks to be curated, by a job of its own unless `finds`
    has what was found for them."""

    run: Run
    plan_id: str
    user_id: str
    attempt: int
    is_regeneration: bool
    wishes: Wishes
    modules: tuple[Module, ...]
    report: AttemptReport
    result: Mapping[str, object]
    curate: Sequence[str] = ()
    finds: Sequence[TaskOutcome] = ()

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.run.job_id

    @property
    def ends_as(self) -> PlanEventType:
        """The last event of the job."""
        return PlanEventType.REGENERATED if self.is_regeneration else PlanEventType.READY


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run that has failed, and what with."""

    run: Run
    failed: FailedJob


class PersistenceService:
    """`complete_job` and `fail_job` answer the job's row: unchanged when it had ended before, None for none."""

    def __init__(self, jobs: JobPort, meter: UsageMeter, units: WriteUnits, clock: Clock) -> None:
        self._jobs = jobs
        self._meter = meter
        self._units = units
        self._clock = clock

    async def complete_job(self, done: CompletedJob) -> JobRow | None:
        """Write the plan. Raises `PlanReplaced` when it is gone, or another job has it by now; nothing is written then,
        nor when the run no longer holds the job."""
        row = await self._jobs.find(done.job_id)
        if row is None or row.is_terminal:
            return row
        calls = await self._jobs.calls(done.job_id)
        async with done.run.ending() as ending:
            await self._write_content(ending.uow, done)
            await self._write_usage(ending, done, calls)
            if done.curate and not done.finds:
                await ending.curate(done.plan_id, done.user_id, done.curate)
            now = self._clock.now()
            await ending.tell(PlanEvent(done.ends_as, done.plan_id, done.user_id, done.job_id, done.attempt, now))
            ending.complete(done.result)
        return await self._jobs.find(done.job_id)

    async def fail_job(self, input: FailedRun) -> JobRow | None:
        """Write a failure that no attempt will mend: the plan is let go of, the quota refunded."""
        failed = input.failed
        row = await self._jobs.find(failed.job_id)
        if row is None or row.is_terminal:
            return row
        calls = await self._jobs.calls(failed.job_id)
        async with input.run.ending() as ending:
            uow, now = ending.uow, self._clock.now()
            await self._write_attempt(uow, failed)
            await uow.usage.add_calls(usage_rows(failed.user_id, failed.job_id, calls))
            told = await settle_failure(uow, failed, now)
            await ending.tell(*(told or [failure_event(failed, now)]))
            ending.fail(f"{failed.message} ({failed.classification})")
        return await self._jobs.find(failed.job_id)

    async def record_attempt(self, input: FailedRun) -> None:
        """Write an attempt that failed and will be followed by another."""
        failed = input.failed
        calls = await self._jobs.calls(failed.job_id)
        async with input.run.noting() as noting:
            await self._write_attempt(noting.uow, failed)
            await noting.uow.usage.add_calls(usage_rows(failed.user_id, failed.job_id, calls))
            await noting.tell(failed.event(PlanEventType.RETRYING, self._clock.now()))

    async def record_usage(self, user_id: str, job_id: str) -> None:
        """Write the calls a job has made, as far as they are not written yet."""
        rows = usage_rows(user_id, job_id, await self._jobs.calls(job_id))
        async with self._units() as uow:
            await uow.usage.add_calls(rows)

    async def push_meter_event(self, event_id: str) -> None:
        """Tell whoever bills, once. Raises `MeterUnavailable`; an event that is gone or was told is no error."""
        async with self._units() as uow:
            event = await uow.usage.meter_event(event_id)
        if event is None or event.sent_at is not None:
            return
        await self._meter.push(event)
        async with self._units() as uow:
            await uow.usage.mark_sent(event_id, self._clock.now())

    async def _write_content(self, uow: UnitOfWork, done: CompletedJob) -> None:
        now = self._clock.now()
        plan = await uow.plans.hold(done.plan_id)
        if plan is None or plan.active_job_id not in (None, done.job_id) or plan.status is PlanStatus.FAILED:
            raise PlanReplaced("the plan was deleted or replaced while it was being made")
        await uow.plans.put_content(plan.id, done.modules)
        change = PlanChange((plan.status,), status=PlanStatus.READY, wishes=done.wishes, is_final=True)
        await uow.plans.change(plan.id, change, now)
        await uow.attempts.add(plan.id, done.job_id, done.report, None, now)
        await uow.curated.mark_pending(done.curate, now)
        await uow.curated.keep(done.finds, now)

    async def _write_usage(self, ending: Ending, done: CompletedJob, calls: Sequence[ModelCall]) -> None:
        uow, now = ending.uow, self._clock.now()
        await uow.usage.add_calls(usage_rows(done.user_id, done.job_id, calls))
        unit = await uow.usage.settle(done.job_id, ReservationState.COMMITTED)
        if unit is None:
            return
        await uow.usage.count_up(unit.user_id, unit.month, unit.kind)
        billed = _BILLED_AS[done.ends_as]
        # One event a job, however often it is told: the key says so, and the id needs no other.
        event = MeterEvent(done.job_id, unit.user_id, billed, 1, f"{billed}:{done.job_id}", now)
        await uow.usage.add_meter_event(event)
        await ending.push_meter(event.id)
        await ending.tell(usage_event(PlanEventType.USAGE_COMMITTED, done, unit, now))

    async def _write_attempt(self, uow: UnitOfWork, failed: FailedJob) -> None:
        # Locked first, as everywhere; one that is gone has no attempts.
        if failed.report is not None and await uow.plans.hold(failed.plan_id) is not None:
            now = self._clock.now()
            await uow.attempts.add(failed.plan_id, failed.job_id, failed.report, failed.classification, now)
