"""The database as the services see it. Everything happens in the caller's transaction."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from systems.learning_plans.application.curation_ports import TaskOutcome
from systems.learning_plans.application.generation import AttemptReport
from systems.learning_plans.domain.entities import Module, Plan, PlanStatus, ProgressStatus, Wishes
from systems.learning_plans.domain.tiers import QuotaKind, ReservationState, Tier


@dataclass(frozen=True, slots=True)
class PlanChange:
    """How a plan goes on from one of `from_statuses`; None leaves the status, or the wishes, as they are."""

    from_statuses: tuple[PlanStatus, ...]
    status: PlanStatus | None = None
    wishes: Wishes | None = None
    active_job_id: str | None = None
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Reservation:
    """A unit of quota that a job holds or held."""

    user_id: str
    month: str
    kind: QuotaKind
    job_id: str
    state: ReservationState


@dataclass(frozen=True, slots=True)
class UsageStanding:
    """What a learner has used and holds in a month."""

    plans_generated: int = 0
    regenerations_used: int = 0
    exports_used: int = 0
    regenerations_reserved: int = 0
    exports_reserved: int = 0


@dataclass(frozen=True, slots=True)
class UsageCall:
    """One call of a model for the usage table; `call_no` counts from 1 within job, attempt and operation."""

    user_id: str
    job_id: str
    job_attempt: int
    operation: str
    call_no: int
    provider: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost_micros: int | None
    made_at: datetime


@dataclass(frozen=True, slots=True)
class MeterEvent:
    """What whoever bills is told."""

    id: str
    user_id: str
    event: str
    quantity: int
    idempotency_key: str
    created_at: datetime
    sent_at: datetime | None = None


class Users(Protocol):
    """Learners, made on first use."""

    async def hold(self, user_id: str, now: datetime) -> Tier:
        """The learner's tier; the row is locked until the transaction ends."""
        ...

    async def tier(self, user_id: str) -> Tier:
        """The tier, that of a new learner when there is none yet."""
        ...


class Plans(Protocol):
    """Plans and their content."""

    async def add(self, plan: Plan) -> None: ...

    async def get(self, plan_id: str) -> Plan | None: ...

    async def hold(self, plan_id: str) -> Plan | None:
        """The plan, its row locked."""
        ...

    async def hold_of_job(self, job_id: str) -> Plan | None:
        """The plan whose open job this is, its row locked."""
        ...

    async def change(self, plan_id: str, change: PlanChange, now: datetime) -> bool:
        """Compare and set; False when the plan stands elsewhere, and nothing is written."""
        ...

    async def owner_of_task(self, task_id: str) -> str | None:
        """The learner whose plan the task is of."""
        ...

    async def set_progress(
        self, task_id: str, user_id: str, status: ProgressStatus, completed_at: datetime | None
    ) -> None: ...

    async def active_count(self, user_id: str) -> int:
        """How many plans are generating or ready."""
        ...

    async def content(self, plan_id: str) -> tuple[Module, ...]:
        """Modules and tasks in order."""
        ...

    async def put_content(self, plan_id: str, modules: Sequence[Module]) -> None:
        """Replace the content. Tasks whose ids are there already keep all that hangs on them."""
        ...

    async def delete(self, plan_id: str) -> None: ...

    async def forsaken(self, before: datetime) -> Sequence[Plan]:
        """Plans that are generating and have not moved since then."""
        ...


class Attempts(Protocol):
    """AI runs."""

    async def add(
        self, plan_id: str, job_id: str, report: AttemptReport, classification: str | None, now: datetime
    ) -> None: ...

    async def count(self, job_id: str) -> int:
        """How many AI runs this job has had."""
        ...


class Usage(Protocol):
    """Quota, calls of models, and what is billed."""

    async def accepted_since(self, user_id: str, since: datetime) -> Sequence[datetime]:
        """When plan jobs of the learner were accepted, since then."""
        ...

    async def standing(self, user_id: str, month: str) -> UsageStanding:
        """Read in one statement, so that a unit is never seen in neither or both of used and reserved."""
        ...

    async def reserve(self, reservation: Reservation, now: datetime) -> None: ...

    async def settle(self, job_id: str, state: ReservationState) -> Reservation | None:
        """`reserved` becomes `state`; None when the job holds nothing."""
        ...

    async def count_up(self, user_id: str, month: str, kind: QuotaKind) -> None:
        """One more unit of the month is used."""
        ...

    async def add_calls(self, calls: Sequence[UsageCall]) -> None:
        """Those that are there already are left as they are."""
        ...

    async def add_meter_event(self, event: MeterEvent) -> None: ...

    async def meter_event(self, event_id: str) -> MeterEvent | None: ...

    async def mark_sent(self, event_id: str, now: datetime) -> None: ...


class Curated(Protocol):
    """Where the curation of tasks stands."""

    async def mark_pending(self, task_ids: Sequence[str], now: datetime) -> None: ...

    async def keep(self, outcomes: Sequence[TaskOutcome], now: datetime) -> None: ...

    async def ask_again(self, plan_id: str, now: datetime) -> Sequence[str]:
        """Tasks of the plan that were skipped, have failed or were never asked for become pending; answers which."""
        ...

    async def give_up(self, plan_id: str, task_ids: Sequence[str] | None, reason: str, now: datetime) -> None:
        """Those of these tasks of the plan (None: of all) that are still pending have failed."""
        ...


class UnitOfWork(Protocol):
    """One transaction."""

    @property
    def users(self) -> Users: ...

    @property
    def plans(self) -> Plans: ...

    @property
    def attempts(self) -> Attempts: ...

    @property
    def usage(self) -> Usage: ...

    @property
    def curated(self) -> Curated: ...


ReadUnits = Callable[[], AbstractAsyncContextManager[UnitOfWork]]
"""Opens a reading transaction."""
WriteUnits = Callable[[], AbstractAsyncContextManager[UnitOfWork]]
"""Opens a writing transaction that commits at the exit unless something is raised."""
