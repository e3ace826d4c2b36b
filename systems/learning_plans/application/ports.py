"""What the services need from outside, besides the database (`repositories.py`) and curation (`curation_ports.py`)."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from penstock.ai import LanguageModel
from systems.learning_plans.application.repositories import MeterEvent, UnitOfWork
from systems.learning_plans.domain.events import PlanEvent

GenerationProvider = LanguageModel
"""Who makes plans and explanations: a chain of models, or the offline model."""


class DeadlineClock(Protocol):
    """What a deadline reads: µs since 1970 UTC."""

    def now(self) -> int: ...


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it stands. `attempts` counts the runs begun so far, the present one included."""

    id: str
    kind: str
    status: str
    is_terminal: bool
    attempts: int
    error: str | None
    result: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model that a job has made, as the ledger has it; None where something is not known.

    `cost_micros`: millionths of a US dollar.
    """

    operation: str
    job_attempt: int
    provider: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost_micros: int | None
    made_at: datetime


class Noting(Protocol):
    """A transaction of a run that goes on, or whose attempt has failed: refused when it no longer holds its job."""

    @property
    def uow(self) -> UnitOfWork: ...

    async def tell(self, *events: PlanEvent) -> None:
        """Publish in the transaction."""
        ...


class Ending(Noting, Protocol):
    """The transaction that ends a job: one of `complete` and `fail` has to be called."""

    def complete(self, result: Mapping[str, object]) -> None: ...

    def fail(self, reason: str) -> None: ...

    async def push_meter(self, meter_event_id: str) -> None:
        """Let the meter event be sent by a job of its own."""
        ...

    async def curate(self, plan_id: str, user_id: str, task_ids: Sequence[str]) -> None:
        """Let these tasks be curated by a job of its own, after this one."""
        ...


class Run(Protocol):
    """The run of a job that calls the services: what it writes is refused once it no longer holds its job."""

    @property
    def job_id(self) -> str: ...

    def ending(self) -> AbstractAsyncContextManager[Ending]:
        """Commits at the exit; nothing stays when something is raised inside, or when the run's claim is lost."""
        ...

    def noting(self) -> AbstractAsyncContextManager[Noting]:
        """As `ending`, without ending the job."""
        ...


class JobPort(Protocol):
    """The jobs as they stand."""

    async def find(self, job_id: str) -> JobRow | None:
        """None for a job that is not known."""
        ...

    async def calls(self, job_id: str) -> Sequence[ModelCall]:
        """The calls the job has made so far, in order."""
        ...


class UsageMeter(Protocol):
    """Whoever bills. Telling the same event twice (by its idempotency key) counts it once."""

    async def push(self, event: MeterEvent) -> None:
        """Raises `MeterUnavailable` when the event may not have arrived, `MeterRefused` when it never will."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class MeterUnavailable(Exception):
    """The event could not be told; `retry_after_s` is the earliest time of the next try, where one was named."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class MeterRefused(Exception):
    """Whoever bills does not take the event, now or later."""
