"""What a learner may ask for: rates, quotas, lengths, and the order in which they are looked at."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from systems.learning_plans.domain.priority import priority_of
from systems.learning_plans.domain.tiers import Tier
from systems.learning_plans.infrastructure.tables import PlanRow
from tests.learning_plans.support import (
    REFUSED,
    USER,
    WISHES,
    FakeModel,
    FixedClock,
    answer,
    client_of,
    count,
    create,
    finish,
    made,
    plan,
    reservations,
    rows,
    system,
    usage,
)


async def asked(client: Any, **wishes: Any) -> tuple[int, str, Any]:
    """(status, code of the error, whole answer)."""
    answered = await client.post("/api/plans", json={**WISHES, **wishes})
    return answered.status_code, answered.json().get("error", {}).get("code", ""), answered


async def test_lp_11_the_eleventh_plan_job_within_an_hour_is_refused_until_the_first_leaves(url: str) -> None:
    clock = FixedClock()
    async with system(url, clock=clock) as plans, client_of(plans) as client:
        await plans.users.set_tier(USER, "pro")
        for _ in range(9):
            assert (await asked(client))[0] == 201
            clock.advance(timedelta(minutes=3))
        await finish(plans)
        [first, *_] = (await client.get("/api/plans")).json()
        assert (await client.post(f"/api/plans/{first['id']}/regenerate")).status_code == 202
        clock.advance(timedelta(minutes=10))
        status, code, answered = await asked(client)
        # The first was accepted 9 * 3 + 10 minutes ago.
        assert (status, code, answered.headers["Retry-After"]) == (429, "RATE_LIMIT", str(23 * 60))
        again = await client.post(f"/api/plans/{first['id']}/regenerate")
        assert again.status_code == 409  # an open job is looked at before the rate
        await finish(plans)
        assert (await client.post(f"/api/plans/{first['id']}/regenerate")).status_code == 429
        clock.advance(timedelta(minutes=23))
        assert (await asked(client))[0] == 201
        assert (await asked(client))[:2] == (429, "RATE_LIMIT")


async def test_lp_11_refused_requests_cost_nothing(url: str) -> None:
    async with system(url, clock=FixedClock()) as plans, client_of(plans) as client:
        for _ in range(3):
            assert (await asked(client))[0] == 201
        before = await rows(plans)
        for _ in range(12):
            assert (await asked(client))[:2] == (403, "PLAN_LIMIT")
        assert (await asked(client, topic="x"))[:2] == (400, "VALIDATION_ERROR")
        assert await rows(plans) == before


@pytest.mark.parametrize(
    ("tier", "days", "status"),
    [("free", 14, 201), ("free", 15, 403), ("starter", 56, 201), ("starter", 57, 403), ("pro", 900, 201)],
)
async def test_lp_14_a_plan_may_last_as_many_weeks_as_the_tier_allows(
    sqlite_url: str, tier: str, days: int, status: int
) -> None:
    clock = FixedClock()
    async with system(sqlite_url, clock=clock) as plans, client_of(plans) as client:
        await plans.users.set_tier(USER, tier)
        deadline = (clock.now() + timedelta(days=days)).date().isoformat()
        found, code, _ = await asked(client, deadline_date=deadline)
        assert (found, code) == (status, "" if status == 201 else "PLAN_LENGTH_LIMIT")
        if status == 403:
            assert await count(plans, PlanRow) == 0


async def test_lp_14_the_length_is_looked_at_for_the_merged_dates_of_a_regeneration(sqlite_url: str) -> None:
    clock = FixedClock()
    async with system(sqlite_url, clock=clock) as plans, client_of(plans) as client:
        plan_id = await made(plans, deadline_date="2026-03-16", start_date="2026-03-02")
        path = f"/api/plans/{plan_id}/regenerate"
        refused = await client.post(path, json={"overrides": {"start_date": "2026-03-01"}})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "PLAN_LENGTH_LIMIT")
        assert (await client.post(path, json={"overrides": {"deadline_date": None}})).status_code == 202


async def test_lp_14_a_deadline_that_is_past_leaves_one_week_and_none_leaves_everything(sqlite_url: str) -> None:
    many = [(f"M{m}", *(f"t{m}{t}" for t in range(6))) for m in range(4)]
    async with system(sqlite_url, FakeModel([answer(*many)]), clock=FixedClock()) as plans:
        past = await plan(plans, await made(plans, deadline_date="2026-01-01"))
        free = await plan(plans, await made(plans))
    # 5 hours of one week, tasks of 55 minutes on average for a beginner: five tasks, one a module and then in order.
    assert [len(module["tasks"]) for module in past["modules"]] == [2, 1, 1, 1]
    assert [len(module["tasks"]) for module in free["modules"]] == [6, 6, 6, 6]


async def test_of_many_requests_at_once_no_more_are_accepted_than_the_tier_allows(url: str) -> None:
    async with system(url) as plans, client_of(plans) as client:
        found = await asyncio.gather(*(asked(client) for _ in range(8)))
        assert sorted(status for status, _, _ in found) == [201] * 3 + [403] * 5
        assert await reservations(plans) == [("plan", "reserved")] * 3


async def test_failed_plans_do_not_count_as_active_and_reviving_one_is_refused_over_the_cap(url: str) -> None:
    model = FakeModel([REFUSED])
    async with system(url, model) as plans, client_of(plans) as client:
        failed = await made(plans)
        for _ in range(3):
            assert (await asked(client))[0] == 201
        answered = await client.post(f"/api/plans/{failed}/regenerate")
        assert (answered.status_code, answered.json()["error"]["code"]) == (403, "PLAN_LIMIT")


async def test_regenerations_of_a_month_are_bounded_and_open_ones_count(url: str) -> None:
    clock = FixedClock()
    async with system(url, clock=clock) as plans, client_of(plans) as client:
        plan_id = await made(plans)
        for _ in range(5):
            assert (await client.post(f"/api/plans/{plan_id}/regenerate")).status_code == 202
            await finish(plans)
        answered = await client.post(f"/api/plans/{plan_id}/regenerate")
        assert (answered.status_code, answered.json()["error"]["code"]) == (429, "QUOTA")
        assert "Retry-After" not in answered.headers
        assert (await usage(plans))["regenerations"] == {"used": 5, "reserved": 0, "limit": 5}
        clock.advance(timedelta(days=30))
        assert (await client.post(f"/api/plans/{plan_id}/regenerate")).status_code == 202
        assert (await usage(plans))["regenerations"] == {"used": 0, "reserved": 1, "limit": 5}


async def test_exports_of_a_month_are_bounded(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans, client_of(plans) as client:
        plan_id = await made(plans)
        for number in range(10):
            answered = await client.post(
                f"/api/plans/{plan_id}/export", json={"format": ["json", "markdown"][number % 2]}
            )
            assert answered.status_code == 200
        answered = await client.post(f"/api/plans/{plan_id}/export", json={"format": "json"})
        assert (answered.status_code, answered.json()["error"]["code"]) == (429, "QUOTA")
        assert (await usage(plans))["exports"] == {"used": 10, "reserved": 0, "limit": 10}
        waiting, _ = await create(plans)
        answered = await client.post(f"/api/plans/{waiting}/export", json={"format": "json"})
        assert (answered.status_code, answered.json()["error"]["code"]) == (409, "CONFLICT")


async def test_tiers_have_their_limits(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans:
        found = {}
        for tier in Tier:
            await plans.users.set_tier(USER, tier)
            seen = await usage(plans)
            found[tier] = [seen[name]["limit"] for name in ("plans", "regenerations", "exports")]
        with pytest.raises(ValueError, match="tier: must be one of free, starter, pro, not 'gold'"):
            await plans.users.set_tier(USER, "gold")
    assert found == {"free": [3, 5, 10], "starter": [10, 10, 50], "pro": [None, 50, None]}


@pytest.mark.parametrize(
    ("tier", "topic", "priority"),
    [
        ("starter", "Machine Learning basics", 8),
        ("starter", "machinelearning", 5),
        ("free", "Interview  prep", 4),
        ("pro", "All of AI Engineering, soon", 13),
        ("free", "Data-structures", 1),
        ("free", "old data structures", 4),
    ],
)
async def test_lp_21_priority_is_of_the_tier_and_of_topics_in_demand(
    sqlite_url: str, tier: str, topic: str, priority: int
) -> None:
    assert priority_of(Tier(tier), topic) == priority
    async with system(sqlite_url) as plans:
        await plans.users.set_tier(USER, tier)
        _, job_id = await create(plans, topic=topic)
        assert (await plans.engine.get(job_id)).priority == priority


async def test_lp_21_a_regeneration_goes_by_the_merged_topic(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans:
        plan_id = await made(plans)
        started = await plans.intake.regenerate(USER, plan_id, {"topic": "machine learning"})
        assert (await plans.engine.get(started.job_id)).priority == 4
