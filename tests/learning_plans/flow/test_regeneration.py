"""Making a plan anew: what changes, what stays, and what is refused."""

import asyncio
from typing import Any

import pytest

from systems.learning_plans.domain.errors import Conflict, InvalidInput, NotFound
from tests.learning_plans.support import (
    BUSY,
    REFUSED,
    USER,
    FakeModel,
    Gate,
    answer,
    client_of,
    create,
    finish,
    made,
    plan,
    reservations,
    rows,
    status,
    system,
    told,
    usage,
)

FIRST = answer(("The Basics", "What is a table?", "Rows"), ("Joins", "Inner joins", "Outer joins"))
SECOND = answer(("the basics!", "what  is a TABLE", "Views"), ("More", "Outer joins", "Rows, again"))


async def regenerated(plans: Any, plan_id: str, **overrides: Any) -> str:
    started = await plans.intake.regenerate(USER, plan_id, overrides)
    await finish(plans)
    return str(started.job_id)


def task_ids(shown: dict[str, Any]) -> dict[str, str]:
    return {task["title"]: task["id"] for module in shown["modules"] for task in module["tasks"]}


async def test_lp_09_only_the_fields_that_are_named_change(url: str) -> None:
    model = FakeModel()
    async with system(url, model) as plans:
        plan_id = await made(plans, notes="Slowly.", deadline_date="2027-03-01", start_date="2027-02-20")
        before = await plan(plans, plan_id)
        await regenerated(plans, plan_id, topic="SQL views", weekly_hours=9)
        after = await plan(plans, plan_id)
        await regenerated(plans, plan_id, deadline_date=None)
        cleared = await plan(plans, plan_id)
    wished = ("topic", "notes", "skill_level", "weekly_hours", "learning_style", "start_date", "deadline_date")
    changed = {name: after[name] for name in wished if after[name] != before[name]}
    assert changed == {"topic": "SQL views", "weekly_hours": 9}
    assert {name: cleared[name] for name in wished if cleared[name] != after[name]} == {"deadline_date": None}
    assert '"topic": "SQL views"' in model.requests[1].prompt_text
    assert '"notes": "Slowly."' in model.requests[1].prompt_text


