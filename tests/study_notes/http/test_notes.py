"""Routes of notes and folders."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from systems.study_notes.wiring import StudyNotes
from tests.study_notes.flow.support import CARDS, QUIZ, FakeModel, made, system
from tests.study_notes.http.support import client_of
from tests.study_notes.http.test_sources import error


@pytest.fixture(params=["sqlite", "postgresql"])
async def notes(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StudyNotes]:
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    tags = [json.dumps({"tags": [f"tag {number}", "mill", "stone"]}) for number in range(1, 4)]
    async with system(tmp_path, url=url, model=FakeModel({"tags": list(tags)})) as opened:
        for number in range(1, 4):
            await made(opened, title=f"Note {number}")
        yield opened


@pytest.fixture
async def client(notes: StudyNotes) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(notes) as opened:
        yield opened


async def test_notes_are_listed_newest_first_in_pages_by_tag_and_by_folder(client: httpx2.AsyncClient) -> None:
    everything = (await client.get("/api/notes")).json()
    assert [item["title"] for item in everything["items"]] == ["Note 3", "Note 2", "Note 1"]
    assert everything["total"] == 3
    page = (await client.get("/api/notes?limit=1&offset=1")).json()
    assert ([item["title"] for item in page["items"]], page["total"]) == (["Note 2"], 3)
    tagged = (await client.get("/api/notes", params={"tag": "tag 1"})).json()["items"]
    assert [(item["title"], item["tags"]) for item in tagged] == [("Note 1", ["mill", "stone", "tag 1"])]
    folder = (await client.post("/api/folders", json={"name": "Physics"})).json()["id"]
    assert (await client.get(f"/api/notes?folder_id={folder}")).json()["items"] == []
    await client.patch("/api/notes/2", json={"folder_id": folder})
    found = (await client.get(f"/api/notes?folder_id={folder}")).json()["items"]
    assert [item["title"] for item in found] == ["Note 2"]
    for query in ("limit=0", "limit=101", "offset=-1", "folder_id=x"):
        error(await client.get(f"/api/notes?{query}"), 400, "VALIDATION_ERROR")


async def test_a_note_has_all_its_fields_with_quiz_and_cards_in_order(client: httpx2.AsyncClient) -> None:
    note = (await client.get("/api/notes/1")).json()
    assert note.keys() == {
        "id", "source_id", "folder_id", "title", "summary", "markdown_content", "html_content", "language_code",
        "is_favorite", "source_type", "created_at", "updated_at", "tags",
    }  # fmt: skip
    assert note["markdown_content"].startswith("# Note 1\n")
    assert note["html_content"].startswith('<article class="study-note">')
    quiz = (await client.get("/api/notes/1/quiz")).json()["items"]
    assert [item["question"] for item in quiz] == [item["question"] for item in QUIZ]
    assert all(len(item["options"]) == 4 and item["correct_index"] == 0 for item in quiz)
    cards = (await client.get("/api/notes/1/flashcards")).json()["items"]
    assert [(item["position"], item["term"]) for item in cards] == [
        (number, card["term"]) for number, card in enumerate(CARDS)
    ]


async def test_only_what_a_patch_names_is_changed(client: httpx2.AsyncClient) -> None:
    folder = (await client.post("/api/folders", json={"name": "Physics"})).json()["id"]
    first = (await client.patch("/api/notes/1", json={"is_favorite": True, "folder_id": folder})).json()
    assert (first["is_favorite"], first["folder_id"]) == (True, folder)
    second = (await client.patch("/api/notes/1", json={"folder_id": None})).json()
    assert (second["is_favorite"], second["folder_id"]) == (True, None)
    assert (await client.patch("/api/notes/1", json={})).json() == second
    error(await client.patch("/api/notes/1", json={"is_favorite": None}), 400, "VALIDATION_ERROR")
    error(await client.patch("/api/notes/1", json={"folder_id": 999}), 404, "NOT_FOUND")
    error(await client.patch("/api/notes/9", json={}), 404, "NOT_FOUND")


async def test_folders_nest_and_keep_their_names_apart(notes: StudyNotes, client: httpx2.AsyncClient) -> None:
    top = await client.post("/api/folders", json={"name": "  Physics  of mills "})
    assert (top.status_code, top.json()) == (201, {"id": 1, "parent_id": None, "name": "Physics of mills"})
    below = await client.post("/api/folders", json={"name": "Physics of mills", "parent_id": 1})
    assert below.status_code == 201
    error(await client.post("/api/folders", json={"name": "Physics of mills"}), 409, "CONFLICT")
    error(await client.post("/api/folders", json={"name": "Physics of mills", "parent_id": 1}), 409, "CONFLICT")
    error(await client.post("/api/folders", json={"name": " "}), 400, "VALIDATION_ERROR")
    error(await client.post("/api/folders", json={"name": "x", "parent_id": 99}), 404, "NOT_FOUND")
    async with client_of(notes, "77") as other:
        error(await other.post("/api/folders", json={"name": "x", "parent_id": 1}), 404, "NOT_FOUND")
        assert (await other.post("/api/folders", json={"name": "Physics of mills"})).status_code == 201
    listed = (await client.get("/api/folders")).json()["items"]
    assert [(item["name"], item["parent_id"]) for item in listed] == [
        ("Physics of mills", None),
        ("Physics of mills", 1),
    ]
