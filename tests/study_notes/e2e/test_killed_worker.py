"""Server and workers as processes of their own, and a worker that is killed in the middle of a recording."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from penstock import Penstock
from penstock.store.programs.read import JobFilter
from tests.study_notes.e2e.programs import address_in, mortal, program
from tests.study_notes.flow.support import until
from tests.study_notes.recordings import recording
from tests.study_notes.wires.media_wires import ELEVENLABS, ELEVENLABS_KEY, MediaWires
from tests.support import faults

TONES = [400, 700, 1000, 1300]
HELD = 1000

pytestmark = pytest.mark.timeout(180)


Told = AsyncIterator[tuple[str, dict[str, Any]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study_notes.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def held() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def told(client: httpx2.AsyncClient, source_id: int, after: str = "0") -> Told:
    """(id, data) of the events of a source after a position."""
    headers = {"Last-Event-ID": after}
    async with client.stream("GET", f"/api/sources/{source_id}/events", headers=headers) as stream:
        event: dict[str, str] = {}
        async for line in stream.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif "data" in event:
                yield event["id"], json.loads(event["data"])
                event = {}


async def first(events: Told, stage: str) -> str:
    """The position at which the source is first told to stand at a stage."""
    async for position, data in events:
        if data["stage"] == stage:
            return position
    raise AssertionError(f"{stage} was never told")


async def test_sn_20_a_worker_killed_in_a_recording_leaves_nothing_and_pays_for_nothing_twice(
    tmp_path: Path, url: str, media: MediaWires, held: threading.Event
) -> None:
    media.tone_faults[ELEVENLABS, HELD] = faults.stall(held)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    settings = {
        "DATABASE_URL": url, "FILES_DIR": str(tmp_path / "files"), "TMPDIR": str(temporary), "PENSTOCK_LEASE_S": "8",
        "ELEVENLABS_API_KEY": ELEVENLABS_KEY, "ELEVENLABS_BASE_URL": f"{media.url}/elevenlabs", "AUDIO_CHUNK_S": "2",
        "QUIZ_MIN": "1", "FLASHCARDS_MIN": "1",
    }  # fmt: skip
    async with (
        mortal("worker started", "worker", **settings) as worker,
        program("listening", "serve", "--port", "0", **settings) as line,
        httpx2.AsyncClient(base_url=address_in(line), headers={"X-User-Id": "1"}, timeout=60) as client,
    ):
        upload = {"file": ("talk.webm", recording("webm", TONES, 2.0))}
        source_id = (await client.post("/api/sources/audio", files=upload)).json()["source_id"]
        seen = await first(told(client, source_id), "TRANSCRIPTION_IN_PROGRESS")
        await until(lambda: sorted(media.tones[ELEVENLABS]) == TONES, timeout_s=60)
        # The three that were answered are stored before the worker dies, or this would be no test of that.
        await asyncio.wait_for(_stored(url, 3), 60)
        worker.kill()
        await worker.wait()
        del media.tone_faults[ELEVENLABS, HELD]
        held.set()
        async with program("worker started", "worker", **settings):
            rest = [data async for _, data in told(client, source_id, after=seen)]
        view = (await client.get(f"/api/sources/{source_id}/status")).json()
        note = (await client.get(f"/api/notes/{view['note_id']}")).json()
        await client.delete(f"/api/sources/{source_id}")
    assert sorted(media.tones[ELEVENLABS]) == sorted([*TONES, HELD])
    assert [note["markdown_content"].index(f"Tone {tone}") for tone in TONES] == sorted(
        note["markdown_content"].index(f"Tone {tone}") for tone in TONES
    )
    stages = [data["stage"] for data in rest]
    assert stages[0] == "ANALYZING_TEXT"
    assert rest[-1]["status"] == view["status"] in ("COMPLETED", "COMPLETED_WITH_ERRORS")
    assert view["attempts"] >= 1
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    assert not [path for path in temporary.rglob("*") if path.is_file()]


async def _stored(url: str, number: int) -> None:
    """Wait until so many steps of transcriptions have their results stored."""
    async with Penstock(url) as engine:
        while True:
            jobs = await engine.jobs.list(JobFilter(kind="TRANSCRIBE_AUDIO"))
            steps = [step for job in jobs for step in await engine.jobs.steps(job.id) if step.name.startswith("chunk")]
            if len(steps) >= number:
                return
            await asyncio.sleep(0.05)
