"""Transactions: what is enqueued and published inside is buffered and written at the exit, all or nothing."""

import inspect
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from penstock import codec
from penstock.domain.events import Event
from penstock.domain.job import JobData, checked_name
from penstock.domain.outcomes import ErrorRecord, Settlement
from penstock.domain.states import JobState, Way
from penstock.domain.streams import StreamWrite
from penstock.errors import Conflict, PayloadTooLarge
from penstock.flows import FlowRef
from penstock.producer.handle import JobHandle
from penstock.store.program import LaneKey, Program
from penstock.store.programs.commit import Writes, commit, finish
from penstock.store.programs.enqueue import Fence
from penstock.store.programs.new import Enqueued, NewFlow
from penstock.store.programs.settle import RunEnd

if TYPE_CHECKING:
    from penstock.context import Job
    from penstock.producer.producer import Producer


class _Buffer:
    """What sync and async transactions share: the buffer and its writing as a program."""

    def __init__(self, producer: "Producer", *, flow_id: str | None = None) -> None:
        self._producer = producer
        self._flow_id = flow_id
        self._writes = Writes()
        self._handles: list[JobHandle] = []

    def flow(self, name: str, *, tenant: str | None = None) -> FlowRef:
        """Declare a flow; pass it as `flow=` or `after=`."""
        flow = FlowRef(codec.new_id(), checked_name("flow", name), tenant)
        self._writes.flows.append(NewFlow(flow.id, flow.name, flow.tenant))
        return flow

    def _add(self, data: Sequence[JobData], options: dict[str, Any]) -> list[JobHandle]:
        now = self._producer.clock.now()
        jobs = self._producer.builder.jobs(data, options, now, self._flow_id)
        handles = [JobHandle(job.id, job.lane.kind, self._producer.ops) for job in jobs]
        self._writes.jobs += jobs
        self._handles += handles
        return handles

    def _publish(self, event: Event, subject: str | None) -> None:
        self._writes.events.append(self._producer.builder.event(event, subject))

    def _program(self) -> "Program[list[Enqueued]]":
        return commit(self._writes, self._producer.clock.now())

    @property
    def _empty(self) -> bool:
        return not (self._writes.jobs or self._writes.flows or self._writes.events)

    def _settle_handles(self, answers: Sequence[Enqueued]) -> None:
        for handle, answer in zip(self._handles, answers, strict=True):
            handle.id, handle.created = answer.id, answer.created


class Transaction(_Buffer):
    """`async with penstock.transaction() as tx:`, written at the exit; with `on=`, through the caller's connection.

    With `on=` the caller commits; handles then say what the write found, which holds once that commit has happened.
    """

    def __init__(self, producer: "Producer", on: Any = None) -> None:
        super().__init__(producer)
        self._on = on

    async def enqueue(self, data: JobData, **options: Any) -> JobHandle:
        """Buffer one job; options as `Penstock.enqueue`."""
        return self._add([data], options)[0]

    async def enqueue_many(self, data: Sequence[JobData], **options: Any) -> list[JobHandle]:
        """Buffer many jobs with the same options."""
        return self._add(list(data), options)

    async def publish(self, event: Event, *, subject: str | None = None) -> None:
        """Buffer an event."""
        self._publish(event, subject)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self._empty:
            store, program = self._producer.store, self._program()
            answers = await (store.run(program) if self._on is None else store.run_on(self._on, program))
            self._settle_handles(answers)


class SyncTransaction(_Buffer):
    """`with penstock.sync.transaction() as tx:`, the same for code without an event loop."""

    def __init__(self, producer: "Producer", on: Any = None) -> None:
        super().__init__(producer)
        self._on = on

    def enqueue(self, data: JobData, **options: Any) -> JobHandle:
        """Buffer one job; options as `Penstock.enqueue`."""
        return self._add([data], options)[0]

    def enqueue_many(self, data: Sequence[JobData], **options: Any) -> list[JobHandle]:
        """Buffer many jobs with the same options."""
        return self._add(list(data), options)

    def publish(self, event: Event, *, subject: str | None = None) -> None:
        """Buffer an event."""
        self._publish(event, subject)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self._empty:
            store, program = self._producer.store, self._program()
            answers = store.run_sync(program) if self._on is None else store.run_on_sync(self._on, program)
            self._settle_handles(answers)


