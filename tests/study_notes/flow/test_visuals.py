"""Pictures: the barrier before the assembly, failures, progress."""

import asyncio
import json
import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from penstock import Job
from systems.study_notes.domain.errors import ImageSearchError
from systems.study_notes.domain.lifecycle import SourceStatus, VisualStatus
from systems.study_notes.domain.repair import lesson_from
from systems.study_notes.domain.similarity import ImageCandidate
from systems.study_notes.handlers.jobs import AssembleNoteJob, GenerateStudyToolsJob
from systems.study_notes.handlers.process_visual_placeholders import ProcessVisualPlaceholdersHandler
from systems.study_notes.infrastructure.tables import SourceRow, UserRow, VisualRow
from systems.study_notes.wiring import StudyNotes
from tests.study_notes.flow.support import (
    USER,
    FakeModel,
    GatedSearch,
    events,
    jobs,
    lesson,
    made,
    open_search,
    source_text,
    status,
    submit,
    system,
    until,
)

# In parts, so that the tests' own workers share them.
SCHEDULES, PARTS = 1_000, 8
SEED = int(os.environ.get("STUDY_NOTES_SEED", "20261122"))


def wanting(number: int) -> FakeModel:
    return FakeModel({"lesson_structure": json.dumps(lesson(*(f"picture number {one}" for one in range(number))))})


class RandomSearch:
    """Takes a random while, and fails at random; some queries fail at every attempt."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    async def search(self, query: str, n: int) -> Sequence[ImageCandidate]:
        await asyncio.sleep(self._random.choice((0, 0, self._random.random() * 0.02)))
        if self._random.random() < 0.2 or query.endswith("7"):
            raise ImageSearchError("at random")
        return [ImageCandidate("", query, "", "offline picture", offline=True)]


def by_text(request: Any) -> str:
    """As many pictures as the text says."""
    number = int(source_text(request).split()[1])
    return json.dumps(lesson(*(f"picture {one}" for one in range(number))))


async def assert_barrier_held(notes: StudyNotes, source_id: int, pictures: int) -> None:
    view = await status(notes, source_id)
    assert view.note_id is not None
    assert view.visuals.total == view.visuals.finished == pictures
    assemblies = await jobs(notes, source_id, "ASSEMBLE_NOTE")
    visuals = await jobs(notes, source_id, "GENERATE_VISUAL")
    assert (len(assemblies), len(visuals)) == (1, pictures)
    # On a crowded machine its transaction may have waited in vain for the file's lock; nothing else makes it run again.
    again = await notes.engine.jobs.errors(assemblies[0].id)
    assert all("locked" in error.message for error in again), again
    assert all(job.finished_at <= assemblies[0].started_at for job in visuals)
    told = [kind for kind, _, _ in await events(notes, source_id)]
    assert told.count("note.assembled") == 1
    assert told.count("visual.finished") == pictures
    assert "visual.finished" not in told[told.index("note.assembled") :]


class NoStudyTools:
    """What follows the assembly is not this test's matter."""

    handles = GenerateStudyToolsJob

    async def process_job(self, job: Job[Any]) -> None:
        pass


