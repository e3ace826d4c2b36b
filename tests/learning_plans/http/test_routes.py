"""What the routes answer."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from penstock import JobStatus
from systems.learning_plans.handlers.jobs import PlanGeneration
from systems.learning_plans.http.app import MAX_BODY_BYTES
from tests.learning_plans.support import (
    BUSY,
    REFUSED,
    USER,
    WISHES,
    FakeModel,
    FixedClock,
    Gate,
    answer,
    client_of,
    create,
    finish,
    made,
    plan,
    served,
    system,
)

ROUTES = [
    ("GET", "/api/plans", None),
    ("POST", "/api/plans", {**WISHES}),
    ("GET", "/api/plans/x", None),
    ("GET", "/api/plans/x/status", None),
    ("POST", "/api/plans/x/regenerate", {}),
    ("POST", "/api/plans/x/curate", None),
    ("GET", "/api/plans/x/attempts", None),
    ("POST", "/api/plans/x/export", {"format": "json"}),
    ("DELETE", "/api/plans/x", None),
    ("PUT", "/api/tasks/x/progress", {"status": "completed"}),
    ("GET", "/api/jobs/x", None),
    ("POST", "/api/jobs/x/cancel", None),
    ("GET", "/api/jobs/x/events", None),
    ("GET", "/api/usage", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_without_a_user_there_is_no_answer(sqlite_url: str, method: str, path: str, body: Any) -> None:
    async with system(sqlite_url) as plans, client_of(plans, None) as client:
        answered = await client.request(method, path, json=body)
        error = answered.json()["error"]
        assert (answered.status_code, error["code"]) == (401, "UNAUTHORIZED")
        assert error["details"] == [{"field": "X-User-Id", "message": error["message"]}]
        assert error["request_id"] == answered.headers["X-Request-Id"]


async def test_others_objects_are_not_found(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans, client_of(plans, "eve") as eve:
        plan_id, job_id = await create(plans)
        await finish(plans)
        task = (await plan(plans, plan_id))["modules"][0]["tasks"][0]["id"]
        push = next(view.id for view in await plans.engine.jobs.find() if view.kind == "usage_meter_push")
        for method, path, body in ROUTES:
            if "/x" not in path:
                continue
            for id_ in {"tasks": [task], "jobs": [job_id, push]}.get(path.split("/")[2], [plan_id]):
                answered = await eve.request(method, path.replace("/x", f"/{id_}"), json=body)
                assert (answered.status_code, answered.json()["error"]["code"]) == (404, "NOT_FOUND"), path
        assert (await eve.get("/api/plans")).json() == []
        assert (await client_get(plans, f"/api/jobs/{push}")) == 404


async def client_get(plans: Any, path: str) -> int:
    async with client_of(plans) as client:
        return int((await client.get(path)).status_code)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"topic": " ab "}, {"topic"}),
        ({"topic": None, "weekly_hours": "5", "skill_level": "x"}, {"topic", "weekly_hours", "skill_level"}),
        ({"deadline_date": "31.12.2026", "start_date": 5}, {"deadline_date", "start_date"}),
        ({"notes": "x" * 2_001, "learning_style": ""}, {"notes", "learning_style"}),
    ],
)
async def test_a_wrong_body_names_every_field(sqlite_url: str, changes: dict[str, Any], fields: set[str]) -> None:
    async with system(sqlite_url) as plans, client_of(plans) as client:
        answered = await client.post("/api/plans", json={**WISHES, **changes})
        error = answered.json()["error"]
        assert (answered.status_code, error["code"]) == (400, "VALIDATION_ERROR")
        assert {detail["field"] for detail in error["details"]} == fields


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b""])
async def test_a_body_that_is_no_object_is_refused(sqlite_url: str, body: bytes) -> None:
    async with system(sqlite_url) as plans, client_of(plans) as client:
        answered = await client.post("/api/plans", content=body, headers={"content-type": "application/json"})
        assert (answered.status_code, answered.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


async def test_a_body_beyond_the_limit_is_refused(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans, client_of(plans) as client:
        answered = await client.post("/api/plans", json={**WISHES, "notes": "x" * MAX_BODY_BYTES})
        assert (answered.status_code, answered.json()["error"]["code"]) == (413, "TOO_LARGE")


async def test_a_new_plan_is_answered_with_its_job(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans, client_of(plans) as client:
        answered = await client.post("/api/plans", json={**WISHES, "notes": "  ", "extra": 1})
        body = answered.json()
        assert answered.status_code == 201
        assert body.keys() == {"plan_id", "job_id", "status", "plan"}
        assert (body["status"], body["plan"]["status"], body["plan"]["notes"]) == ("pending", "generating", None)
        shown = (await client.get(f"/api/jobs/{body['job_id']}")).json()
        assert shown.keys() == {
            "id", "plan_id", "user_id", "job_type", "status", "priority", "attempts", "max_attempts", "payload",
            "result", "error", "error_history", "scheduled_for", "started_at", "completed_at", "created_at",
            "updated_at",
        }  # fmt: skip
        assert (shown["status"], shown["attempts"], shown["max_attempts"], shown["priority"]) == ("pending", 0, 3, 1)
        assert shown["payload"]["topic"] == "SQL joins"


async def test_plans_are_listed_with_how_far_the_learner_is(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans, client_of(plans) as client:
        first, second = await made(plans), await made(plans, topic="Another")
        task = (await plan(plans, first))["modules"][0]["tasks"][0]["id"]
        for progress in ("in_progress", "completed", "completed"):
            answered = await client.put(f"/api/tasks/{task}/progress", json={"status": progress})
            assert answered.json() == {"task_id": task, "status": progress}
        listed = (await client.get("/api/plans")).json()
        assert [one["id"] for one in listed] == [second, first]
        assert listed[1]["counts"] == {"modules": 2, "tasks": 5, "completed": 1}
        done = (await plan(plans, first))["modules"][0]["tasks"][0]["progress"]
        assert done["status"] == "completed"
        assert done["completed_at"]
        await client.put(f"/api/tasks/{task}/progress", json={"status": "not_started"})
        assert (await plan(plans, first))["modules"][0]["tasks"][0]["progress"]["completed_at"] is None
        bad = await client.put(f"/api/tasks/{task}/progress", json={"status": "almost"})
        assert (bad.status_code, bad.json()["error"]["details"][0]["field"]) == (400, "status")


async def test_an_export_cannot_be_formatted_by_what_a_model_wrote(sqlite_url: str) -> None:
    nasty = answer(("<b>x</b>", "[link](http://evil) `code` # head"))
    async with system(sqlite_url, FakeModel([nasty])) as plans, client_of(plans) as client:
        plan_id = await made(plans, topic="*Bold* topic")
        markdown = await client.post(f"/api/plans/{plan_id}/export", json={"format": "markdown"})
        assert markdown.headers["content-type"].startswith("text/markdown")
        assert "# \\*Bold\\* topic" in markdown.text
        assert "\\[link\\](http://evil) \\`code\\` \\# head" in markdown.text
        assert "<b>" not in markdown.text.replace("\\<", "")
        exported = await client.post(f"/api/plans/{plan_id}/export", json={"format": "json"})
        assert exported.json() == await plan(plans, plan_id)
        bad = await client.post(f"/api/plans/{plan_id}/export", json={"format": "pdf"})
        assert (bad.status_code, bad.json()["error"]["details"][0]["field"]) == (400, "format")


async def test_cancelling_answers_202_and_then_409(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans, client_of(plans) as client:
        _, job_id = await create(plans)
        assert (await client.post(f"/api/jobs/{job_id}/cancel")).status_code == 202
        assert (await client.post(f"/api/jobs/{job_id}/cancel")).status_code == 409
        assert (await client.get(f"/api/jobs/{job_id}")).json()["status"] == "cancelled"


async def test_a_job_that_runs_is_processing_and_counts_its_attempt(sqlite_url: str) -> None:
    gate = Gate()
    async with system(sqlite_url, FakeModel([gate])) as plans, client_of(plans) as client:
        await plans.start()
        _, job_id = await create(plans)
        await gate.reached.wait()
        shown = (await client.get(f"/api/jobs/{job_id}")).json()
        assert (shown["status"], shown["attempts"]) == ("processing", 1)
        gate.opened.set()


Told = list[tuple[str, str]]


async def told_to(client: Any, job_id: str, after: int | None = None) -> tuple[Told, int]:
    """(name, type) of all events of the stream, and the last position."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    seen: Told = []
    last, fields = 0, dict[str, str]()
    async with client.stream("GET", f"/api/jobs/{job_id}/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif fields:
                seen.append((fields["event"], json.loads(fields["data"])["type"]))
                last, fields = int(fields["id"]), {}
    return seen, last


async def test_the_events_of_a_job_are_told_as_they_happen_up_to_its_end(url: str) -> None:
    gate = Gate()
    async with system(url, FakeModel([gate])) as plans, served(plans) as client:
        await plans.start()
        _, other = await create(plans, topic="Another")
        await gate.reached.wait()
        listening = asyncio.create_task(told_to(client, other))
        gate.opened.set()
        seen, last = await asyncio.wait_for(listening, 30)
        assert seen == [
            ("progress", "plan.created"), ("plan_start", "plan.generation.started"),
            ("module_summary", "plan.module.detected"), ("module_summary", "plan.module.detected"),
            ("progress", "usage.committed"), ("complete", "plan.ready"),
        ]  # fmt: skip
        again, _ = await told_to(client, other, last - 2)
        assert again == seen[-2:]
        over = await client.get(f"/api/jobs/{other}/events", headers={"Last-Event-ID": str(last)})
        assert over.status_code == 204


async def test_the_events_of_a_failed_job_end_with_an_error(url: str) -> None:
    async with system(url, FakeModel([BUSY, BUSY, REFUSED])) as plans, served(plans) as client:
        plan_id, job_id = await create(plans)
        await finish(plans)
        seen, _ = await told_to(client, job_id)
        assert [name for name, _ in seen] == ["progress", "plan_start", "progress", "plan_start", "progress", "error"]
        started = await plans.intake.regenerate(USER, plan_id, {})
        await finish(plans)
        regenerated, _ = await told_to(client, started.job_id)
        assert [type for _, type in regenerated] == [
            "plan.generation.started", "usage.refunded", "plan.regeneration.failed",
        ]  # fmt: skip


async def test_a_cancelled_job_ends_its_stream(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans, served(plans) as client:
        _, job_id = await create(plans)
        await plans.intake.cancel(USER, job_id)
        seen, _ = await told_to(client, job_id)
        assert seen[-1] == ("error", "plan.failed")


async def test_lp_20_health_names_a_job_that_runs_too_long_and_too_many_that_wait(url: str) -> None:
    gate, clock = Gate(), FixedClock()
    async with system(url, FakeModel([gate]), clock=clock) as plans, client_of(plans, None) as client:
        await plans.users.set_tier(USER, "pro")
        clock.moment = datetime.now(UTC)
        await plans.start()
        await create(plans)
        await gate.reached.wait()
        health = await client.get("/health/worker")
        assert (health.status_code, health.json()["status"]) == (200, "ok")
        await plans.engine.enqueue_many([PlanGeneration(plan_id=str(n)) for n in range(101)])
        clock.advance(timedelta(minutes=11))
        sick = await client.get("/health/worker")
        assert sick.status_code == 503
        longest, pending = sick.json()["reason"].split("; ")
        assert longest.startswith("a job has been processing since ")
        assert pending == "101 jobs are pending, more than 100"
        gate.opened.set()
        # What is left would be run when the system stops.
        for view in await plans.engine.jobs.find(statuses=[JobStatus.PENDING], limit=200):
            await plans.engine.cancel(view.id)


async def test_lp_20_statistics_equal_a_recount(url: str) -> None:
    model = FakeModel()
    async with system(url, model, admin_token="token") as plans, client_of(plans, None) as client:
        await plans.users.set_tier(USER, "pro")
        for _ in range(3):
            await made(plans)
        model.scripts = [REFUSED]
        failed = [(await create(plans))[1]]
        await finish(plans)
        await create(plans)
        headers = {"X-Admin-Token": "token"}
        stats = (await client.get("/api/admin/jobs/stats", headers=headers)).json()
        views = await plans.engine.jobs.find(limit=500)
        recount = {name: 0 for name in ("pending", "processing", "completed", "failed", "cancelled")}
        for view in views:
            recount["processing" if view.status == "running" else view.status.value] += 1
        assert stats["counts"] == recount
        assert stats["failure_rate"] == recount["failed"] / (recount["completed"] + recount["failed"])
        took = [
            (view.finished_at - view.started_at) / timedelta(milliseconds=1)
            for view in views
            if view.status == "completed" and view.started_at and view.finished_at
        ]
        assert stats["mean_processing_ms"] == pytest.approx(sum(took) / len(took), abs=0.01)
        found = (await client.get("/api/admin/jobs/failed?limit=5", headers=headers)).json()
        assert [one["id"] for one in found] == failed
        since = (await plans.engine.get(failed[0])).created_at.isoformat()
        later = (await client.get("/api/admin/jobs/stats", params={"since": since}, headers=headers)).json()
        assert (later["counts"]["failed"], later["counts"]["pending"], later["counts"]["completed"]) == (1, 1, 0)


@pytest.mark.parametrize(("set_to", "given"), [(None, "x"), ("token", None), ("token", "wrong"), ("token", "tokené")])
async def test_operators_routes_need_the_token(sqlite_url: str, set_to: str | None, given: str | None) -> None:
    async with system(sqlite_url, admin_token=set_to) as plans, client_of(plans) as client:
        for path in ("/api/admin/jobs/stats", "/api/admin/jobs/failed"):
            headers = [] if given is None else [(b"X-Admin-Token", given.encode("latin-1"))]
            answered = await client.get(path, headers=headers)
            assert (answered.status_code, answered.json()["error"]["code"]) == (403, "FORBIDDEN")


async def test_a_database_that_is_away_is_503(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with system(sqlite_url) as plans, client_of(plans) as client:

        async def away(*_: Any) -> Any:
            raise OperationalError("SELECT", {}, Exception("no connection"))

        monkeypatch.setattr(plans.library, "plans", away)
        answered = await client.get("/api/plans")
        assert (answered.status_code, answered.json()["error"]["code"]) == (503, "UNAVAILABLE")
