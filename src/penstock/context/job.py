"""`Job`: what a handler sees of its run."""

import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar, overload

from penstock.context.resting import StepCaller
from penstock.context.steps import StepPort, Steps
from penstock.context.streams import Stream
from penstock.domain.calls import CallScope
from penstock.domain.events import Event
from penstock.domain.job import JobData
from penstock.domain.options import moment_of
from penstock.domain.retry import DEFAULT_RETRY, RetryPolicy
from penstock.domain.steps import checked_step
from penstock.domain.streams import MAX_STREAMS
from penstock.errors import InvalidJob

T = TypeVar("T", bound=JobData)
R = TypeVar("R")


class CancelSignal:
    """Set when the run is to stop: its cancel was requested, its time is over, or its worker lost its lease.

    Async handlers are cancelled besides; a sync handler asks `is_set()` or waits.
    """

    __slots__ = ("_is_set", "_waited", "reason")

    def __init__(self) -> None:
        self._is_set = False
        # Made by the first wait: few runs need one, and making it costs more than the rest of a small job's start.
        self._waited: threading.Event | None = None
        self.reason = ""

    def is_set(self) -> bool:
        """Whether the run is to stop."""
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Block (a sync handler's thread) until it is set or `timeout` seconds are over; answers whether it is set."""
        if self._waited is None:
            self._waited = threading.Event()
        # Looked at after the event is there: `set` either sees the event, or has set the mark before.
        return self._is_set or self._waited.wait(timeout)

    def set(self, reason: str) -> None:
        """Ask the run to stop; the first reason stays."""
        if not self._is_set:
            self.reason = reason
            self._is_set = True
            if self._waited is not None:
                self._waited.set()


class RunPort(Protocol):
    """What a run can do to the store; the worker provides it. Every write is fenced by the run's claim."""

    def progress(self, job: "Job[Any]", share: float | None, message: str | None) -> None: ...

    async def enqueue_many(
        self, job: "Job[Any]", data: Sequence[JobData], options: dict[str, Any]
    ) -> Sequence[Any]: ...

    async def publish(self, job: "Job[Any]", events: Sequence[tuple[Event, str | None]], on: Any = None) -> None: ...

    def transaction(self, job: "Job[Any]", on: Any) -> Any: ...

    async def parent_results(self, job: "Job[Any]") -> dict[str, Any]: ...

    def steps(self, job: "Job[Any]") -> StepPort: ...

    def stream(self, job: "Job[Any]", name: str) -> Stream: ...


@dataclass(slots=True)
class Job(Generic[T]):
    """One run of one job. `attempt` counts from 1; `deadline` is when this run or the job must have ended, if ever.

    `step()`, `enqueue()`, `publish()` and `transaction()` write on behalf of this run: they are refused with ClaimLost
    once the run no longer holds its job. What `progress()` and `stream()` write is then left out.
    """

    id: str
    data: T
    kind: str
    queue: str
    attempt: int
    max_attempts: int
    claim_id: int
    created: int
    deadline_at: int | None = None
    timeout_s: float | None = None
    tenant: str | None = None
    flow_id: str | None = None
    port: RunPort | None = None
    cancel_signal: CancelSignal = field(default_factory=CancelSignal)
    losses: int = 0
    started: int | None = None
    ended: bool = False
    ended_failed: bool = False
    ending: bool = False
    memory: Steps | None = None
    streams: dict[str, Stream] | None = None

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure of this run ends the job."""
        return self.attempt >= self.max_attempts

    @property
    def created_at(self) -> datetime:
        """When the job was enqueued (UTC)."""
        return moment_of(self.created)

    @property
    def deadline(self) -> datetime | None:
        """When the job must have ended (UTC)."""
        return None if self.deadline_at is None else moment_of(self.deadline_at)

    @property
    def cancel_requested(self) -> bool:
        """Whether this run is to stop."""
        return self.cancel_signal.is_set()

    @property
    def _run(self) -> RunPort:
        if self.port is None:
            raise RuntimeError("this Job belongs to no run; penstock.testing.run_inline gives one that does")
        return self.port

    def progress(self, share: float | None, message: str | None = None) -> None:
        """Say how far the run is: a share from 0 to 1 (None: unknown) and a message. Cheap: the latest one is written

        a few times a second at most. Raises ValueError for a share outside 0 to 1.
        """
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"progress must be from 0 to 1, not {share!r}")
        self._run.progress(self, share, message)

    def stream(self, name: str) -> Stream:
        """Partial output under this name, which others read while it comes and later: `Penstock.tail`.

            plan = job.stream("plan")
            outcome = await chain.ask(request, on_text=plan.write, on_call=plan.restart)

        The first text that a run writes to it takes the place of what earlier runs of the job have written; a step that
        is remembered writes nothing again, so give each its own. Raises InvalidJob for a name that is not 1 to 200
        printable characters, and for more than 1,000 names in a run.
        """
        streams = self.streams = {} if self.streams is None else self.streams
        if name not in streams:
            if len(streams) >= MAX_STREAMS:
                raise InvalidJob(f"stream {name!r}: a run writes at most {MAX_STREAMS} streams")
            streams[name] = self._run.stream(self, checked_step("stream", name))
        return streams[name]

    async def enqueue(self, data: JobData, **options: Any) -> Any:
        """Enqueue on behalf of this run, in its flow unless told otherwise. Options as `Penstock.enqueue`."""
        return (await self._run.enqueue_many(self, [data], options))[0]

    async def enqueue_many(self, data: Sequence[JobData], **options: Any) -> Sequence[Any]:
        """Enqueue many on behalf of this run, in one go; answers their handles."""
        return await self._run.enqueue_many(self, list(data), options)

    async def publish(self, event: Event, *, subject: str | None = None, on: Any = None) -> None:
        """Publish an event on behalf of this run.

        With `on=` in the caller's transaction, which the fence then guards as well: ClaimLost refuses it when this run
        no longer holds its job, and the caller rolls back.
        """
        await self._run.publish(self, [(event, subject)], on)

    @overload
    async def step(self, name: str, call: Callable[..., Awaitable[R]], /, *args: Any, **options: Any) -> R: ...

    @overload
    async def step(self, name: str, call: Callable[..., R], /, *args: Any, **options: Any) -> R: ...

    async def step(
        self,
        name: str,
        call: Callable[..., Any],
        /,
        *args: Any,
        timeout: float | timedelta | None = None,
        tries: int = 1,
        retry: RetryPolicy = DEFAULT_RETRY,
        returns: Any = None,
    ) -> Any:
        """Do a piece of the handler once: `plan = await job.step("outline", self.outline, text)`.

        The result is stored, durably, before this returns; a later run of the job gets it from there and does not call
        again. What it is comes from the return annotation of `call` (or `returns`), as pydantic reads and writes it.
        `call` is an async function, or a plain one, which runs in a thread; give keyword arguments by
        `functools.partial`. Steps may run at once (`asyncio.gather`); each name can be used once in a run.

        timeout: seconds or a timedelta for each try; tries: how often it is called in this run before its error is
        raised; retry: the pauses between. Raises what `call` raises, TimeoutError, InvalidJob (a name used twice, a
        result that is no JSON), PayloadTooLarge, ClaimLost. Code between steps runs again in each run.
        """
        steps = self._steps()
        return await steps.step(name, call, args, timeout=timeout, tries=tries, retry=retry, returns=returns)

    async def sleep(self, duration: float | timedelta, *, name: str | None = None) -> None:
        """Go on in so long: the run ends here, its slot is free, and a later run goes on after this line.

        No attempt is spent. Await it in the handler itself, not beside other waits. Raises InvalidJob.
        """
        await self._steps().sleep(duration, name)

    async def wait_for(self, signal: str, *, timeout: float | timedelta | None = None, name: str | None = None) -> Any:
        """Wait for `penstock.signal(job_id, signal, data)` without holding a slot; answers the data.

        One that was sent before is there at once; each is taken by one wait. A second wait for the same signal needs a
        `name`. Raises SignalTimeout after `timeout` (seconds or a timedelta), InvalidJob.
        """
        return await self._steps().wait_for(signal, timeout, name)

    @property
    def caller(self) -> StepCaller:
        """Who calls models in this handler outside of its steps."""
        return self._steps().caller

    def _steps(self) -> Steps:
        if self.memory is None:
            scope = CallScope(self.id, self.claim_id, self.attempt, self.kind, self.tenant, self.flow_id)
            self.memory = Steps(self._run.steps(self), scope)
        return self.memory

    def transaction(self, on: Any = None) -> Any:
        """`async with job.transaction(on=session) as tx: …`: rows, the end of the job and enqueues in one commit.

        Call `tx.complete(result)` or `tx.fail(error)` inside. Raises ClaimLost, rolling everything back, when this run
        no longer holds its job.
        """
        return self._run.transaction(self, on)

    async def parent_results(self) -> dict[str, Any]:
        """The results of the jobs this one comes after, by id: None where one has none or did not complete."""
        return await self._run.parent_results(self)

    def remaining(self, now: datetime) -> timedelta | None:
        """Time left until the deadline, None without one."""
        return None if self.deadline is None else self.deadline - now