async def planted(notes: StudyNotes, pictures: Sequence[int]) -> list[int]:
    """Sources whose lessons want so many pictures each, in the middle of the placeholder job's retry."""
    now = datetime.now(UTC)
    async with notes.database.sessions.begin() as session:
        session.add(UserRow(id=USER, name="u", created_at=now))
        await session.flush()
        rows = [
            SourceRow(
                user_id=USER, type="TEXT", language_code="eng", title="Mills", processing_status="FAILED",
                processing_stage="PENDING_VISUAL_PROCESSING", failed_stage="PENDING_VISUAL_PROCESSING",
                lesson_structure_json=lesson_from(lesson(*(f"picture {one}" for one in range(number)))).as_json(),
                run_number=1, created_at=now, updated_at=now,
            )
            for number in pictures
        ]  # fmt: skip
        session.add_all(rows)
        await session.flush()
        ids = [row.id for row in rows]
    for source_id in ids:
        await notes.pipeline.retry(USER, source_id)
    return ids


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
async def test_sn_03_the_note_is_assembled_once_after_the_last_picture_in_any_schedule(
    tmp_path: Path, part: int
) -> None:
    rng = random.Random(SEED + part)
    # Few pictures make the narrow races likely; every fiftieth schedule has fifty.
    wanted = [rng.randrange(5) if one % 50 else 50 for one in range(SCHEDULES // PARTS)]
    options: dict[str, Any] = {"worker_concurrency": 10}
    async with (
        system(tmp_path, search=RandomSearch(rng.randrange(2**32)), **options) as first,
        system(tmp_path, search=RandomSearch(rng.randrange(2**32)), **options) as second,
    ):
        for notes in (first, second):
            tools = next(one for one in notes.handlers if one.handles is GenerateStudyToolsJob)
            notes.handlers[notes.handlers.index(tools)] = NoStudyTools()
        await second.start()
        sources = await planted(first, wanted)
        await first.run_until_idle(timeout_s=280)
        for source_id, number in zip(sources, wanted, strict=True):
            await assert_barrier_held(first, source_id, number)


async def test_sn_03_fifty_pictures_and_ten_workers(tmp_path: Path, url: str | None) -> None:
    options: dict[str, Any] = {"model": FakeModel({"lesson_structure": by_text}), "worker_concurrency": 2, "url": url}
    async with system(tmp_path, search=RandomSearch(1), **options) as notes:
        workers = [notes.worker() for _ in range(10)]
        for worker in workers:
            await worker.start()
        source_id = await submit(notes, "Make 50 pictures of a mill.")
        await until(lambda: _ended(notes, source_id))
        for worker in workers:
            await worker.stop()
        await assert_barrier_held(notes, source_id, 50)


async def _ended(notes: StudyNotes, source_id: int) -> bool:
    return (await status(notes, source_id)).status.is_terminal


async def test_sn_04_pictures_may_all_finish_before_the_placeholder_handler_returns(
    tmp_path: Path, url: str | None
) -> None:
    async with system(tmp_path, url=url, model=wanting(4), search=open_search()) as notes:
        (position, inner), *_ = [
            (index, handler)
            for index, handler in enumerate(notes.handlers)
            if isinstance(handler, ProcessVisualPlaceholdersHandler)
        ]

        class Slow:
            handles = inner.handles

            async def process_job(self, job: Job[Any]) -> None:
                await inner.process_job(job)
                await until(lambda: _told(notes, job.data.source_id, "note.assembled"))

        notes.handlers[position] = Slow()
        await assert_barrier_held(notes, await made(notes), 4)


async def _told(notes: StudyNotes, source_id: int, kind: str) -> bool:
    return kind in [name for name, _, _ in await events(notes, source_id)]


async def test_sn_10_pictures_that_cannot_be_found_leave_a_reason_and_the_note_is_complete(
    tmp_path: Path, url: str | None
) -> None:
    search = open_search()
    search.failing = lambda query: ImageSearchError("both providers are down")
    async with system(tmp_path, url=url, model=wanting(2), search=search) as notes:
        source_id = await made(notes)
        view = await status(notes, source_id)
        note = await notes.library.note(USER, view.note_id or 0)
        visuals = [item.visual for item in await notes.library.visuals(USER, source_id)]
        states = {job.state for job in await jobs(notes, source_id, "GENERATE_VISUAL")}
    assert view.status is SourceStatus.COMPLETED
    assert (view.visuals.finished, view.visuals.failed) == (2, 2)
    assert {visual.status for visual in visuals} == {VisualStatus.FAILED}
    assert len(search.asked) == 6
    assert note.markdown_content.count("both providers are down") == 2
    assert states == {"completed"}


async def test_sn_10_without_any_image_provider_the_note_says_so(tmp_path: Path) -> None:
    async with system(tmp_path, model=wanting(1), image_provider="none") as notes:
        source_id = await made(notes)
        view = await status(notes, source_id)
        (item,) = await notes.library.visuals(USER, source_id)
        note = await notes.library.note(USER, view.note_id or 0)
    assert view.status is SourceStatus.COMPLETED
    assert item.visual.status is VisualStatus.NO_IMAGE_FOUND
    assert "no image provider configured" in note.markdown_content


async def test_sn_15_three_of_six_pictures_are_65_percent_and_the_percent_never_falls(
    tmp_path: Path, url: str | None
) -> None:
    search = GatedSearch()
    async with system(tmp_path, url=url, model=wanting(6), search=search) as notes:
        await notes.start()
        source_id = await submit(notes)
        search.release(3)
        await until(lambda: _finished(notes, source_id, 3))
        view = await status(notes, source_id)
        search.release(3)
        await notes.run_until_idle()
        told = [percent for _, _, percent in await events(notes, source_id)]
    assert (view.percent, view.visuals.finished, view.visuals.total) == (65, 3, 6)
    assert told == sorted(told)
    assert told[-1] == 100


async def _finished(notes: StudyNotes, source_id: int, number: int) -> bool:
    return (await status(notes, source_id)).visuals.finished == number


async def test_equal_descriptions_share_one_picture(tmp_path: Path) -> None:
    model = FakeModel({"lesson_structure": json.dumps(lesson("A  wheel", "a wheel", "a stone"))})
    search = open_search()
    async with system(tmp_path, model=model, search=search) as notes:
        view = await status(notes, await made(notes))
        note = await notes.library.note(USER, view.note_id or 0)
    assert view.visuals.total == 2
    assert len(search.asked) == 2
    assert note.html_content.count("<img") == 3


async def test_a_picture_that_its_job_left_unfinished_is_failed_when_the_note_is_assembled(tmp_path: Path) -> None:
    async with system(tmp_path, model=wanting(2), search=open_search()) as notes:
        source_id = await made(notes)
        async with notes.database.sessions.begin() as session:
            await session.execute(
                update(SourceRow).values(processing_status="PROCESSING", processing_stage="GENERATING_VISUALS")
            )
            await session.execute(update(VisualRow).where(VisualRow.id == 1).values(status="PROCESSING"))
        await notes.engine.enqueue(AssembleNoteJob(source_id=source_id))
        await notes.run_until_idle()
        view = await status(notes, source_id)
        note = await notes.library.note(USER, view.note_id or 0)
        told = [kind for kind, _, _ in await events(notes, source_id)]
    assert (view.status, view.visuals.finished, view.visuals.failed) == (SourceStatus.COMPLETED, 2, 1)
    assert "ended without a result" in note.markdown_content
    assert told.count("visual.finished") == 3
