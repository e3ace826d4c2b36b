"""What operators see."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.study_notes.flow.support import FakeModel, GatedSearch, made, submit, system
from tests.study_notes.http.support import client_of


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time


async def test_sn_19_unhealthy_when_jobs_wait_a_minute_and_no_worker_comes(tmp_path: Path, url: str | None) -> None:
    clock = Hands()
    async with system(tmp_path, url=url, clock=clock) as notes, client_of(notes, None) as client:
        idle = await client.get("/health")
        await submit(notes)
        fresh = await client.get("/health")
        clock.time += timedelta(seconds=61)
        stuck = await client.get("/health")
        metrics = (await client.get("/metrics")).text
        await notes.start()
        served = await client.get("/health")
        await notes.run_until_idle()
    assert (idle.status_code, idle.json()["status"], idle.json()["queue"]["length"]) == (200, "ok", 0)
    assert (fresh.status_code, fresh.json()["queue"]["length"]) == (200, 1)
    assert (stuck.status_code, stuck.json()["status"]) == (503, "unavailable")
    assert "start a worker" in stuck.json()["warnings"][0]
    assert "study_notes_stuck_seconds 61.0" in metrics
    assert served.status_code == 200


async def test_sn_19_a_worker_of_another_build_is_a_warning(tmp_path: Path, url: str | None) -> None:
    async with (
        system(tmp_path, url=url) as server,
        system(tmp_path, url=url) as other,
        client_of(server, None) as client,
    ):
        other.build_id = "0ld"
        await other.start()
        body = (await client.get("/health")).json()
        (worker,) = body["workers"]
    assert body["status"] == "warning"
    assert worker["build_id"] == "0ld"
    assert "restart" in body["warnings"][0]
    assert body["build_id"] in body["warnings"][0]


async def test_sn_23_metrics_tell_queue_length_failures_and_workers(tmp_path: Path, url: str | None) -> None:
    model = FakeModel({"quiz": "no json"})
    async with system(tmp_path, url=url, model=model) as notes, client_of(notes, None) as client:
        await notes.start()
        await made(notes)
        answer = await client.get("/metrics")
        health = (await client.get("/health")).json()
    values = dict(line.split(" ") for line in answer.text.splitlines() if line and not line.startswith("#"))
    assert answer.headers["content-type"].startswith("text/plain")
    assert float(values["study_notes_queue_length"]) == 0
    assert float(values["study_notes_jobs_completed_last_hour"]) == 3
    assert float(values["study_notes_jobs_failed_last_hour"]) == 1
    assert float(values["study_notes_failure_rate"]) == pytest.approx(0.25)
    assert float(values["study_notes_workers_alive"]) == 1
    assert [name for name in values if name.startswith("study_notes_worker_silence_seconds{")]
    assert health["queue"]["failure_rate"] == pytest.approx(0.25)
    assert health["workers"][0]["alive"] is True


async def test_running_and_waiting_jobs_are_counted(tmp_path: Path) -> None:
    search = GatedSearch()
    async with system(tmp_path, search=search) as notes, client_of(notes, None) as client:
        await submit(notes)
        await submit(notes)
        body = (await client.get("/health")).json()
    assert (body["queue"]["length"], body["queue"]["running"]) == (2, 0)
