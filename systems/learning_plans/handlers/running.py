"""The ports `Run` and `JobPort` on the engine."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from penstock import Job, JobState, JobStatus, JobTransaction, JobView, NotFound, Penstock
from systems.learning_plans.application.ports import Ending, JobRow, ModelCall, Noting
from systems.learning_plans.application.repositories import UnitOfWork
from systems.learning_plans.domain.events import PlanEvent
from systems.learning_plans.handlers.events import logged
from systems.learning_plans.handlers.jobs import UsageMeterPush
from systems.learning_plans.handlers.plan_curation_job import PlanCurationJob

_TERMINAL = (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
_STATUS = {JobStatus.RUNNING: "processing"}
"""How people are told; the others are called as the engine calls them."""
# All model calls of plan jobs are made in steps: "plan", and "curation" or "explanation …", which ask for explanations.
_OPERATIONS = {"plan": "plan_generation"}
_EXPLAINING = "micro_explanation"
_MICROS = 1_000_000


class WritingUnit(UnitOfWork, Protocol):
    """A unit of work whose session the engine can write through."""

    @property
    def session(self) -> AsyncSession: ...


WritingUnits = Callable[[], AbstractAsyncContextManager[WritingUnit]]
"""As `WriteUnits`."""


class EngineJobs:
    """The port `JobPort`."""

    def __init__(self, engine: Penstock) -> None:
        self._engine = engine

    async def find(self, job_id: str) -> JobRow | None:
        """See the port."""
        try:
            view = await self._engine.get(job_id)
            _, result = await self._engine.jobs.payload(job_id)
        except NotFound:
            return None
        return JobRow(
            id=view.id,
            kind=view.kind,
            status=status_of(view),
            is_terminal=view.status in _TERMINAL,
            attempts=attempts_of(view),
            error=view.reason if view.state in (JobState.FAILED, JobState.CANCELLED) else None,
            result=result if isinstance(result, dict) else None,
        )

    async def calls(self, job_id: str) -> Sequence[ModelCall]:
        """See the port."""
        return [
            ModelCall(
                operation=_OPERATIONS.get(call.step or "", _EXPLAINING),
                job_attempt=call.attempt or 0,
                provider=call.provider,
                model=call.model,
                input_tokens=call.input_tokens,
                output_tokens=call.output_tokens,
                cost_micros=None if call.cost is None else round(call.cost * _MICROS),
                made_at=call.opened_at,
            )
            for call in await self._engine.jobs.calls(job_id)
        ]


class EngineRun:
    """The port `Run` around the engine's view of it."""

    def __init__(self, job: Job[Any], units: WritingUnits) -> None:
        self._job = job
        self._units = units

    @property
    def job_id(self) -> str:
        """See the port."""
        return self._job.id

    @asynccontextmanager
    async def ending(self) -> AsyncIterator[Ending]:
        """See the port."""
        async with self._units() as uow, self._job.transaction(on=uow.session) as tx:
            yield _Ending(uow, self._job, tx)

    @asynccontextmanager
    async def noting(self) -> AsyncIterator[Noting]:
        """See the port."""
        async with self._units() as uow:
            yield _Noting(uow, self._job)


class _Noting:
    def __init__(self, uow: WritingUnit, job: Job[Any]) -> None:
        self.uow = uow
        self._job = job

    async def tell(self, *events: PlanEvent) -> None:
        for event in events:
            await self._job.publish(logged(event), subject=event.plan_id, on=self.uow.session)


class _Ending:
    def __init__(self, uow: WritingUnit, job: Job[Any], tx: JobTransaction) -> None:
        self.uow = uow
        self._job = job
        self._tx = tx

    async def tell(self, *events: PlanEvent) -> None:
        for event in events:
            await self._tx.publish(logged(event), subject=event.plan_id)

    def complete(self, result: Mapping[str, object]) -> None:
        self._tx.complete(dict(result))

    def fail(self, reason: str) -> None:
        self._tx.fail(reason)

    async def push_meter(self, meter_event_id: str) -> None:
        await self._tx.enqueue(UsageMeterPush(meter_event_id=meter_event_id))

    async def curate(self, plan_id: str, user_id: str, task_ids: Sequence[str]) -> None:
        data = PlanCurationJob(plan_id=plan_id, user_id=user_id, task_ids=list(task_ids))
        await self._tx.enqueue(data, after=self._job.id)


def status_of(view: JobView) -> str:
    """The status for people outside the engine: pending, processing, completed, failed or cancelled."""
    return _STATUS.get(view.status, view.status.value)


def attempts_of(view: JobView) -> int:
    """The runs begun so far, the present one included."""
    return view.attempt + (1 if view.state is JobState.RUNNING else 0)
