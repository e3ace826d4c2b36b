"""Server and workers as processes of their own on one database."""

from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.study_notes.e2e.programs import ROOT, address_in, program
from tests.study_notes.flow.support import events, jobs, submit, system, until

SAMPLE = ROOT / "systems" / "study_notes" / "samples" / "water_mills.md"
HEADERS = {"X-User-Id": "1"}

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study_notes.db"
    return str(request.getfixturevalue("postgres_url"))


async def test_two_worker_processes_share_the_work_and_assemble_each_note_once(tmp_path: Path, url: str) -> None:
    settings = {"DATABASE_URL": url, "FILES_DIR": str(tmp_path / "files")}
    text = SAMPLE.read_text()
    async with (
        system(tmp_path, url=url) as notes,
        program("worker started", "worker", **settings),
        program("worker started", "worker", **settings),
    ):
        sources = [await submit(notes, text) for _ in range(4)]
        for source_id in sources:
            await until(partial(_completed, notes, source_id), timeout_s=60)
        for source_id in sources:
            assemblies = await jobs(notes, source_id, "ASSEMBLE_NOTE")
            visuals = await jobs(notes, source_id, "GENERATE_VISUAL")
            assert len(assemblies) == 1
            assert len(visuals) == 8
            assert all(job.finished_at <= assemblies[0].started_at for job in visuals)
            assert [kind for kind, _, _ in await events(notes, source_id)].count("note.assembled") == 1
        done = [worker.stats for worker in await notes.engine.queues.workers()]
        assert len(done) == 2


async def _completed(notes, source_id):
    return (await events(notes, source_id))[-1][0] == "source.completed"


async def test_the_server_takes_a_document_and_a_worker_of_its_own_makes_the_note(tmp_path: Path, url: str) -> None:
    settings = {"DATABASE_URL": url, "FILES_DIR": str(tmp_path / "files")}
    async with (
        program("listening", "serve", "--port", "0", **settings) as line,
        program("worker started", "worker", **settings),
        httpx2.AsyncClient(base_url=address_in(line), headers=HEADERS, timeout=30) as client,
    ):
        answer = await client.post("/api/sources/document", files={"file": (SAMPLE.name, SAMPLE.read_bytes())})
        assert answer.status_code == 202
        source_id = answer.json()["source_id"]
        seen = [line async for line in _event_lines(client, source_id)]
        assert seen[0] == "event: source.created"
        assert seen[-1] == "event: source.completed"
        view = (await client.get(f"/api/sources/{source_id}/status")).json()
        assert (view["status"], view["percent"]) == ("COMPLETED", 100)
        health = (await client.get("/health")).json()
        assert health["status"] == "ok"


async def _event_lines(client: httpx2.AsyncClient, source_id: int):
    async with client.stream("GET", f"/api/sources/{source_id}/events") as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event:"):
                yield line


async def test_an_embedded_worker_needs_no_second_process(tmp_path: Path) -> None:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/n.db", "FILES_DIR": str(tmp_path / "files")}
    async with (
        program("listening", "serve", "--worker", "--port", "0", **settings) as line,
        httpx2.AsyncClient(base_url=address_in(line), headers=HEADERS, timeout=30) as client,
    ):
        answer = await client.post("/api/sources/text", json={"text": SAMPLE.read_text()})
        seen = [line async for line in _event_lines(client, answer.json()["source_id"])]
        assert seen[-1] == "event: source.completed"
        assert "127.0.0.1" in line
