"""Handing in videos, pictures and recordings over HTTP."""

import tempfile
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from systems.study_notes.application import submit_source
from systems.study_notes.application.inputs import FILES, FileRule
from systems.study_notes.domain.lifecycle import SourceType
from systems.study_notes.http import source_routes
from systems.study_notes.wiring import StudyNotes
from tests.study_notes.flow.support import jobs, system
from tests.study_notes.http.support import client_of
from tests.study_notes.recordings import recording

PNG = b"\x89PNG\r\n\x1a\n rest"
MB = 2**20


@pytest.fixture
async def notes(tmp_path: Path) -> AsyncIterator[StudyNotes]:
    async with system(tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(notes: StudyNotes) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(notes) as opened:
        yield opened


def uploads(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("route", "body", "kind"),
    [
        ("youtube", {"json": {"url": "https://youtu.be/aqz-KE-bpKQ", "language": "spa"}}, "EXTRACT_YOUTUBE"),
        ("image", {"files": {"file": ("page.png", PNG)}, "data": {"title": "A page"}}, "EXTRACT_IMAGE"),
        ("audio", {"files": {"file": ("talk", recording("ogg", [500], 0.2))}}, "TRANSCRIBE_AUDIO"),
    ],
)
async def test_each_route_begins_its_own_extraction(
    notes: StudyNotes, client: httpx2.AsyncClient, route: str, body: dict[str, Any], kind: str
) -> None:
    answer = await client.post(f"/api/sources/{route}", **body)
    assert answer.status_code == 202
    assert answer.json()["status"] == "PENDING"
    assert [job.kind for job in await jobs(notes, answer.json()["source_id"])] == [kind]
    view = (await client.get(f"/api/sources/{answer.json()['source_id']}/status")).json()
    assert (view["status"], view["percent"]) == ("PENDING", 0)


@pytest.mark.parametrize(
    ("route", "body", "field", "message"),
    [
        ("youtube", {"json": {"url": "https://vimeo.com/1"}}, "url", "YouTube"),
        ("youtube", {"json": {"url": "https://www.youtube.com.evil.org/watch?v=aqz-KE-bpKQ"}}, "url", "YouTube"),
        ("youtube", {"json": {}}, "url", "required"),
        ("youtube", {"json": {"url": "https://youtu.be/aqz-KE-bpKQ", "language": "en"}}, "language", "ISO 639-3"),
        ("image", {"files": {"file": ("a.png", b"GIF89a")}}, "file", "PNG, JPEG or WebP"),
        ("image", {"files": {"file": ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>")}}, "file", "PNG"),
        ("audio", {"files": {"file": ("a.mp3", PNG)}}, "file", "mp3, wav, m4a, ogg or webm"),
        ("audio", {"files": {"file": ("a.mp3", b"")}}, "file", "empty"),
        ("audio", {"json": {}}, "file", "multipart"),
    ],
)
async def test_what_does_not_fit_is_refused_by_its_field_and_leaves_nothing(
    client: httpx2.AsyncClient, tmp_path: Path, route: str, body: dict[str, Any], field: str, message: str
) -> None:
    answer = await client.post(f"/api/sources/{route}", **body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"][0]["field"] == field
    assert message in error["details"][0]["message"]
    assert uploads(tmp_path) == []


def test_the_limits_are_those_of_the_specification() -> None:
    limits = {kind: rule.max_bytes for kind, rule in FILES.items()}
    assert limits == {SourceType.PDF: 50 * MB, SourceType.IMAGE: 20 * MB, SourceType.AUDIO: 1024 * MB}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """The most bytes of a recording, as long as this test runs."""
    rule = FILES[SourceType.AUDIO]
    smaller = {**FILES, SourceType.AUDIO: FileRule(2 * MB, rule.fits, rule.refusal)}
    monkeypatch.setattr(source_routes, "FILES", smaller)
    monkeypatch.setattr(submit_source, "FILES", smaller)
    return 2 * MB


async def test_a_recording_that_is_too_large_is_refused_and_leaves_nothing(
    client: httpx2.AsyncClient, tmp_path: Path, small: int
) -> None:
    head = recording("wav", [500], 0.1)
    fits = await client.post("/api/sources/audio", files={"file": ("a", head + b"\0" * (small - len(head)))})
    assert fits.status_code == 202
    answer = await client.post("/api/sources/audio", files={"file": ("a", head + b"\0" * small)})
    assert answer.status_code == 413
    assert answer.json()["error"]["details"] == [{"field": "file", "message": "must not be larger than 2 MB"}]
    assert len(uploads(tmp_path)) == 1


async def test_a_large_recording_is_never_whole_in_memory(
    client: httpx2.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    size = 48 * MB
    boundary = "b0undary"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="talk.wav"\r\n\r\n'.encode()

    async def body() -> AsyncIterator[bytes]:
        yield head + recording("wav", [500], 0.1)
        for _ in range(size // (MB // 4)):
            yield b"\0" * (MB // 4)
        yield f"\r\n--{boundary}--\r\n".encode()

    tracemalloc.start()
    try:
        answer = await client.post(
            "/api/sources/audio",
            content=body(),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 202
    (stored,) = uploads(tmp_path)
    assert stored.stat().st_size > size
    assert peak < size // 3