async def test_lp_09_what_cannot_be_changed_is_refused_by_name(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans, client_of(plans) as client, client_of(plans, "eve") as eve:
        plan_id = await made(plans)
        path, before = f"/api/plans/{plan_id}/regenerate", await rows(plans)

        async def refused(overrides: dict[str, Any]) -> list[dict[str, str]]:
            answered = await client.post(path, json={"overrides": overrides})
            assert (answered.status_code, answered.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
            return list(answered.json()["error"]["details"])

        [fault] = await refused({"topic": None})
        assert fault == {"field": "overrides.topic", "message": "must not be null"}
        [fault] = await refused({"colour": "red"})
        assert fault["field"] == "overrides.colour"
        faults = await refused({"weekly_hours": 99, "skill_level": "none", "size": 1})
        assert {one["field"] for one in faults} == {
            "overrides.weekly_hours", "overrides.skill_level", "overrides.size",
        }  # fmt: skip
        for given in ({}, {"overrides": {"topic": "Mine"}}):
            assert (await eve.post(path, json=given)).status_code == 404
        # The body is looked at before whose plan it is.
        assert (await eve.post(path, json={"overrides": {"colour": "red"}})).status_code == 400
        assert (await client.post("/api/plans/nowhere/regenerate")).status_code == 404
        assert await rows(plans) | {"users": []} == before | {"users": []}


async def test_lp_10_a_second_regeneration_while_one_is_open_is_refused_and_costs_nothing(url: str) -> None:
    gate = Gate()
    async with system(url, FakeModel([FIRST, gate])) as plans, client_of(plans) as client:
        plan_id = await made(plans)
        await plans.start()
        first = (await client.post(f"/api/plans/{plan_id}/regenerate")).json()
        await gate.reached.wait()
        before, held = await usage(plans), await reservations(plans)
        second = await client.post(f"/api/plans/{plan_id}/regenerate", json={"overrides": {"topic": "Other"}})
        error = second.json()["error"]
        assert (second.status_code, error["code"], error["job_id"]) == (409, "CONFLICT", first["job_id"])
        assert (await usage(plans), await reservations(plans)) == (before, held)
        assert before["regenerations"] == {"used": 0, "reserved": 1, "limit": 5}
        gate.opened.set()
        await finish(plans)
        assert (await usage(plans))["regenerations"] == {"used": 1, "reserved": 0, "limit": 5}
        assert (await usage(plans))["plans"]["generated"] == 1


async def test_lp_10_of_many_regenerations_at_once_one_is_accepted(url: str) -> None:
    async with system(url) as plans, client_of(plans) as client:
        plan_id = await made(plans)
        path = f"/api/plans/{plan_id}/regenerate"
        found = await asyncio.gather(*(client.post(path) for _ in range(6)))
        assert sorted(answered.status_code for answered in found) == [202] + [409] * 5
        [accepted] = [answered.json()["job_id"] for answered in found if answered.status_code == 202]
        refused = {answered.json()["error"]["job_id"] for answered in found if answered.status_code == 409}
        assert refused == {accepted}
        assert await reservations(plans) == [("plan", "committed"), ("regeneration", "reserved")]


async def test_lp_13_a_task_with_the_same_titles_keeps_its_id_and_progress(url: str) -> None:
    async with system(url, FakeModel([FIRST, SECOND])) as plans, client_of(plans) as client:
        plan_id = await made(plans)
        before = task_ids(await plan(plans, plan_id))
        for title in ("What is a table?", "Outer joins", "Rows", "Inner joins"):
            answered = await client.put(f"/api/tasks/{before[title]}/progress", json={"status": "completed"})
            assert answered.status_code == 200
        await regenerated(plans, plan_id)
        shown = await plan(plans, plan_id)
    after = task_ids(shown)
    done = {
        task["title"]: task["progress"]["status"] for module in shown["modules"] for task in module["tasks"]
    }  # fmt: skip
    # The first by both titles, the second by a title that is unique on both sides.
    assert after["what is a TABLE"] == before["What is a table?"]
    assert after["Outer joins"] == before["Outer joins"]
    assert set(after.values()) & set(before.values()) == {before["What is a table?"], before["Outer joins"]}
    assert done == {
        "what is a TABLE": "completed",
        "Views": "not_started",
        "Outer joins": "completed",
        "Rows, again": "not_started",
    }
    assert shown["progress"] == {"tasks": 4, "completed": 2}


@pytest.mark.parametrize("script", [BUSY, REFUSED])
async def test_a_failed_regeneration_leaves_the_plan_as_it_was_and_refunds(url: str, script: Any) -> None:
    model = FakeModel()
    async with system(url, model) as plans:
        plan_id = await made(plans)
        before = await plan(plans, plan_id)
        model.scripts = [script]
        job_id = await regenerated(plans, plan_id, topic="Something else", notes="new")
        after, stands = await plan(plans, plan_id), await status(plans, plan_id)
        assert after | {"updated_at": ""} == before | {"updated_at": ""}
        assert (stands["status"], stands["job"]["id"], stands["job"]["status"]) == ("ready", job_id, "failed")
        assert "(provider_error)" in stands["last_error"]
        assert await reservations(plans) == [("plan", "committed"), ("regeneration", "refunded")]
        assert (await told(plans, plan_id))[-2:] == ["usage.refunded", "plan.regeneration.failed"]


async def test_a_failed_plan_can_be_made_again(url: str) -> None:
    model = FakeModel([REFUSED])
    async with system(url, model) as plans:
        plan_id = await made(plans)
        model.scripts = [FIRST]
        started = await plans.intake.regenerate(USER, plan_id, {})
        assert started.plan.status == "generating"
        assert (await status(plans, plan_id))["status"] == "generating"
        await finish(plans)
        shown = await plan(plans, plan_id)
        assert (shown["status"], shown["is_quota_eligible"]) == ("ready", True)
        model.scripts = [REFUSED]
        await regenerated(plans, plan_id)
        assert (await status(plans, plan_id))["status"] == "ready"
        assert (await told(plans, plan_id))[-1] == "plan.regeneration.failed"


async def test_a_failed_plan_that_cannot_be_made_again_either_is_failed_once_more(url: str) -> None:
    async with system(url, FakeModel([REFUSED])) as plans:
        plan_id = await made(plans)
        await regenerated(plans, plan_id)
        assert (await status(plans, plan_id))["status"] == "failed"
        assert await reservations(plans) == [("plan", "refunded"), ("regeneration", "refunded")]


async def test_a_plan_that_is_being_made_cannot_be_made_anew(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans:
        plan_id, job_id = await create(plans)
        with pytest.raises(Conflict) as refused:
            await plans.intake.regenerate(USER, plan_id, {})
        assert refused.value.job_id == job_id
        with pytest.raises(NotFound):
            await plans.intake.regenerate("eve", plan_id, {})
        with pytest.raises(InvalidInput):
            await plans.intake.regenerate(USER, plan_id, {"notes": 7})
