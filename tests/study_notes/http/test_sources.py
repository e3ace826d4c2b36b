"""Routes of sources."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from systems.study_notes.application.inputs import MAX_DOCUMENT_BYTES, MAX_TEXT_CHARS
from systems.study_notes.http.app import MAX_BODY_BYTES
from systems.study_notes.infrastructure.unit_of_work import SqlUnitOfWork
from systems.study_notes.wiring import StudyNotes
from tests.study_notes.flow.pdfs import text_pdf
from tests.study_notes.flow.support import TEXT, FakeModel, lesson, made, open_search, row_counts, system
from tests.study_notes.http.support import client_of


@pytest.fixture
async def notes(tmp_path: Path) -> AsyncIterator[StudyNotes]:
    model = FakeModel({"lesson_structure": json.dumps(lesson("a wheel", "a stone"))})
    async with system(tmp_path, model=model, search=open_search()) as opened:
        yield opened


@pytest.fixture
async def client(notes: StudyNotes) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(notes) as opened:
        yield opened


def error(answer: httpx2.Response, status: int, code: str) -> dict[str, object]:
    """The error of an answer, after checking its shape."""
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error"}
    found: dict[str, object] = answer.json()["error"]
    assert found.keys() == {"code", "message", "details", "request_id"}
    assert found["code"] == code
    assert found["request_id"] == answer.headers["X-Request-Id"]
    return found


async def test_a_text_is_taken_in_and_its_status_told(notes: StudyNotes, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/sources/text", json={"text": TEXT, "title": " My  mills "})
    assert (answer.status_code, answer.json()) == (202, {"source_id": 1, "status": "PENDING"})
    first = (await client.get("/api/sources/1/status")).json()
    assert first == {
        "source_id": 1, "status": "PENDING", "stage": None, "percent": 10, "error": None, "attempts": 0,
        "visuals": {"total": 0, "finished": 0, "failed": 0}, "note_id": None,
    }  # fmt: skip
    await notes.run_until_idle()
    last = (await client.get("/api/sources/1/status")).json()
    assert last == first | {
        "status": "COMPLETED", "percent": 100, "attempts": 1, "note_id": 1,
        "visuals": {"total": 2, "finished": 2, "failed": 0},
    }  # fmt: skip
    assert (await client.get("/api/notes/1")).json()["title"] == "My mills"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": " \n\t"}, "text"),
        ({"text": "x" * (MAX_TEXT_CHARS + 1)}, "text"),
        ({"text": 5}, "text"),
        ({"text": TEXT, "language": "english"}, "language"),
        ({"text": TEXT, "folder_id": 0}, "folder_id"),
        ({"text": TEXT, "folder_id": 2**63}, "folder_id"),
        ({"text": TEXT, "title": "t" * 501}, "title"),
    ],
)
async def test_a_wrong_field_is_named(client: httpx2.AsyncClient, body: dict[str, object], field: str) -> None:
    found = error(await client.post("/api/sources/text", json=body), 400, "VALIDATION_ERROR")
    assert [detail["field"] for detail in found["details"]] == [field]  # type: ignore[attr-defined]


async def test_broken_json_is_an_error_of_the_body(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/sources/text", content=b'{"text":', headers={"content-type": "application/json"})
    found = error(answer, 400, "VALIDATION_ERROR")
    assert found["details"] == [{"field": "body", "message": "JSON decode error"}]


async def test_a_folder_of_somebody_else_is_not_found(notes: StudyNotes, client: httpx2.AsyncClient) -> None:
    folder = await notes.library.add_folder(2, "Theirs", None)
    answer = await client.post("/api/sources/text", json={"text": TEXT, "folder_id": folder.id})
    error(answer, 404, "NOT_FOUND")
    assert (await row_counts(notes))["sources"] == 0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", TEXT.encode("utf-16")),
        ("notes.md", f"# Mills\n\n{TEXT}".encode()),
        ("notes.html", f"<html><body><h1>Mills</h1><script>evil()</script><p>{TEXT}</p></body></html>".encode()),
    ],
)
async def test_documents_become_sources_of_type_text_with_a_filename(
    notes: StudyNotes, client: httpx2.AsyncClient, name: str, content: bytes
) -> None:
    answer = await client.post("/api/sources/document", files={"file": (f"../../{name}", content)}, data={"title": "T"})
    assert answer.status_code == 202, answer.text
    source, _ = await notes.stands(1, answer.json()["source_id"])
    async with notes.database.reads() as session:
        text = await SqlUnitOfWork(session).sources.text(source.id)
    assert (source.type, source.title) == ("TEXT", "T")
    assert (source.filename or "").endswith(name)
    assert TEXT in (text or "")
    assert "evil" not in (text or "")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is empty"), (b"\x00\x01\x02" * 50, "binary"), (b"... --- !!!", "no words"), (text_pdf(TEXT), "is a PDF")],
)
async def test_documents_that_are_none_are_refused(client: httpx2.AsyncClient, content: bytes, message: str) -> None:
    answer = await client.post("/api/sources/document", files={"file": ("a.txt", content)})
    assert message in str(error(answer, 400, "VALIDATION_ERROR")["message"])


async def test_a_pdf_is_stored_and_made_into_a_note(notes: StudyNotes, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/api/sources/pdf", files={"file": ("a.pdf", text_pdf(TEXT[:60]))})
    assert answer.status_code == 202
    await notes.run_until_idle()
    assert (await client.get("/api/sources/1/status")).json()["status"] == "COMPLETED"


async def test_an_upload_of_the_wrong_kind_or_shape_is_refused(client: httpx2.AsyncClient) -> None:
    for answer in (
        await client.post("/api/sources/pdf", files={"file": ("a.pdf", b"no pdf")}),
        await client.post("/api/sources/pdf", files={"other": ("a.pdf", text_pdf(TEXT))}),
        await client.post("/api/sources/document", data={"file": "text"}),
        await client.post("/api/sources/document", content=b"raw"),
        await client.post("/api/sources/pdf", files={"file": ("a.pdf", text_pdf("x"))}, data={"folder_id": "one"}),
        await client.post(
            "/api/sources/pdf", content=b"broken", headers={"content-type": "multipart/form-data; boundary=x"}
        ),
    ):
        error(answer, 400, "VALIDATION_ERROR")


async def test_a_document_that_is_too_large_is_refused_while_it_arrives(
    notes: StudyNotes, client: httpx2.AsyncClient
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        while sent < 20 * MAX_DOCUMENT_BYTES:
            sent += 2**20
            yield b"word " * (2**20 // 5)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    found = error(await client.post("/api/sources/document", content=endless(), headers=headers), 413, "TOO_LARGE")
    assert "10 MB" in str(found["message"])
    assert sent < 4 * MAX_DOCUMENT_BYTES
    just = {"file": ("a.txt", b"word " * (MAX_DOCUMENT_BYTES // 5 + 1))}
    error(await client.post("/api/sources/document", files=just), 413, "TOO_LARGE")
    assert (await row_counts(notes))["sources"] == 0


async def test_a_body_beyond_every_text_is_refused_while_it_arrives(client: httpx2.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"text": "'
        for _ in range(MAX_BODY_BYTES // 2**20 + 2):
            yield b"x" * 2**20

    answer = await client.post("/api/sources/text", content=endless(), headers={"content-type": "application/json"})
    error(answer, 413, "TOO_LARGE")


async def test_visuals_are_listed_with_all_their_fields_and_drawn_when_offline(
    notes: StudyNotes, client: httpx2.AsyncClient
) -> None:
    await client.post("/api/sources/text", json={"text": TEXT})
    await notes.run_until_idle()
    items = (await client.get("/api/sources/1/visuals")).json()["items"]
    assert [item["description"] for item in items] == ["a wheel", "a stone"]
    assert items[0].keys() == {
        "id", "source_id", "placeholder_id", "concept", "description", "search_query", "status", "image_url",
        "alt_text", "source_url", "source_title", "provider", "error_message", "created_at", "updated_at",
    }  # fmt: skip
    assert (items[0]["status"], items[0]["provider"]) == ("COMPLETED", "offline picture")
    picture = await client.get(items[0]["image_url"])
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in picture.headers["content-security-policy"]
    assert "offline picture" in picture.text


async def test_sn_15_everything_of_another_learner_is_not_found(notes: StudyNotes, client: httpx2.AsyncClient) -> None:
    await client.post("/api/sources/text", json={"text": TEXT})
    await notes.run_until_idle()
    async with client_of(notes, "2") as other:
        for method, path in (
            ("GET", "/api/sources/1/status"), ("GET", "/api/sources/1/visuals"), ("GET", "/api/sources/1/events"),
            ("POST", "/api/sources/1/retry"), ("POST", "/api/sources/1/cancel"), ("DELETE", "/api/sources/1"),
            ("GET", "/api/notes/1"), ("PATCH", "/api/notes/1"), ("GET", "/api/notes/1/quiz"),
            ("GET", "/api/notes/1/flashcards"), ("GET", "/api/visuals/1/image"), ("GET", "/api/notes?folder_id=1"),
        ):  # fmt: skip
            error(await other.request(method, path, json={} if method == "PATCH" else None), 404, "NOT_FOUND")
        assert (await other.get("/api/notes")).json()["items"] == []
    assert (await client.get("/api/notes/1")).status_code == 200


@pytest.mark.parametrize("user", [None, "", "one", "-1", "0", "1.5", str(2**63), "１"])
async def test_without_a_user_nothing_is_told(notes: StudyNotes, user: str | None) -> None:
    async with client_of(notes, None) as client:
        headers = [] if user is None else [(b"X-User-Id", user.encode())]
        for path in ("/api/sources/1/status", "/api/notes", "/api/folders", "/api/visuals/1/image"):
            error(await client.get(path, headers=headers), 401, "UNAUTHORIZED")


async def test_retry_cancel_and_delete_answer_as_specified(notes: StudyNotes, client: httpx2.AsyncClient) -> None:
    await client.post("/api/sources/text", json={"text": TEXT})
    error(await client.post("/api/sources/1/retry"), 409, "CONFLICT")
    cancelled = await client.post("/api/sources/1/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "CANCELLED")
    assert (await client.get("/api/sources/1/status")).json()["status"] == "CANCELLED"
    assert (await client.post("/api/sources/1/retry")).status_code == 202
    await notes.run_until_idle()
    assert (await client.get("/api/sources/1/status")).json()["status"] == "COMPLETED"
    error(await client.post("/api/sources/1/retry"), 409, "CONFLICT")
    assert (await client.delete("/api/sources/1")).status_code == 204
    error(await client.get("/api/sources/1/status"), 404, "NOT_FOUND")
    error(await client.get("/api/notes/1"), 404, "NOT_FOUND")
    assert set((await row_counts(notes)).values()) <= {0, 3}


async def test_a_request_keeps_a_plain_id_of_its_own_and_gets_one_otherwise(client: httpx2.AsyncClient) -> None:
    kept = await client.get("/api/notes/9", headers={"X-Request-Id": "abc-1"})
    assert error(kept, 404, "NOT_FOUND")["request_id"] == "abc-1"
    new = await client.get("/api/notes/9", headers={"X-Request-Id": "<script>"})
    assert error(new, 404, "NOT_FOUND")["request_id"] != "<script>"


async def test_unknown_paths_methods_and_faults_have_the_same_shape(
    notes: StudyNotes, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    error(await client.get("/api/nothing"), 404, "NOT_FOUND")
    error(await client.put("/api/notes"), 405, "METHOD_NOT_ALLOWED")
    error(await client.get("/api/sources/abc/status"), 400, "VALIDATION_ERROR")

    async def broken(*given: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(type(notes.library), "folders", broken)
    found = error(await client.get("/api/folders"), 500, "INTERNAL_ERROR")
    assert "secret" not in str(found)


async def test_a_picture_that_stands_elsewhere_or_is_missing_is_not_drawn(tmp_path: Path) -> None:
    model = FakeModel({"lesson_structure": json.dumps(lesson("a wheel"))})
    async with system(tmp_path, model=model, image_provider="none") as bare, client_of(bare) as client:
        await client.post("/api/sources/text", json={"text": TEXT})
        await bare.run_until_idle()
        error(await client.get("/api/visuals/1/image"), 404, "NOT_FOUND")
        error(await client.get("/api/visuals/99/image"), 404, "NOT_FOUND")


async def test_below_a_prefix_pictures_are_found_where_notes_say(notes: StudyNotes) -> None:
    whole = FastAPI()
    whole.mount("/notes", notes.app)
    await made(notes)
    transport = httpx2.ASGITransport(whole)
    headers = {"X-User-Id": "1"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://notes.test", headers=headers) as client:
        note = (await client.get("/notes/api/notes/1")).json()
        listed = (await client.get("/notes/api/notes")).json()["items"][0]
        visuals = (await client.get("/notes/api/sources/1/visuals")).json()["items"]
        (named, *_) = re.findall(r'<img src="([^"]+)"', note["html_content"])
        picture = await client.get(named)
    assert (picture.status_code, picture.headers["content-type"].split(";")[0]) == (200, "image/svg+xml")
    assert named == visuals[0]["image_url"] == "/notes/api/visuals/1/image"
    assert f"]({named})" in note["markdown_content"]
    assert listed["html_content"] == note["html_content"]
