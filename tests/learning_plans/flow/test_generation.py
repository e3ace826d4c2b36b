"""From a request to a plan, and what goes wrong on the way: full processing through the engine."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from penstock.ai import ModelFailure
from systems.learning_plans.handlers.jobs import PlanGeneration, PlanRegeneration
from systems.learning_plans.infrastructure.tables import AiUsageEventRow, GenerationAttemptRow, UsageMeterEventRow
from tests.learning_plans.support import (
    BUSY,
    PLAN,
    REFUSED,
    USER,
    WISHES,
    FakeModel,
    answer,
    attempts,
    count,
    create,
    finish,
    hasten,
    job,
    made,
    plan,
    reservations,
    rows,
    status,
    system,
    titles,
    told,
    until,
    usage,
)


async def test_a_plan_is_made_and_everything_about_it_is_written(url: str) -> None:
    model = FakeModel()
    async with system(url, model) as plans:
        plan_id, job_id = await create(plans, notes="  I know tables.  ")
        before = await status(plans, plan_id)
        await finish(plans)
        shown, after, done = await plan(plans, plan_id), await status(plans, plan_id), await job(plans, job_id)
        assert (before["status"], before["job"]["status"], before["last_error"]) == ("generating", "pending", None)
        assert (after["status"], after["job"]["status"], after["attempts"]) == ("ready", "completed", 1)
        assert titles(shown) == {"Basics": ["Tables", "Rows"], "Joins": ["Inner joins", "Outer joins", "Self joins"]}
        assert (shown["is_quota_eligible"], shown["active_job_id"]) == (True, None)
        assert shown["made_by"] == {"provider": "fake", "model": "fake-1", "offline": False}
        assert done["result"] | {"duration_ms": 0} == {
            "status": "completed", "plan_id": plan_id, "modules_count": 2, "tasks_count": 5, "duration_ms": 0,
            "provider": "fake", "model": "fake-1", "curation": "off", "classification": None,
        }  # fmt: skip
        assert (done["job_type"], done["user_id"], done["attempts"]) == ("plan_generation", USER, 1)
        assert await reservations(plans) == [("plan", "committed")]
        assert (await usage(plans))["plans"] == {"active": 1, "generated": 1, "limit": 3}
        assert await count(plans, UsageMeterEventRow, UsageMeterEventRow.sent_at.is_not(None)) == 1
        assert await told(plans, plan_id) == [
            "plan.created", "plan.generation.started", "plan.module.detected", "plan.module.detected",
            "usage.committed", "plan.ready",
        ]  # fmt: skip
    [request] = model.requests
    assert '"notes": "I know tables."' in request.prompt_text
    assert (request.temperature, request.max_output_tokens) == (0.2, 1_200)


async def test_lp_03_retryable_failures_are_tried_three_times_with_growing_pauses(url: str) -> None:
    gaps = []
    async with system(url, FakeModel([BUSY])) as plans:
        await plans.start()
        plan_id, job_id = await create(plans)
        for attempt in (1, 2):
            await until(partial(_waits_after, plans, job_id, attempt))
            seen, stands = await job(plans, job_id), await status(plans, plan_id)
            assert (seen["status"], stands["status"], len(seen["error_history"])) == ("pending", "generating", attempt)
            view = await plans.engine.get(job_id)
            assert view.due_at is not None
            gaps.append(view.due_at - (await plans.engine.jobs.errors(job_id))[-1].at)
            await hasten(plans, job_id)
        await finish(plans)
        done, stands = await job(plans, job_id), await status(plans, plan_id)
    assert timedelta(seconds=1.5) <= gaps[0] <= timedelta(seconds=2.5)
    assert timedelta(seconds=3) <= gaps[1] <= timedelta(seconds=5)
    assert (done["status"], done["attempts"], stands["status"]) == ("failed", 3, "failed")
    assert [entry["attempt"] for entry in done["error_history"]] == [1, 2, 3]
    assert all("overloaded" in entry["error"] for entry in done["error_history"])
    assert "Traceback" not in stands["last_error"]


async def _waits_after(plans: Any, job_id: str, attempt: int) -> bool:
    view = await plans.engine.get(job_id)
    return bool(view.state == "scheduled" and view.attempt == attempt)


async def test_lp_03_a_permanent_failure_ends_after_one_attempt(url: str) -> None:
    async with system(url, FakeModel([REFUSED])) as plans:
        plan_id, job_id = await create(plans)
        await finish(plans)
        done, stands = await job(plans, job_id), await status(plans, plan_id)
        assert (done["status"], done["attempts"], len(done["error_history"])) == ("failed", 1, 1)
        assert (stands["status"], stands["attempts"]) == ("failed", 1)
        assert await reservations(plans) == [("plan", "refunded")]
        assert (await usage(plans))["plans"] == {"active": 0, "generated": 0, "limit": 3}
        assert (await told(plans, plan_id))[-2:] == ["usage.refunded", "plan.failed"]


async def test_lp_06_the_late_answer_of_a_deaf_provider_is_thrown_away(url: str) -> None:
    let_go = asyncio.Event()

    async def deaf(_: Any) -> str:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        return answer(("Late", "Too late"))

    model = FakeModel()
    async with system(url, model, ai_timeout_base_ms=150, ai_timeout_extension_ms=0) as plans:
        plan_id = await made(plans)
        model.scripts = [deaf]
        started = await plans.intake.regenerate(USER, plan_id, {})
        before = await plan(plans, plan_id)
        await finish(plans)
        let_go.set()
        done = await job(plans, started.job_id)
        found = await attempts(plans, plan_id)
        assert (done["status"], done["attempts"]) == ("failed", 3)
        assert [one["classification"] for one in found] == [None, "timeout", "timeout", "timeout"]
        assert found[-1]["metadata"]["timing"]["timed_out"] is True
        after = await plan(plans, plan_id)
        assert (after["modules"], after["status"]) == (before["modules"], "ready")
        assert await plans.engine.jobs.steps(started.job_id) == []


FAILURES = [
    ("no JSON at all", "provider_error", 3),
    ("", "provider_error", 3),
    ('{"modules": []}', "validation", 1),
    (ModelFailure("timeout", "too slow", retryable=True), "timeout", 3),
    (ModelFailure("rate_limit", "slow down", retryable=True), "rate_limit", 3),
    (BUSY, "provider_error", 3),
    (REFUSED, "provider_error", 1),
    (ModelFailure("content_filter", "no", retryable=False), "provider_error", 1),
    (ModelFailure("context_too_long", "too long", retryable=False), "provider_error", 1),
    (ModelFailure("unknown", "odd", retryable=True), "unknown", 3),
    (RuntimeError("a bug"), "unknown", 3),
]


@pytest.mark.parametrize(("script", "classification", "runs"), FAILURES)
async def test_lp_07_each_cause_has_its_class_and_its_number_of_runs(
    sqlite_url: str, script: Any, classification: str, runs: int
) -> None:
    async with system(sqlite_url, FakeModel([script])) as plans:
        plan_id, job_id = await create(plans)
        await finish(plans)
        done, stands = await job(plans, job_id), await status(plans, plan_id)
        found = await attempts(plans, plan_id)
        [failed] = await plans.engine.events.read(stream="plans", subject=plan_id, types=["plan.failed"])
    assert (done["status"], done["attempts"], stands["status"]) == ("failed", runs, "failed")
    assert [one["classification"] for one in found] == [classification] * runs
    assert set(found[0]["metadata"]) == {
        "input_truncation", "normalization", "timing", "extended_timeout", "provider", "failure",
    }  # fmt: skip
    assert done["error"].endswith(f"({classification})")
    assert (failed.data["classification"], failed.data["attempt"]) == (classification, runs)


@pytest.mark.parametrize(
    ("data", "told_of"),
    [
        ({"topic": "ab"}, "topic must be a text of 3 to 200 characters"),
        ({"notes": "x" * 2_001}, "notes must be a text of at most 2,000 characters, or null"),
        ({"skill_level": "expert"}, "skill_level must be one of beginner, intermediate, advanced"),
        ({"weekly_hours": 81}, "weekly_hours must be a whole number from 0 to 80"),
        ({"weekly_hours": True}, "weekly_hours must be a whole number from 0 to 80"),
        ({"learning_style": None}, "learning_style must be one of reading, video, practice, mixed"),
        ({"deadline_date": "soon"}, "deadline_date must be a date such as 2027-03-01, or null"),
        ({"plan_id": ""}, "plan_id must be a text"),
    ],
)
async def test_lp_07_bad_job_data_fails_after_one_attempt_and_names_all_faults(
    sqlite_url: str, data: dict[str, Any], told_of: str
) -> None:
    model = FakeModel()
    async with system(sqlite_url, model) as plans:
        given = {"plan_id": "p", "user_id": USER, **WISHES, "weekly_hours": 3, "bookkeeping": 1} | data
        handle = await plans.engine.enqueue(PlanGeneration(**given, start_date="yesterday"))
        await finish(plans)
        view = await plans.engine.get(handle.id)
    assert (view.status, view.attempt, model.requests) == ("failed", 1, [])
    assert (view.reason or "").startswith("Invalid job data: ")
    assert told_of in (view.reason or "")
    assert "; start_date must be" in (view.reason or "") or "start_date must be a date" in (view.reason or "")


async def test_lp_07_anothers_plan_in_a_regeneration_job_fails_after_one_attempt(url: str) -> None:
    model = FakeModel()
    async with system(url, model) as plans:
        plan_id = await made(plans)
        before = await rows(plans)
        stolen = await plans.engine.enqueue(PlanRegeneration(plan_id=plan_id, user_id="eve", overrides={}))
        gone = await plans.engine.enqueue(PlanRegeneration(plan_id="nowhere", user_id=USER, overrides={}))
        await finish(plans)
        for handle in (stolen, gone):
            view = await plans.engine.get(handle.id)
            assert (view.status, view.attempt, view.reason) == ("failed", 1, "plan not found (validation)")
        assert await rows(plans) == before
    assert len(model.requests) == 1


async def test_lp_07_a_plan_that_was_deleted_meanwhile_is_a_conflict(url: str) -> None:
    async with system(url) as plans:
        handle = await plans.engine.enqueue(PlanGeneration(plan_id="gone", user_id=USER, **WISHES))
        await finish(plans)
        view = await plans.engine.get(handle.id)
        assert (view.status, view.attempt) == ("failed", 1)
        assert (view.reason or "").endswith("(conflict)")


async def test_lp_07_a_rate_limit_is_not_tried_again_before_its_time(url: str) -> None:
    limited = ModelFailure("rate_limit", "slow down", retryable=True, retry_after_s=90)
    async with system(url, FakeModel([limited])) as plans:
        await plans.start()
        _, job_id = await create(plans)
        await until(lambda: _waits_after(plans, job_id, 1))
        view = await plans.engine.get(job_id)
        [error] = await plans.engine.jobs.errors(job_id)
        assert view.due_at is not None
        assert view.due_at - error.at >= timedelta(seconds=89)


async def test_lp_08_the_run_beyond_the_cap_asks_no_model_and_ends_the_job(url: str) -> None:
    model = FakeModel([BUSY])
    async with system(url, model) as plans:
        started = await plans.intake.create(USER, WISHES, max_attempts=5)
        await finish(plans)
        done = await job(plans, started.job_id)
        found = await attempts(plans, started.plan.id)
    # Each AI run is two calls: a provider that is busy is asked once more.
    assert len(model.requests) == 6
    assert [one["classification"] for one in found] == ["provider_error"] * 3 + ["capped"]
    assert (done["status"], done["attempts"], done["max_attempts"]) == ("failed", 4, 5)
    assert done["error"].endswith("(capped)")


async def test_lp_08_the_cap_counts_one_cycle_only(url: str) -> None:
    model = FakeModel([BUSY])
    async with system(url, model) as plans:
        plan_id = await made(plans)
        model.scripts = [PLAN]
        await plans.intake.regenerate(USER, plan_id, {})
        await finish(plans)
        assert (await status(plans, plan_id))["status"] == "ready"
        assert [one["classification"] for one in await attempts(plans, plan_id)] == ["provider_error"] * 3 + [None]


async def test_lp_12_minutes_are_brought_within_their_bounds_and_the_attempt_says_so(sqlite_url: str) -> None:
    small, large = answer(("A", "a"), minutes=1, task_minutes=1), answer(("B", "b"), minutes=999, task_minutes=999)
    async with system(sqlite_url, FakeModel([f"```json\n{small}\n```", large, PLAN])) as plans:
        found = []
        for _ in range(3):
            plan_id = await made(plans)
            [module, *_] = (await plan(plans, plan_id))["modules"]
            [attempt] = await attempts(plans, plan_id)
            minutes = (module["estimated_minutes"], module["tasks"][0]["estimated_minutes"])
            found.append((*minutes, attempt["normalized_effort"]))
    assert found == [(15, 5, True), (480, 120, True), (60, 30, False)]


async def test_every_call_of_a_model_has_its_row_of_usage_also_those_that_failed(url: str) -> None:
    async with system(url, FakeModel([BUSY, BUSY, PLAN])) as plans:
        await made(plans)
        async with plans.database.reads() as session:
            order = (AiUsageEventRow.job_attempt, AiUsageEventRow.call_no)
            columns = (*order, AiUsageEventRow.operation, AiUsageEventRow.provider, AiUsageEventRow.output_tokens)
            found = (await session.execute(AiUsageEventRow.__table__.select().with_only_columns(*columns))).all()
    rows_of_usage = sorted(map(tuple, found))
    assert rows_of_usage == [
        (1, 1, "plan_generation", "fake", None),
        (1, 2, "plan_generation", "fake", None),
        (2, 1, "plan_generation", "fake", 50),
    ]


async def test_a_kept_answer_is_not_paid_for_twice(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = FakeModel()
    broken = [OSError("the disk is full")]
    real = plan_repository_put()

    async def sometimes(self: Any, *given: Any) -> None:
        if broken:
            raise broken.pop()
        await real(self, *given)

    monkeypatch.setattr("systems.learning_plans.infrastructure.plan_repository.SqlPlans.put_content", sometimes)
    async with system(url, model) as plans:
        plan_id, job_id = await create(plans)
        await finish(plans)
        done = await job(plans, job_id)
        assert (done["status"], done["attempts"], (await status(plans, plan_id))["status"]) == ("completed", 2, "ready")
        assert await count(plans, GenerationAttemptRow) == 2
    assert len(model.requests) == 1


def plan_repository_put() -> Any:
    from systems.learning_plans.infrastructure.plan_repository import SqlPlans  # noqa: PLC0415 - before it is patched

    return SqlPlans.put_content
