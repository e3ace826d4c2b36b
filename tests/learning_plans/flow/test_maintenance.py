"""The net under everything: plans without a job, jobs that are old."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text, update

from systems.learning_plans.handlers.jobs import JobRetention, PlanGeneration, PlanStuckSweep
from systems.learning_plans.infrastructure.tables import PlanRow
from tests.learning_plans.support import (
    FixedClock,
    create,
    finish,
    made,
    reservations,
    rows,
    status,
    system,
    told,
)


async def swept(plans: Any) -> int:
    handle = await plans.engine.enqueue(PlanStuckSweep())
    await finish(plans)
    return int(await handle.result())


async def forget_job(plans: Any, plan_id: str) -> None:
    """As if the plan's job had been lost from the engine's own tables."""
    async with plans.database.sessions.begin() as session:
        await session.execute(update(PlanRow).where(PlanRow.id == plan_id).values(active_job_id=None))


async def test_a_plan_without_a_job_fails_after_a_quarter_of_an_hour(url: str) -> None:
    clock = FixedClock()
    async with system(url, clock=clock) as plans:
        plan_id, job_id = await create(plans)
        await plans.engine.cancel(job_id)
        for view in await plans.engine.jobs.find(kind="plan_job_ended"):
            await plans.engine.cancel(view.id)
        clock.advance(timedelta(minutes=15))
        assert await swept(plans) == 0
        clock.advance(timedelta(seconds=1))
        assert await swept(plans) == 1
        assert (await status(plans, plan_id))["status"] == "failed"
        assert await reservations(plans) == [("plan", "refunded")]
        assert (await told(plans, plan_id))[-2:] == ["usage.refunded", "plan.failed"]
        assert await swept(plans) == 0


async def test_a_plan_of_which_nobody_knows_the_job_fails_as_well(url: str) -> None:
    clock = FixedClock()
    async with system(url, clock=clock) as plans:
        plan_id, job_id = await create(plans)
        await plans.engine.cancel(job_id)
        await forget_job(plans, plan_id)
        clock.advance(timedelta(minutes=16))
        assert await swept(plans) == 1
        assert (await told(plans, plan_id))[-1] == "plan.failed"


async def test_a_plan_whose_job_is_open_is_left_alone_however_long_it_waits(url: str) -> None:
    clock = FixedClock()
    async with system(url, clock=clock) as plans:
        plan_id, job_id = await create(plans)
        await plans.engine.jobs.move(job_id, run_at=datetime.now(UTC) + timedelta(days=1))
        clock.advance(timedelta(hours=5))
        handle = await plans.engine.enqueue(PlanStuckSweep())
        await plans.start()
        assert await handle.result(timeout=20) == 0
        assert (await status(plans, plan_id))["status"] == "generating"


async def test_lp_20_retention_removes_ended_jobs_older_than_thirty_days_and_no_others(url: str) -> None:
    async with system(url) as plans:
        await made(plans)
        old = {view.id for view in await plans.engine.jobs.find()}
        open_job = await plans.engine.enqueue(
            PlanGeneration(plan_id="p"), run_at=datetime.now(UTC) + timedelta(days=400)
        )
        await age(plans, days=31)
        await made(plans, topic="Another")
        young = {view.id for view in await plans.engine.jobs.find()} - old - {open_job.id}
        before = await rows(plans)
        handle = await plans.engine.enqueue(JobRetention())
        await plans.start()
        assert await handle.result(timeout=20) == len(old)
        left = {view.id for view in await plans.engine.jobs.find()}
        assert left == young | {open_job.id, handle.id}
        assert await rows(plans) == before


async def age(plans: Any, days: int) -> None:
    """Let all jobs there are have happened so long ago."""
    span = days * 86_400 * 1_000_000
    table = "penstock_jobs" if plans.database.engine.dialect.name == "sqlite" else "penstock.jobs"
    columns = ("created_at", "started_at", "claimed_at", "finished_at")
    changes = ", ".join(f"{column} = {column} - {span}" for column in columns)
    async with plans.database.sessions.begin() as session:
        await session.execute(text(f"UPDATE {table} SET {changes}"))  # noqa: S608 - names of our own


async def test_the_schedules_are_declared(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans:
        await plans.start()
        found = {one.name: (one.when, one.queue) for one in await plans.engine.queues.schedules()}
    assert found == {
        "plan_stuck_sweep": ("every 300 s", "maintenance"),
        "job_retention": ("0 3 * * * (UTC)", "maintenance"),
    }
