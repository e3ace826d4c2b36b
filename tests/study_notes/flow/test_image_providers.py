"""Pictures by the real clients from local servers."""

import json
from pathlib import Path
from typing import Any

from pytest_httpserver import HTTPServer

from systems.study_notes.domain.lifecycle import SourceStatus, VisualStatus
from tests.study_notes.flow.support import USER, FakeModel, lesson, made, status, system

WHEEL = "a water wheel in a river"


def wheel_model() -> FakeModel:
    return FakeModel({"lesson_structure": json.dumps(lesson(WHEEL))})


def keyed(httpserver: HTTPServer) -> dict[str, Any]:
    base = httpserver.url_for("").rstrip("/")
    return {
        "serpapi_key": "key-of-serpapi",
        "serpapi_base_url": base,
        "serper_key": "key-of-serper",
        "serper_base_url": base,
        "image_allow_private_hosts": True,
    }


async def test_sn_09_serper_is_asked_when_serpapi_has_no_quota_and_a_blocked_host_is_never_used(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/search.json").respond_with_json(
        {"error": "Your account has run out of searches."}, status=429
    )
    good = httpserver.url_for("/wheel.png")
    found = [
        {"imageUrl": "http://lookaside.fbsbx.com/x.png", "title": WHEEL, "link": "http://f.example/", "source": "F"},
        {"imageUrl": good, "title": f"{WHEEL}, seen", "link": "http://mills.example/wheel", "source": "Mills"},
    ]
    httpserver.expect_request("/images", method="POST").respond_with_json({"images": found})
    httpserver.expect_request("/wheel.png").respond_with_data(b"png", content_type="image/png")
    async with system(tmp_path, model=wheel_model(), **keyed(httpserver)) as notes:
        source_id = await made(notes)
        view = await status(notes, source_id)
        (item,) = await notes.library.visuals(USER, source_id)
        note = await notes.library.note(USER, view.note_id or 0)
    assert view.status is SourceStatus.COMPLETED
    assert (item.visual.status, item.visual.image_url, item.visual.provider) == (VisualStatus.COMPLETED, good, "serper")
    assert f'src="{good}"' in note.html_content
    assert 'href="http://mills.example/wheel"' in note.html_content
    assert "(http://mills.example/wheel)" in note.markdown_content
    assert "fbsbx" not in note.html_content


async def test_sn_09_when_both_find_nothing_there_is_no_image(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/search.json").respond_with_json({"images_results": []})
    httpserver.expect_request("/images", method="POST").respond_with_json({"images": []})
    async with system(tmp_path, model=wheel_model(), **keyed(httpserver)) as notes:
        source_id = await made(notes)
        view = await status(notes, source_id)
        (item,) = await notes.library.visuals(USER, source_id)
    assert (view.status, item.visual.status) == (SourceStatus.COMPLETED, VisualStatus.NO_IMAGE_FOUND)


async def test_sn_10_both_providers_down_leaves_their_reasons_in_a_complete_note(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/search.json").respond_with_data("down", status=503)
    httpserver.expect_request("/images", method="POST").respond_with_data("down", status=503)
    async with system(tmp_path, model=wheel_model(), **keyed(httpserver)) as notes:
        source_id = await made(notes)
        view = await status(notes, source_id)
        (item,) = await notes.library.visuals(USER, source_id)
        note = await notes.library.note(USER, view.note_id or 0)
    assert (view.status, item.visual.status) == (SourceStatus.COMPLETED, VisualStatus.FAILED)
    for provider in ("serpapi answered 503", "serper answered 503"):
        assert provider in note.markdown_content
    assert "key-of" not in (item.visual.error_message or "")
