"""How jobs end, in the database: all or nothing, once, and only by the run that holds the job."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from penstock import ClaimLost
from systems.learning_plans.domain.errors import PlanReplaced
from systems.learning_plans.handlers.intake import Intake
from systems.learning_plans.infrastructure.tables import ModuleRow
from systems.learning_plans.infrastructure.usage_repository import SqlUsage
from tests.learning_plans.flow.hand import Hand, completed, failed, persistence_of
from tests.learning_plans.support import (
    REFUSED,
    USER,
    WISHES,
    FakeModel,
    Gate,
    count,
    create,
    finish,
    job,
    made,
    plan,
    reservations,
    rows,
    status,
    system,
    told,
    until,
)


async def test_lp_04_the_second_end_of_a_job_returns_its_row_unchanged(url: str) -> None:
    async with system(url) as plans:
        hand, service = await Hand.at(plans), persistence_of(plans)
        for first, second in (("complete", "complete"), ("complete", "fail"), ("fail", "fail"), ("fail", "complete")):
            plan_id, _ = await create(plans, user=f"{first} {second}")
            run = await hand.claim()

            async def end(how: str, run: Any = run, plan_id: str = plan_id) -> Any:
                if how == "complete":
                    return await service.complete_job(completed(run, plan_id))
                return await service.fail_job(failed(run, plan_id))

            row = await end(first)
            assert (row.status, row.is_terminal) == ("completed" if first == "complete" else "failed", True)
            before = await rows(plans)
            assert await end(second) == row
            assert await rows(plans) == before


async def test_lp_04_an_unknown_job_has_no_row(url: str) -> None:
    async with system(url) as plans:
        hand, service = await Hand.at(plans), persistence_of(plans)
        plan_id, _ = await create(plans)
        run = await hand.claim()
        run._job.id = "01a22d90-0000-7000-8000-000000000000"
        before = await rows(plans)
        assert await service.complete_job(completed(run, plan_id)) is None
        assert await service.fail_job(failed(run, plan_id)) is None
        assert await rows(plans) == before


async def test_lp_02_a_finish_of_the_first_holder_is_refused_and_changes_nothing(url: str) -> None:
    async with system(url) as plans:
        hand, service = await Hand.at(plans), persistence_of(plans)
        plan_id, job_id = await create(plans)
        late = await hand.claim()
        await hand.worker.be_lost()
        other = await Hand.at(plans)
        current = await other.claim()
        assert late.job_id == current.job_id == job_id
        before = await rows(plans)
        with pytest.raises(ClaimLost):
            await service.complete_job(completed(late, plan_id))
        with pytest.raises(ClaimLost):
            await service.fail_job(failed(late, plan_id))
        with pytest.raises(ClaimLost):
            await service.record_attempt(failed(late, plan_id))
        assert await rows(plans) == before
        assert (await service.complete_job(completed(current, plan_id))) is not None
        assert (await status(plans, plan_id))["status"] == "ready"


@contextmanager
def fault_before(plans: Any, number: int) -> Iterator[list[str]]:
    """The write of that number (from 0) fails; gives the writes that were tried."""
    writes: list[str] = []

    def refuse(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE", "WITH")):
            writes.append(statement)
            if len(writes) == number + 1:
                raise OperationalError(statement, {}, Exception("a fault"))

    engine = plans.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield writes
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


async def test_lp_18_a_fault_between_any_two_writes_of_complete_job_leaves_nothing(url: str) -> None:
    async with system(url) as plans:
        hand, service = await Hand.at(plans), persistence_of(plans)
        plan_id, job_id = await create(plans)
        run = await hand.claim()
        tasks = [task.id for module in completed(run, plan_id).modules for task in module.tasks]
        before = await rows(plans)
        events = await told(plans, plan_id)
        number = 0
        while True:
            with fault_before(plans, number) as writes:
                try:
                    await service.complete_job(completed(run, plan_id, curate=tasks))
                except OperationalError:
                    assert await rows(plans) == before, writes[-1]
                    assert await told(plans, plan_id) == events
                    assert (await plans.engine.get(job_id)).status == "running"
                    number += 1
                    continue
            break
        # Plan, modules, tasks, attempt, curation, quota, counter, meter event: each was a place to break.
        assert number >= 10
        after = await rows(plans)
        assert {name for name in after if after[name] != before[name]} >= {
            "learning_plans", "modules", "tasks", "generation_attempts", "task_curation", "usage_metrics",
            "usage_reservations", "usage_meter_events",
        }  # fmt: skip
        kinds = {view.kind: view.status.value for view in await plans.engine.jobs.find()}
        assert kinds == {"plan_generation": "completed", "usage_meter_push": "pending", "plan_curation": "pending"}


async def test_lp_18_a_commit_that_fails_leaves_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with system(url) as plans:
        hand, service = await Hand.at(plans), persistence_of(plans)
        plan_id, _ = await create(plans)
        run = await hand.claim()
        before = await rows(plans)

        async def refuse(self: Any) -> None:
            raise OperationalError("COMMIT", {}, Exception("the disk is full"))

        with monkeypatch.context() as patched:
            patched.setattr("sqlalchemy.ext.asyncio.AsyncSession.commit", refuse)
            with pytest.raises(OperationalError):
                await service.complete_job(completed(run, plan_id))
        assert await rows(plans) == before
        row = await service.complete_job(completed(run, plan_id))
        assert row is not None
        assert row.status == "completed"


async def test_a_plan_that_another_job_has_by_now_is_not_written(url: str) -> None:
    async with system(url) as plans:
        hand, service = await Hand.at(plans), persistence_of(plans)
        other = await made(plans, topic="Another")
        plan_id, _ = await create(plans)
        run = await hand.claim()
        await plans.intake.regenerate(USER, other, {})
        with pytest.raises(PlanReplaced):
            await service.complete_job(completed(run, other))
        assert (await plan(plans, plan_id))["modules"] == []


async def test_a_person_who_stops_a_job_stops_a_waiting_one_and_a_running_one(url: str) -> None:
    async with system(url) as plans:
        hand, service = await Hand.at(plans), persistence_of(plans)
        waiting, waiting_job = await create(plans)
        await plans.intake.cancel(USER, waiting_job)
        running, running_job = await create(plans)
        run = await hand.claim()
        await plans.intake.cancel(USER, running_job)
        with pytest.raises(PlanReplaced):
            await service.complete_job(completed(run, running))
        with pytest.raises(ClaimLost):
            await service.fail_job(failed(run, running))
        for plan_id in (waiting, running):
            stands = await status(plans, plan_id)
            assert stands["status"] == "failed"
            assert (await told(plans, plan_id))[-2:] == ["usage.refunded", "plan.failed"]
        assert (await status(plans, waiting))["last_error"] == "cancelled"
        assert (await job(plans, waiting_job))["status"] == "cancelled"
        assert await reservations(plans) == [("plan", "refunded")] * 2
        before = await told(plans, waiting)
        await finish_ends(plans)
        assert await told(plans, waiting) == before


async def finish_ends(plans: Any) -> None:
    """Run what tells of ends; the run that is held by hand stays."""
    await plans.start()

    async def none_waits() -> bool:
        found = await plans.engine.jobs.find(kind="plan_job_ended")
        return bool(found) and all(view.status == "completed" for view in found)

    await until(none_waits)


async def test_a_deleted_plan_takes_its_job_along_and_nothing_of_it_stays(url: str) -> None:
    async with system(url) as plans:
        done = await made(plans)
        open_plan, job_id = await create(plans)
        await plans.intake.delete(USER, open_plan)
        await plans.intake.delete(USER, done)
        await finish(plans)
        assert await count(plans, ModuleRow) == 0
        assert (await job(plans, job_id))["status"] == "cancelled"
        assert await reservations(plans) == [("plan", "committed"), ("plan", "refunded")]


async def test_a_plan_deleted_while_it_is_made_is_made_for_nobody(url: str) -> None:
    gate = Gate()
    async with system(url, FakeModel([gate])) as plans:
        await plans.start()
        plan_id, job_id = await create(plans)
        await gate.reached.wait()
        await plans.intake.delete(USER, plan_id)
        gate.opened.set()

        async def is_over() -> bool:
            return (await plans.engine.get(job_id)).status == "cancelled"

        await until(is_over)
        await finish(plans)
        assert (await rows(plans))["learning_plans"] == []
        assert await reservations(plans) == [("plan", "refunded")]


async def test_a_job_that_runs_too_long_fails_its_plan_as_a_timeout(url: str) -> None:
    gate = Gate()
    async with system(url, FakeModel([gate])) as plans:
        hasty = Intake(replace(plans._desk, plan_timeout_s=0.3), plans._jobs)
        started = await hasty.create(USER, WISHES, max_attempts=1)
        await finish(plans)
        stands = await status(plans, started.plan.id)
        assert (stands["status"], stands["job"]["status"], stands["job"]["attempts"]) == ("failed", "failed", 1)
        [failed] = await plans.engine.events.read(stream="plans", subject=started.plan.id, types=["plan.failed"])
        assert failed.data["classification"] == "timeout"
        assert await reservations(plans) == [("plan", "refunded")]


async def test_who_asks_again_before_a_lost_job_is_told_of_settles_it_first(url: str) -> None:
    async with system(url) as plans:
        plan_id, job_id = await create(plans)
        # As an operator does it: the job has ended, and what tells of that has not run yet.
        await plans.engine.cancel(job_id)
        assert await reservations(plans) == [("plan", "reserved")]
        await plans.intake.regenerate(USER, plan_id, {})
        assert await reservations(plans) == [("plan", "refunded"), ("regeneration", "reserved")]
        await finish(plans)
        assert (await status(plans, plan_id))["status"] == "ready"
        assert await reservations(plans) == [("plan", "refunded"), ("regeneration", "committed")]
        assert (await told(plans, plan_id)).count("plan.failed") == 1


async def test_an_operator_who_cancels_a_job_fails_its_plan(url: str) -> None:
    async with system(url) as plans:
        plan_id, job_id = await create(plans)
        await plans.engine.cancel(job_id)
        await finish(plans)
        assert (await status(plans, plan_id))["status"] == "failed"
        [failed] = await plans.engine.events.read(stream="plans", subject=plan_id, types=["plan.failed"])
        assert (failed.data["classification"], failed.data["message"]) == ("cancelled", "cancelled")
        assert await reservations(plans) == [("plan", "refunded")]


async def test_a_failure_that_cannot_be_written_is_tried_again_and_spends_no_attempt(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("systems.learning_plans.handlers.plan_job._GIVE_UP_AGAIN_S", 0.05)
    refused, real = [1, 2], SqlUsage.settle

    async def sometimes(self: Any, *given: Any) -> Any:
        if refused:
            refused.pop()
            raise OperationalError("UPDATE", {}, Exception("the database is away"))
        return await real(self, *given)

    monkeypatch.setattr(SqlUsage, "settle", sometimes)
    async with system(url, FakeModel([REFUSED])) as plans:
        plan_id, job_id = await create(plans)
        await finish(plans)
        done = await job(plans, job_id)
        assert (done["status"], done["attempts"], refused) == ("failed", 1, [])
        assert (await status(plans, plan_id))["status"] == "failed"
        assert await reservations(plans) == [("plan", "refunded")]
