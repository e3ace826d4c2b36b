"""Events of a source as they happen."""

import json
from pathlib import Path

import httpx2

from tests.study_notes.flow.support import FakeModel, GatedSearch, lesson, made, submit, system, until
from tests.study_notes.http.support import served

Seen = list[tuple[int, str, dict[str, object]]]


def waiting_model() -> FakeModel:
    return FakeModel({"lesson_structure": json.dumps(lesson("a wheel", "a stone"))})


async def read(client: httpx2.AsyncClient, source_id: int, after: int | None = None, stop_at: str = "") -> Seen:
    """All events until the server ends the stream, or until one of type `stop_at`."""
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    seen: Seen = []
    async with client.stream("GET", f"/api/sources/{source_id}/events", headers=headers) as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        async for line in stream.aiter_lines():
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif fields:
                seen.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
                fields = {}
                if seen[-1][1] == stop_at:
                    break
    return seen


async def test_sn_21_the_stream_tells_the_stages_in_order_and_a_reconnect_misses_nothing(
    tmp_path: Path, url: str | None
) -> None:
    search = GatedSearch()
    async with system(tmp_path, url=url, model=waiting_model(), search=search) as notes, served(notes) as client:
        await notes.start()
        source_id = await submit(notes)
        search.release(1)
        before = await read(client, source_id, stop_at="visual.finished")
        search.release(5)
        await notes.run_until_idle()
        after = await read(client, source_id, after=before[-1][0])
        whole = await read(client, source_id)
    assert before + after == whole
    assert [position for position, _, _ in whole] == sorted({position for position, _, _ in whole})
    assert [data["stage"] for _, kind, data in whole if kind == "source.stage_changed"] == [
        "ANALYZING_TEXT", "PENDING_VISUAL_PROCESSING", "GENERATING_VISUALS", "ASSEMBLING_NOTE", "PENDING_STUDY_TOOLS",
        "GENERATING_STUDY_TOOLS",
    ]  # fmt: skip
    assert [kind for _, kind, _ in whole if kind.startswith("source.") and kind != "source.stage_changed"] == [
        "source.created",
        "source.completed",
    ]
    assert whole[-1][2]["percent"] == 100
    assert whole[0][2].keys() == {"source_id", "user_id", "status", "stage", "percent", "timestamp"}


async def test_sn_21_who_knows_the_end_already_is_told_not_to_come_again(tmp_path: Path) -> None:
    async with system(tmp_path) as notes, served(notes) as client:
        source_id = await made(notes)
        last = (await read(client, source_id))[-1][0]
        answer = await client.get(f"/api/sources/{source_id}/events", headers={"Last-Event-ID": str(last)})
        odd = await read(client, source_id, stop_at="source.created")
    assert (answer.status_code, answer.content) == (204, b"")
    assert odd[0][1] == "source.created"


async def test_sn_21_an_end_that_was_followed_by_a_retry_does_not_end_the_stream(
    tmp_path: Path, url: str | None
) -> None:
    search = GatedSearch()
    async with system(tmp_path, url=url, model=waiting_model(), search=search) as notes, served(notes) as client:
        await notes.start()
        source_id = await submit(notes)
        await until(lambda: len(search.asked) == 2)
        await client.post(f"/api/sources/{source_id}/cancel")
        await client.post(f"/api/sources/{source_id}/retry")
        search.release(10)
        kinds = [kind for _, kind, _ in await read(client, source_id)]
    assert kinds.count("source.cancelled") == 1
    assert kinds[-1] == "source.completed"


async def test_a_client_that_goes_away_leaves_nothing_behind(tmp_path: Path) -> None:
    async with system(tmp_path, search=GatedSearch(), model=waiting_model()) as notes, served(notes) as client:
        source_id = await submit(notes)
        await read(client, source_id, stop_at="source.created")
        assert (await client.get(f"/api/sources/{source_id}/status")).status_code == 200
