"""What a learner stops, removes and asks for again; what runs twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from penstock import JobData
from penstock.ai import ModelFailure
from systems.study_notes.domain.errors import Conflict, NotFound
from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from systems.study_notes.handlers.jobs import (
    AssembleNoteJob,
    GenerateStudyToolsJob,
    GenerateVisualJob,
    ProcessSourceTextJob,
    ProcessVisualPlaceholdersJob,
)
from systems.study_notes.infrastructure.tables import SourceRow
from systems.study_notes.wiring import StudyNotes
from tests.study_notes.flow.pdfs import text_pdf
from tests.study_notes.flow.support import (
    QUIZ,
    USER,
    FakeModel,
    GatedSearch,
    events,
    flow_of,
    jobs,
    lesson,
    made,
    open_search,
    row_counts,
    status,
    submit,
    submit_pdf,
    system,
    until,
)

FAILING = ModelFailure("provider_error", "busy", retryable=True)


def wanting(number: int) -> FakeModel:
    return FakeModel({"lesson_structure": json.dumps(lesson(*(f"picture number {one}" for one in range(number))))})


async def put_back(notes: StudyNotes, source_id: int, stage: Stage) -> None:
    """As if the source still stood at `stage`."""
    async with notes.database.sessions.begin() as session:
        await session.execute(
            update(SourceRow)
            .where(SourceRow.id == source_id)
            .values(processing_status=SourceStatus.PROCESSING, processing_stage=stage)
        )


@pytest.mark.parametrize(
    ("stage", "job"),
    [
        (Stage.ANALYZING_TEXT, ProcessSourceTextJob(source_id=1)),
        (Stage.PENDING_VISUAL_PROCESSING, ProcessVisualPlaceholdersJob(source_id=1)),
        (Stage.GENERATING_VISUALS, ProcessVisualPlaceholdersJob(source_id=1)),
        (Stage.GENERATING_VISUALS, GenerateVisualJob(visual_id=1)),
        (Stage.PENDING_ASSEMBLY, AssembleNoteJob(source_id=1)),
        (Stage.PENDING_STUDY_TOOLS, GenerateStudyToolsJob(note_id=1)),
    ],
    ids=lambda value: value.job_kind.kind if isinstance(value, JobData) else str(value),
)
async def test_sn_05_a_job_that_runs_twice_leaves_the_same_rows(
    tmp_path: Path, url: str | None, stage: Stage, job: JobData
) -> None:
    model = wanting(2)
    model.scripts["quiz"] = lambda request: _quiz(f"answer {len(model.of('quiz'))}")
    async with system(tmp_path, url=url, model=model, search=open_search()) as notes:
        source_id = await made(notes)
        before = await row_counts(notes)
        await put_back(notes, source_id, stage)
        await notes.engine.enqueue(job)
        await notes.run_until_idle()
        after, view = await row_counts(notes), await status(notes, source_id)
        quiz = await notes.library.quiz(USER, view.note_id or 0)
    assert after == before
    if not isinstance(job, GenerateVisualJob):
        assert view.status is SourceStatus.COMPLETED
        assert {item.explanation for item in quiz} == {"answer 2"}


def _quiz(explanation: str) -> str:
    return json.dumps({"quiz": [item | {"explanation": explanation} for item in QUIZ]})


async def test_sn_16_cancel_during_pictures_and_no_note_appears(tmp_path: Path, url: str | None) -> None:
    search = GatedSearch()
    async with system(tmp_path, url=url, model=wanting(8), search=search, worker_concurrency=3) as notes:
        await notes.start()
        source_id = await submit(notes)
        await until(lambda: len(search.asked) == 3)
        search.release(1)
        await notes.pipeline.cancel(USER, source_id)
        await notes.run_until_idle()
        view = await status(notes, source_id)
        told = await events(notes, source_id)
        flow = await flow_of(notes, source_id)
        assert (await row_counts(notes))["notes"] == 0
        assert [job.kind for job in await jobs(notes, source_id) if job.state == "failed"] == []
    assert (view.status, view.note_id) == (SourceStatus.CANCELLED, None)
    assert told[-1][0] == "source.cancelled"
    assert flow.status == "cancelled"


async def test_sn_16_delete_during_pictures_leaves_no_rows_and_no_files(tmp_path: Path, url: str | None) -> None:
    search = GatedSearch()
    async with system(tmp_path, url=url, model=wanting(4), search=search, worker_concurrency=2) as notes:
        await notes.start()
        source_id = await submit_pdf(notes, text_pdf("Water turns the wheel of the mill."))
        await until(lambda: len(search.asked) == 2)
        assert _files(tmp_path) == 1
        await notes.pipeline.delete(USER, source_id)
        search.release(10)
        await notes.run_until_idle()
        with pytest.raises(NotFound):
            await status(notes, source_id)
        left = await row_counts(notes)
        told = [kind for kind, _, _ in await events(notes, source_id)]
    assert set(left.values()) == {0}
    assert _files(tmp_path) == 0
    assert told[-1] == "source.cancelled"


def _files(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "files").rglob("*"))


async def test_a_waiting_source_is_cancelled_before_anything_runs(tmp_path: Path) -> None:
    model = FakeModel()
    async with system(tmp_path, model=model) as notes:
        source_id = await submit(notes)
        await notes.pipeline.cancel(USER, source_id)
        await notes.pipeline.cancel(USER, source_id)
        await notes.run_until_idle()
        assert (await status(notes, source_id)).status is SourceStatus.CANCELLED
    assert model.requests == []


async def test_another_learner_can_neither_stop_nor_retry_nor_remove(tmp_path: Path) -> None:
    async with system(tmp_path) as notes:
        source_id = await submit(notes)
        for act in (notes.pipeline.cancel, notes.pipeline.retry, notes.pipeline.delete):
            with pytest.raises(NotFound):
                await act(USER + 1, source_id)


async def test_sn_18_a_failed_source_goes_on_at_the_failed_stage(tmp_path: Path, url: str | None) -> None:
    model = wanting(2)
    good = model.scripts["quiz"]
    model.scripts["quiz"] = FAILING
    async with system(tmp_path, url=url, model=model, search=open_search()) as notes:
        source_id = await made(notes)
        first = await status(notes, source_id)
        note = await notes.library.note(USER, first.note_id or 0)
        model.scripts["quiz"] = good
        asked = len(model.of("lesson_structure"))
        retried = await notes.pipeline.retry(USER, source_id)
        await notes.run_until_idle()
        second = await status(notes, source_id)
        kinds = [job.kind for job in await jobs(notes, source_id)]
        again = await notes.library.note(USER, second.note_id or 0)
    assert first.status is SourceStatus.COMPLETED_WITH_ERRORS
    assert (second.status, second.percent, second.error) == (SourceStatus.COMPLETED, 100, None)
    assert retried.source.run_number == 2
    assert kinds == ["GENERATE_STUDY_TOOLS"]
    assert len(model.of("lesson_structure")) == asked
    assert (again.id, again.updated_at) == (note.id, note.updated_at)


async def test_sn_18_a_failed_text_stage_begins_anew(tmp_path: Path, url: str | None) -> None:
    model = FakeModel({"lesson_structure": [FAILING, FAILING, FAILING, json.dumps(lesson())]})
    async with system(tmp_path, url=url, model=model) as notes:
        source_id = await made(notes)
        failed = await status(notes, source_id)
        await notes.pipeline.retry(USER, source_id)
        await notes.run_until_idle()
        view = await status(notes, source_id)
    assert (failed.status, failed.stage) == (SourceStatus.FAILED, Stage.ANALYZING_TEXT)
    assert (view.status, view.attempts) == (SourceStatus.COMPLETED, 1)


async def test_sn_18_a_source_cancelled_during_pictures_makes_only_the_missing_ones(
    tmp_path: Path, url: str | None
) -> None:
    search = GatedSearch()
    async with system(tmp_path, url=url, model=wanting(4), search=search, worker_concurrency=1) as notes:
        await notes.start()
        source_id = await submit(notes)
        search.release(2)
        await until(lambda: len(search.asked) == 3)
        await notes.pipeline.cancel(USER, source_id)
        await notes.pipeline.retry(USER, source_id)
        search.release(10)
        await notes.run_until_idle()
        view = await status(notes, source_id)
    assert (view.status, view.visuals.finished) == (SourceStatus.COMPLETED, 4)
    assert len(search.asked) == 5


async def test_sn_18_a_completed_source_cannot_be_retried_nor_a_running_one(tmp_path: Path, url: str | None) -> None:
    async with system(tmp_path, url=url) as notes:
        source_id = await submit(notes)
        with pytest.raises(Conflict, match="PENDING"):
            await notes.pipeline.retry(USER, source_id)
        await notes.run_until_idle()
        with pytest.raises(Conflict, match="COMPLETED"):
            await notes.pipeline.retry(USER, source_id)
        with pytest.raises(Conflict, match="COMPLETED"):
            await notes.pipeline.cancel(USER, source_id)


async def test_a_refused_request_leaves_neither_row_nor_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with system(tmp_path) as notes:

        async def broken(*given: Any) -> None:
            raise OSError("disk full")

        monkeypatch.setattr("systems.study_notes.infrastructure.source_repository.SqlSources.set_flow", broken)
        with pytest.raises(OSError, match="disk full"):
            await submit_pdf(notes, text_pdf("Water turns the wheel."))
        assert (await row_counts(notes))["sources"] == 0
        assert list(await notes.engine.jobs.list()) == []
        assert await notes.engine.events.read() == []
    assert _files(tmp_path) == 0
