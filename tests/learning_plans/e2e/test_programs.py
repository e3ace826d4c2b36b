"""Server, workers and commands as processes of their own, on one database."""

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.learning_plans.support import (
    WISHES,
    attempts,
    create,
    has_status,
    job,
    reservations,
    rows,
    status,
    system,
    told,
    until,
)
from tests.support.programs import ROOT, address_in, drained, environment, program, started

MODULE = "systems.learning_plans"
# Short, but longer than a busy machine lets a heartbeat wait.
LEASE = {"JOB_LEASE_MS": "3000", "WORKER_POLL_INTERVAL_MS": "100"}
# The mock waits at least five seconds after its last word: long enough to be killed in.
SLOW = {"AI_PROVIDER": "mock", "MOCK_DELAY_MS": "20000", "ENABLE_CURATION": "false"}

pytestmark = pytest.mark.timeout(240)


@asynccontextmanager
async def working(**settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process, killed at the exit if it still runs."""
    process, _ = await started(MODULE, "worker started", "worker", **settings)
    reading = drained(process)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


async def killed_in(plans: Any, job_id: str, attempts: int, **settings: str) -> None:
    """Let a worker begin the job, and kill it once the store knows that it has begun, and has asked the model."""
    async with working(**settings) as worker:
        await until(partial(_is_known_to_run, plans, job_id, attempts))
        worker.send_signal(signal.SIGKILL)
        assert await asyncio.wait_for(worker.wait(), 30) == -signal.SIGKILL


async def _is_known_to_run(plans: Any, job_id: str, attempts: int) -> bool:
    view = await plans.engine.get(job_id)
    begun = view.state == "running" and view.started_at is not None and view.attempt == attempts
    return begun and await _is_asking(plans, job_id, attempts)


async def _is_asking(plans: Any, job_id: str, attempts: int) -> bool:
    return len(await plans.engine.jobs.calls(job_id)) == attempts + 1


async def test_lp_02_after_a_kill_the_job_runs_again_and_a_plan_is_there(url: str) -> None:
    settings = {"DATABASE_URL": url, **LEASE}
    async with (
        program(MODULE, "listening", "serve", "--port", "0", **settings) as line,
        httpx2.AsyncClient(base_url=address_in(line), headers={"X-User-Id": "ada"}, timeout=60) as client,
        system(url, **lease_settings()) as plans,
    ):
        body = (await client.post("/api/plans", json=dict(WISHES))).json()
        await killed_in(plans, body["job_id"], 0, **settings, **SLOW)
        assert (await client.get(f"/api/plans/{body['plan_id']}/status")).json()["status"] == "generating"
        async with program(MODULE, "worker started", "worker", **settings):
            names = [name async for name in event_names(client, body["job_id"])]
        stands = (await client.get(f"/api/plans/{body['plan_id']}/status")).json()
        assert (stands["status"], stands["job"]["status"], stands["job"]["attempts"]) == ("ready", "completed", 2)
        assert len(stands["job"]["error_history"]) == 1
        assert names.count("plan_start") == 2
        assert names[-1] == "complete"
        shown = (await client.get(f"/api/plans/{body['plan_id']}")).json()
        assert 3 <= len(shown["modules"]) <= 6
        assert shown["made_by"]["offline"] is True
        assert await reservations(plans) == [("plan", "committed")]


def lease_settings() -> dict[str, Any]:
    return {"job_lease_ms": 3_000}


async def event_names(client: httpx2.AsyncClient, job_id: str) -> AsyncIterator[str]:
    async with client.stream("GET", f"/api/jobs/{job_id}/events") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                yield line.removeprefix("event: ")


async def test_lp_25_killed_on_every_attempt_the_plan_fails_and_the_quota_comes_back(url: str) -> None:
    settings = {"DATABASE_URL": url, **LEASE, **SLOW}
    async with system(url, **lease_settings()) as plans:
        plan_id, job_id = await create(plans)
        for attempt in range(3):
            await killed_in(plans, job_id, attempt, **settings)
        await plans.start()
        await until(partial(has_status, plans, job_id, "failed"))
        await until(partial(_plan_stands, plans, plan_id, "failed"))
        done, stands = await job(plans, job_id), await status(plans, plan_id)
        assert (done["attempts"], [entry["attempt"] for entry in done["error_history"]]) == (3, [1, 2, 3])
        assert all("was lost" in entry["error"] for entry in done["error_history"])
        assert await reservations(plans) == [("plan", "refunded")]
        assert (await told(plans, plan_id))[-2:] == ["usage.refunded", "plan.failed"]
        assert stands["job"]["id"] == job_id
        assert await attempts(plans, plan_id) == []
        # What the killed runs had asked the model for is used all the same.
        calls = (await rows(plans))["ai_usage_events"]
        assert len(calls) == 3


async def _plan_stands(plans: Any, plan_id: str, wanted: str) -> bool:
    return bool((await status(plans, plan_id))["status"] == wanted)


async def test_lp_19_sigterm_with_a_long_job_gives_it_back_and_exits_with_1(url: str) -> None:
    settings = {"DATABASE_URL": url, **SLOW, "WORKER_SHUTDOWN_TIMEOUT_MS": "1000"}
    async with system(url) as plans:
        plan_id, job_id = await create(plans)
        async with working(**settings) as worker:
            await until(partial(_is_asking, plans, job_id, 0))
            worker.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(worker.wait(), 60) == 1
        view = await plans.engine.get(job_id)
        assert (view.status, view.attempt, view.losses) == ("pending", 0, 0)
        assert await plans.engine.jobs.errors(job_id) == []
        assert (await status(plans, plan_id))["status"] == "generating"


async def test_lp_19_an_idle_worker_exits_with_0(url: str) -> None:
    async with working(DATABASE_URL=url, **LEASE) as worker:
        worker.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(worker.wait(), 60) == 0


async def run(*arguments: str, module: str = MODULE, **settings: str) -> tuple[int, str, str]:
    """Run a command to its end: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment(**settings), cwd=ROOT,
    )  # fmt: skip
    out, told = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, out.decode(), told.decode()


