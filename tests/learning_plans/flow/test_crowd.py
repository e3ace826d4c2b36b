"""Many learners who ask, cancel, delete and ask again, all at once, with two workers: what is left is whole."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from penstock.ai import ModelRequest
from systems.learning_plans.infrastructure.tables import (
    GenerationAttemptRow,
    PlanRow,
    UsageMeterEventRow,
    UsageMetricRow,
    UsageReservationRow,
)
from tests.learning_plans.support import BUSY, PLAN, REFUSED, WISHES, FakeModel, Script, client_of, finish, system

LEARNERS, DEEDS = 6, 12
# What a learner may be answered; anything else is a fault of ours.
EXPECTED = {200, 201, 202, 204, 403, 404, 409, 429}

pytestmark = pytest.mark.timeout(180)


class Moody(FakeModel):
    """Takes its time, and now and then refuses."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self.rng = rng

    async def call(self, request: ModelRequest[Any], *, on_text: Any = None, on_usage: Any = None) -> Any:
        await asyncio.sleep(self.rng.random() / 20)
        moods: list[Script] = [PLAN, BUSY, REFUSED]
        self.scripts = self.rng.choices(moods, [6, 1, 1])
        return await super().call(request, on_text=on_text, on_usage=on_usage)


async def lives(plans: Any, user: str, rng: random.Random, answers: Counter[int]) -> None:
    mine: list[dict[str, str]] = []
    async with client_of(plans, user) as client:
        for _ in range(DEEDS):
            await asyncio.sleep(rng.random() / 10)
            deed = rng.choice(["create", "create", "regenerate", "cancel", "delete", "look"])
            one = rng.choice(mine) if mine else None
            if deed == "create" or one is None:
                answered = await client.post("/api/plans", json=dict(WISHES))
                if answered.status_code == 201:
                    mine.append(answered.json())
            elif deed == "regenerate":
                both = await asyncio.gather(*(client.post(f"/api/plans/{one['plan_id']}/regenerate") for _ in range(2)))
                assert sorted(each.status_code for each in both)[0] != 202 or both[0].status_code != both[1].status_code
                answered = both[0]
                for each in both:
                    if each.status_code == 202:
                        one["job_id"] = each.json()["job_id"]
            elif deed == "cancel":
                answered = await client.post(f"/api/jobs/{one['job_id']}/cancel")
            elif deed == "delete":
                answered = await client.delete(f"/api/plans/{one['plan_id']}")
            else:
                answered = await client.get(f"/api/plans/{one['plan_id']}/status")
            answers[answered.status_code] += 1


async def test_whatever_many_do_at_once_everything_is_settled_in_the_end(url: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - so that a failure can be played again
    rng, answers = random.Random(seed), Counter[int]()
    async with (
        system(url, Moody(rng), worker_concurrency=3) as plans,
        system(url, Moody(rng), worker_concurrency=3) as others,
    ):
        await others.start()
        await plans.start()
        for number in range(LEARNERS):
            await plans.users.set_tier(f"u{number}", rng.choice(["free", "starter", "pro"]))
        await asyncio.gather(*(lives(plans, f"u{n}", random.Random(seed + n), answers) for n in range(LEARNERS)))
        await finish(plans)
        await assert_settled(plans)
    assert set(answers) <= EXPECTED, answers


async def assert_settled(plans: Any) -> None:
    async with plans.database.reads() as session:
        units = list(await session.scalars(select(UsageReservationRow)))
        rows = list(await session.scalars(select(PlanRow)))
        metrics = list(await session.scalars(select(UsageMetricRow)))
        meter = list(await session.scalars(select(UsageMeterEventRow)))
        successes = Counter(
            await session.scalars(select(GenerationAttemptRow.plan_id).where(GenerationAttemptRow.status == "success"))
        )
    assert {unit.state for unit in units} <= {"committed", "refunded"}
    assert {row.status for row in rows} <= {"ready", "failed"}
    assert all(row.active_job_id is None for row in rows)
    assert all(row.is_quota_eligible == (row.status == "ready") == (successes[row.id] > 0) for row in rows)
    committed = Counter((unit.user_id, unit.kind) for unit in units if unit.state == "committed")
    counted = Counter[tuple[str, str]]()
    for metric in metrics:
        counted[metric.user_id, "plan"] += metric.plans_generated
        counted[metric.user_id, "regeneration"] += metric.regenerations_used
    assert +counted == committed
    assert sorted(event.id for event in meter) == sorted(unit.job_id for unit in units if unit.state == "committed")
    jobs = {unit.job_id: (await plans.engine.get(unit.job_id)).status.value for unit in units}
    for unit in units:
        assert (jobs[unit.job_id] == "completed") == (unit.state == "committed"), jobs[unit.job_id]
