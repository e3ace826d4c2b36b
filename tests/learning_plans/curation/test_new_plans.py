"""A plan that is asked for gets its resources: inside its own job, by a job after it, or not at all."""

from pathlib import Path
from typing import Any

import pytest

from tests.learning_plans.curation.bench import WAIT_S, CurationBench, curation_bench, settings_of
from tests.learning_plans.wires.search_wires import YOUTUBE, SearchWires, Video
from tests.support import faults

WISHES = {"topic": "SQL", "skill_level": "beginner", "weekly_hours": 5, "learning_style": "mixed"}

pytestmark = pytest.mark.timeout(180)


async def made(bench: CurationBench) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The plan's job and its tasks, once nothing is left to do."""
    started = (await bench.http.post("/api/plans", json=WISHES)).json()
    await bench.plans.run_until_idle(WAIT_S)
    plan = (await bench.http.get(f"/api/plans/{started['plan_id']}")).json()
    assert plan["status"] == "ready"
    job = (await bench.http.get(f"/api/jobs/{started['job_id']}")).json()
    return job, [task for module in plan["modules"] for task in module["tasks"]]


async def kinds(bench: CurationBench) -> list[str]:
    return sorted(
        {view.kind for view in await bench.plans.engine.jobs.find(limit=100)} & {"plan_curation", "plan_generation"}
    )


@pytest.mark.parametrize(
    ("env", "how", "jobs"),
    [
        ("test", "inline", ["plan_generation"]),
        ("development", "queued", ["plan_curation", "plan_generation"]),
        ("production", "off", ["plan_generation"]),
    ],
)
async def test_where_a_new_plan_is_curated(
    database_url: str, wires: SearchWires, env: str, how: str, jobs: list[str]
) -> None:
    wires.videos = [Video(f"v{n}", f"SQL course {n}") for n in range(3)]
    async with curation_bench(settings_of(database_url, wires.url, app_env=env)) as bench:
        job, tasks = await made(bench)
        assert job["result"]["curation"] == how
        assert await kinds(bench) == jobs
        expected = 0 if how == "off" else 3
        for task in tasks:
            assert len(task["resources"]) == expected
            assert bool(task["micro_explanation"]) is (how != "off")
            assert (task["curation"] or {}).get("status") == (None if how == "off" else "done")
    assert wires.calls[f"{YOUTUBE}/search"] == (0 if how == "off" else len(tasks))


FAULTS = {
    "something that is no JSON object": faults.html(),
    "no JSON object": faults.body(b'{"items": []}', "text/plain"),
    "more than 2,000,000 bytes": faults.huge(),
    "packed": faults.packed(),
    "YouTube answered 302": faults.redirect("http://169.254.169.254/latest/meta-data"),
    "asks to be left alone for 60 s": faults.too_many("60"),
    "YouTube answered 403: Quota exceeded": faults.status(403, "Quota exceeded"),
}


@pytest.mark.parametrize("reason", list(FAULTS))
@pytest.mark.parametrize("env", ["test", "development"])
async def test_whatever_searches_answer_the_plan_is_made(
    tmp_path: Path, wires: SearchWires, env: str, reason: str
) -> None:
    wires.faults[f"{YOUTUBE}/search"] += [FAULTS[reason]] * 100
    url = f"sqlite:///{tmp_path}/plans.db"
    async with curation_bench(settings_of(url, wires.url, app_env=env)) as bench:
        _, tasks = await made(bench)
    assert {task["curation"]["status"] for task in tasks} == {"failed"}
    assert all(reason in task["curation"]["reason"] for task in tasks)
    assert all(task["micro_explanation"] for task in tasks)