PHOTOSYNTHESIS = ("create", "--topic", "Photosynthesis", "--level", "beginner", "--hours", "5")


async def test_a_plan_is_made_from_the_command_line(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("Chlorophyll absorbs light. The Calvin cycle fixes carbon dioxide.")
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/p.db"}
    code, markdown, progress = await run(*PHOTOSYNTHESIS, "--notes-file", str(notes), **settings)
    assert code == 0
    assert markdown.startswith("# Photosynthesis\n")
    assert "> Made without a language model" in markdown
    assert "The Calvin cycle fixes carbon dioxide." in markdown
    assert "module 1: What Photosynthesis is about" in progress
    assert "made without a language model" in progress
    code, printed, _ = await run(*PHOTOSYNTHESIS, "--notes-file", str(notes), "--json", **settings)
    shown = json.loads(printed)
    assert code == 0
    assert shown["made_by"] == {"provider": "offline", "model": "offline-extractive", "offline": True}
    for module in shown["modules"]:
        assert f"## {module['order']}. {module['title']}" in markdown


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("--topic", "P", "--level", "newbie", "--hours", "99"), 2, "--topic must be a text of 3 to 200 characters; "
         "--level must be one of beginner, intermediate, advanced; --hours must be a whole number from 0 to 80"),
        (("--topic", "SQL", "--level", "beginner", "--hours", "5", "--deadline", "soon"), 2, "--deadline must be"),
        (("--topic", "SQL", "--level", "beginner", "--hours", "5", "--notes-file", "/no/such"), 2, "--notes-file: "),
        (("--topic", "SQL", "--level", "beginner", "--hours", "5", "--user", "bob", "--deadline", "2999-01-01"), 1,
         "this tier allows 2"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_by_the_name_of_the_option(
    tmp_path: Path, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    found, out, told_of = await run("create", *arguments, DATABASE_URL=f"sqlite:///{tmp_path}/p.db")
    assert (found, out) == (code, "")
    assert told_of.startswith("learning_plans: ")
    assert reason in told_of


async def test_a_tier_is_set_from_the_command_line(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/p.db"}
    assert (await run("set-tier", "bob", "starter", **settings))[:2] == (0, "bob: starter\n")
    with sqlite3.connect(tmp_path / "p.db") as database:
        assert database.execute("SELECT id, tier FROM users").fetchall() == [("bob", "starter")]
    database.close()
    assert (await run("set-tier", "bob", "gold", **settings))[0] == 2


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"DATABASE_URL": "mysql://h/n"}, "DATABASE_URL: "),
        ({"AI_PROVIDER": "router"}, "GOOGLE_API_KEY: 'google' in AI_PROVIDER_CHAIN needs a key"),
        ({"AI_PROVIDER": "oracle"}, "AI_PROVIDER: "),
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}, "connection"),
    ],
)
async def test_what_keeps_a_worker_from_starting_is_told_in_one_line(
    tmp_path: Path, variables: dict[str, str], reason: str
) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/p.db"} | variables
    code, _, told_of = await run("worker", **settings)
    assert code in (1, 2)
    last = told_of.strip().splitlines()[-1]
    assert last.startswith("learning_plans: ")
    assert reason in last
    assert "Traceback" not in told_of


async def test_all_systems_are_served_together_each_with_its_worker(tmp_path: Path) -> None:
    settings = {
        "LEARNING_PLANS_DATABASE_URL": f"sqlite:///{tmp_path}/plans.db",
        "STUDY_NOTES_DATABASE_URL": f"sqlite:///{tmp_path}/notes.db",
        "FILES_DIR": str(tmp_path / "files"),
    }
    async with (
        program("systems", "listening", "serve", "--port", "0", **settings) as line,
        httpx2.AsyncClient(base_url=address_in(line), headers={"X-User-Id": "1"}, timeout=60) as client,
    ):
        assert (await client.get("/")).json() == {"systems": ["/plans", "/notes"]}
        body = (await client.post("/plans/api/plans", json=dict(WISHES))).json()
        async with client.stream("GET", f"/plans/api/jobs/{body['job_id']}/events") as stream:
            assert "event: complete" in [line async for line in stream.aiter_lines()]
        assert (await client.get(f"/plans/api/plans/{body['plan_id']}")).json()["status"] == "ready"
        assert (await client.get("/plans/health/worker")).json()["status"] == "ok"
        note = await client.post("/notes/api/sources/text", json={"text": "Water turns the wheel of the mill."})
        assert note.status_code == 202
        assert (await client.get("/notes/health")).json()["status"] == "ok"
        missing = (await client.get("/plans/api/plans/none")).json()["error"]
        assert missing["request_id"]


async def test_one_database_for_all_systems_is_refused(tmp_path: Path) -> None:
    code, _, told_of = await run("serve", module="systems", DATABASE_URL=f"sqlite:///{tmp_path}/x.db")
    assert code == 2
    assert "LEARNING_PLANS_DATABASE_URL" in told_of