class JobTransaction(_Buffer):
    """`async with job.transaction(on=session) as tx:` ends the job: `tx.complete(result)` or `tx.fail(error)`.

    At the exit the fence is checked, and the caller's rows, the job's end and everything enqueued commit together:
    this commits `on` (and rolls it back when it must). Raises ClaimLost when the run no longer holds its job.
    """

    def __init__(self, producer: "Producer", job: "Job[Any]", worker: str, on: Any = None) -> None:
        super().__init__(producer, flow_id=job.flow_id)
        self._job = job
        self._worker = worker
        self._on = on
        self._settlement: Settlement | None = None

    async def enqueue(self, data: JobData, **options: Any) -> JobHandle:
        """Buffer one job, in this job's flow unless told otherwise."""
        return self._add([data], options)[0]

    async def enqueue_many(self, data: Sequence[JobData], **options: Any) -> list[JobHandle]:
        """Buffer many jobs with the same options."""
        return self._add(list(data), options)

    async def publish(self, event: Event, *, subject: str | None = None) -> None:
        """Buffer an event."""
        self._publish(event, subject)

    def complete(self, result: Any = None) -> None:
        """End the job as completed with a JSON-able or pydantic result."""
        text = None if result is None else self._producer.result_json(result)
        limit = self._producer.builder.max_payload_bytes
        if text is not None and len(text) > limit:
            raise PayloadTooLarge(f"result of {self._job.kind}", len(text), limit)
        self._end(Settlement(Way.COMPLETE, JobState.COMPLETED, self._job.attempt, self._job.losses, result=text))

    def fail(self, error: BaseException | str) -> None:
        """End the job as failed, whatever attempts are left."""
        name = type(error).__name__ if isinstance(error, BaseException) else "Failed"
        record = ErrorRecord(name, str(error))
        self._end(
            Settlement(
                Way.FAIL, JobState.FAILED, self._job.attempt, self._job.losses, reason=record.message, error=record
            )
        )

    def _end(self, settlement: Settlement) -> None:
        if self._settlement is not None:
            raise Conflict("this transaction has said already how the job ends")
        self._settlement = settlement

    async def __aenter__(self) -> Self:
        if self._job.ended or self._job.ending:
            raise Conflict(f"job {self._job.id} was ended already by a transaction of this run")
        self._job.ending = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self._write()
            else:
                await self._roll_back()
        finally:
            self._job.ending = False

    async def _write(self) -> None:
        try:
            if self._settlement is None:
                raise Conflict("job.transaction() ends the job: call tx.complete(result) or tx.fail(error) inside")
            # What the worker has yet to write of them would be refused after this.
            self._writes.streams = unwritten_of(self._job)
            program = finish(self._run_end(self._settlement), self._writes, self._producer.clock.now(), self._worker)
            store = self._producer.store
            if self._on is None:
                answers = await store.run(program)
            else:
                answers = await store.run_on(self._on, program)
                await _maybe_await(self._on.commit())
        except BaseException:
            await self._roll_back()
            raise
        self._job.ended = True
        self._job.ended_failed = self._settlement.state is JobState.FAILED
        self._settle_handles(answers)

    async def _roll_back(self) -> None:
        if self._on is not None:
            await _maybe_await(self._on.rollback())

    def _run_end(self, settlement: Settlement) -> RunEnd:
        job = self._job
        lane = LaneKey(job.queue, job.kind, job.tenant, None)
        return RunEnd(job.id, job.claim_id, lane, settlement, job.started)


async def _maybe_await(value: Any) -> None:
    if inspect.isawaitable(value):
        await value


def unwritten_of(job: "Job[Any]") -> list[StreamWrite]:
    """What is not yet written of a run's streams."""
    found = (stream.unwritten(last=True) for stream in (job.streams or {}).values())
    return [write for write in found if write is not None]


def fence_of(job: "Job[Any]") -> Fence:
    """The fence of a run."""
    return Fence(job.id, job.claim_id)
