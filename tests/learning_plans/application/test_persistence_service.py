"""The persistence service with fake ports and a clock that stands still."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from systems.learning_plans.application.failing import FailedJob
from systems.learning_plans.application.generation import AttemptReport
from systems.learning_plans.application.ports import JobRow, MeterUnavailable, ModelCall
from systems.learning_plans.application.repositories import MeterEvent, Reservation
from systems.learning_plans.application.services.persistence_service import (
    CompletedJob,
    FailedRun,
    PersistenceService,
)
from systems.learning_plans.domain.entities import LearningStyle, Plan, PlanStatus, SkillLevel, Wishes
from systems.learning_plans.domain.errors import PlanReplaced
from systems.learning_plans.domain.tiers import QuotaKind, ReservationState
from tests.learning_plans.support import FixedClock

NOW = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
WISHED = Wishes("SQL", None, SkillLevel.BEGINNER, 5, LearningStyle.MIXED)
REPORT = AttemptReport(10, 1, 1, False, False, False, "h", {})
ROW = JobRow("j", "plan_generation", "processing", False, 1, None, None)
CALL = ModelCall("plan_generation", 1, "google", "m", 10, 20, 30, NOW)


@dataclass
class World:
    """All ports in one: what is asked of them is written down in `did`, in order."""

    plan: Plan | None = field(default_factory=lambda: plan_of(PlanStatus.GENERATING))
    row: JobRow | None = ROW
    unit: Reservation | None = field(
        default_factory=lambda: Reservation("u", "2026-03", QuotaKind.PLAN, "j", ReservationState.COMMITTED)
    )
    event: MeterEvent | None = None
    did: list[Any] = field(default_factory=list)
    committed: bool = False
    job_id: str = "j"

    def __getattr__(self, name: str) -> Any:
        async def noted(*given: Any, **_: Any) -> Any:
            self.did.append((name, *given))
            return None

        return noted

    @property
    def uow(self) -> Any:
        usage = SimpleNamespace(
            settle=self.settle, count_up=self.count_up, add_calls=self.add_calls, add_meter_event=self.add_meter_event,
            meter_event=self.meter_event, mark_sent=self.mark_sent,
        )  # fmt: skip
        plans = SimpleNamespace(hold=self.hold, hold_of_job=self.hold, change=self.change, put_content=self.put_content)
        attempts = SimpleNamespace(add=self.add_attempt)
        curated = SimpleNamespace(mark_pending=self.mark_pending, keep=self.keep)
        return SimpleNamespace(usage=usage, plans=plans, attempts=attempts, curated=curated)

    async def hold(self, _: str) -> Plan | None:
        return self.plan

    async def settle(self, job_id: str, state: ReservationState) -> Reservation | None:
        self.did.append(("settle", job_id, state))
        return self.unit

    async def meter_event(self, _: str) -> MeterEvent | None:
        return self.event

    async def find(self, _: str) -> JobRow | None:
        return self.row

    async def calls(self, _: str) -> Sequence[ModelCall]:
        return [CALL, CALL]

    @asynccontextmanager
    async def ending(self) -> AsyncIterator[Any]:
        yield self
        self.committed = True

    noting = ending

    def complete(self, result: Mapping[str, object]) -> None:
        self.did.append(("complete", result))

    def fail(self, reason: str) -> None:
        self.did.append(("fail", reason))

    @property
    def names(self) -> list[str]:
        return [entry[0] for entry in self.did]

    def given(self, name: str) -> Any:
        [found] = [entry for entry in self.did if entry[0] == name]
        return found[1:]

    def told(self) -> list[str]:
        return [event.type.value for entry in self.did if entry[0] == "tell" for event in entry[1:]]


def plan_of(status: PlanStatus, job_id: str | None = "j") -> Plan:
    return Plan("p", "u", WISHED, status, False, None, job_id, job_id, NOW, NOW)


def service_of(world: World) -> PersistenceService:
    @asynccontextmanager
    async def units() -> AsyncIterator[Any]:
        yield world.uow

    return PersistenceService(world, SimpleNamespace(push=world.push), units, FixedClock(NOW))


def done(world: World, **more: Any) -> CompletedJob:
    given: dict[str, Any] = {
        "run": world, "plan_id": "p", "user_id": "u", "attempt": 2, "is_regeneration": False, "wishes": WISHED,
        "modules": (), "report": REPORT, "result": {"status": "completed"},
    }  # fmt: skip
    return CompletedJob(**{**given, **more})


def failed(world: World, **more: Any) -> FailedRun:
    given: dict[str, Any] = {
        "job_id": "j", "plan_id": "p", "user_id": "u", "attempt": 2, "is_regeneration": False,
        "classification": "timeout", "message": "too slow", "report": REPORT,
    }  # fmt: skip
    return FailedRun(world, FailedJob(**{**given, **more}))


async def test_a_completed_job_writes_everything_in_its_own_transaction() -> None:
    world = World()
    await service_of(world).complete_job(done(world, curate=["t1"]))
    assert world.committed
    assert set(world.names) >= {
        "put_content", "change", "add_attempt", "mark_pending", "add_calls", "settle", "count_up", "add_meter_event",
        "push_meter", "curate", "complete",
    }  # fmt: skip
    assert world.names[-1] == "complete"
    assert world.told() == ["usage.committed", "plan.ready"]
    # The month in which the unit was held counts, not the one in which the job ends.
    assert world.given("count_up") == ("u", "2026-03", QuotaKind.PLAN)
    [event] = world.given("add_meter_event")
    assert (event.event, event.quantity, event.idempotency_key) == ("plan_generated", 1, "plan_generated:j")
    [rows] = world.given("add_calls")
    assert [(row.job_attempt, row.operation, row.call_no, row.cost_micros) for row in rows] == [
        (1, "plan_generation", 1, 30),
        (1, "plan_generation", 2, 30),
    ]


async def test_a_regeneration_is_told_and_billed_as_one() -> None:
    world = World(plan_of(PlanStatus.READY))
    await service_of(world).complete_job(done(world, is_regeneration=True))
    assert world.told() == ["usage.committed", "plan.regenerated"]
    assert world.given("add_meter_event")[0].event == "plan_regenerated"
    assert "curate" not in world.names


async def test_without_a_held_unit_nothing_is_counted_or_billed() -> None:
    world = World(unit=None)
    await service_of(world).complete_job(done(world))
    assert not {"count_up", "add_meter_event", "push_meter"} & set(world.names)
    assert world.told() == ["plan.ready"]


@pytest.mark.parametrize("plan", [None, plan_of(PlanStatus.GENERATING, "other"), plan_of(PlanStatus.FAILED, None)])
async def test_a_plan_that_is_not_this_jobs_is_not_written(plan: Plan | None) -> None:
    world = World(plan)
    with pytest.raises(PlanReplaced):
        await service_of(world).complete_job(done(world))
    assert not world.committed
    assert world.did == []


@pytest.mark.parametrize("row", [None, JobRow("j", "k", "completed", True, 1, None, None)])
async def test_lp_04_what_has_ended_or_is_not_known_is_left_alone(row: JobRow | None) -> None:
    world = World(row=row)
    service = service_of(world)
    assert await service.complete_job(done(world)) is row
    assert await service.fail_job(failed(world)) is row
    assert world.did == []


async def test_a_failed_job_lets_go_of_the_plan_and_refunds() -> None:
    world = World()
    await service_of(world).fail_job(failed(world))
    assert world.given("settle") == ("j", ReservationState.REFUNDED)
    [plan_id, change, _] = world.given("change")
    assert (plan_id, change.status, change.active_job_id) == ("p", PlanStatus.FAILED, None)
    assert world.told() == ["usage.refunded", "plan.failed"]
    assert world.given("fail") == ("too slow (timeout)",)


async def test_a_failed_regeneration_leaves_the_status() -> None:
    world = World(plan_of(PlanStatus.READY))
    await service_of(world).fail_job(failed(world, is_regeneration=True, report=None))
    assert world.given("change")[1].status is None
    assert "add_attempt" not in world.names
    assert world.told() == ["usage.refunded", "plan.regeneration.failed"]


async def test_an_attempt_that_is_followed_by_another_ends_nothing() -> None:
    world = World()
    await service_of(world).record_attempt(failed(world))
    assert world.names == ["add_attempt", "add_calls", "tell"]
    assert world.told() == ["plan.retrying"]


async def test_a_meter_event_is_told_once() -> None:
    world = World(event=MeterEvent("j", "u", "plan_generated", 1, "k", NOW))
    service = service_of(world)
    await service.push_meter_event("j")
    assert world.names == ["push", "mark_sent"]
    world.event = MeterEvent("j", "u", "plan_generated", 1, "k", NOW, sent_at=NOW)
    await service.push_meter_event("j")
    world.event = None
    await service.push_meter_event("j")
    assert world.names == ["push", "mark_sent"]


class AwayWorld(World):
    """Whoever bills cannot be reached."""

    async def push(self, _: MeterEvent) -> None:
        raise MeterUnavailable("away")


async def test_an_event_that_may_not_have_arrived_is_not_marked_as_sent() -> None:
    world = AwayWorld(event=MeterEvent("j", "u", "plan_generated", 1, "k", NOW))
    with pytest.raises(MeterUnavailable):
        await service_of(world).push_meter_event("j")
    assert world.did == []
