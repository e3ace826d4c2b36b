"""Failing, cancelling, deleting, retrying, and looking on."""

import pytest

from systems.study_notes.application.cancel_delete import CancelSource, DeleteSource
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.application.repositories import NoteDraft
from systems.study_notes.application.retry_source import Restart, RetrySource
from systems.study_notes.application.source_status import ShowSourceStatus
from systems.study_notes.domain.errors import Conflict, NotFound
from systems.study_notes.domain.lifecycle import SourceStatus, SourceType, Stage, VisualStatus
from systems.study_notes.domain.records import Visual, VisualCounts
from tests.study_notes.application.fakes import NOW, MemoryFiles

FAILED, CANCELLED, DONE = SourceStatus.FAILED, SourceStatus.CANCELLED, SourceStatus.COMPLETED
PARTLY = SourceStatus.COMPLETED_WITH_ERRORS


def put_visuals(world, source_id, *statuses):
    for status in statuses:
        visual_id = len(world.visuals.rows) + 1
        world.visuals.rows[visual_id] = Visual(visual_id, source_id, str(visual_id), "c", "d", "q", status)


async def put_note(world, source_id):
    return await world.notes.save(NoteDraft(source_id, 1, None, SourceType.TEXT, "t", "", "m", "h", "eng"), NOW)


async def test_a_failed_stage_is_written_and_told(world, clock):
    source_id = world.put(stage=Stage.ANALYZING_TEXT)
    (event,) = await FailSource(clock).fail(world, source_id, (Stage.ANALYZING_TEXT,), "no answer")
    source = world.source(source_id)
    assert (source.status, source.stage, source.failed_stage, source.error) == (
        FAILED,
        Stage.ANALYZING_TEXT,
        Stage.ANALYZING_TEXT,
        "no answer",
    )
    assert (event.name, event.percent) == ("source.failed", 10)


async def test_a_job_that_never_began_fails_too(world, clock):
    source_id = world.put(status=SourceStatus.PENDING)
    assert await FailSource(clock).fail(world, source_id, (Stage.ANALYZING_TEXT,), "lost")
    assert world.stands(source_id) == (FAILED, Stage.ANALYZING_TEXT)


@pytest.mark.parametrize(
    ("stands", "failed"),
    [
        (None, Stage.PDF_DOWNLOADING),
        (Stage.PDF_DOWNLOADING, Stage.PDF_DOWNLOADING),
        (Stage.PDF_OCR_IN_PROGRESS, Stage.PDF_OCR_IN_PROGRESS),
    ],
)
async def test_a_job_of_two_stages_fails_where_its_source_stands(world, clock, stands, failed):
    source_id = world.put(type=SourceType.PDF, stage=stands)
    assert await FailSource(clock).fail(world, source_id, (Stage.PDF_DOWNLOADING, Stage.PDF_OCR_IN_PROGRESS), "lost")
    assert world.stands(source_id) == (FAILED, failed)


async def test_a_failed_transcription_has_a_stage_of_its_own(world, clock):
    stages = (Stage.TRANSCRIPTION_PENDING, Stage.TRANSCRIPTION_IN_PROGRESS)
    source_id = world.put(type=SourceType.AUDIO, stage=Stage.TRANSCRIPTION_IN_PROGRESS)
    (event,) = await FailSource(clock).fail(world, source_id, stages, "no answer")
    assert world.stands(source_id) == (FAILED, Stage.TRANSCRIPTION_FAILED)
    assert event.stage is world.source(source_id).failed_stage is Stage.TRANSCRIPTION_FAILED
    retried = await RetrySource(clock).retry(world, 1, source_id)
    assert (retried.restart, retried.source.stage) == (Restart.EXTRACTION, Stage.TRANSCRIPTION_PENDING)


@pytest.mark.parametrize("late", [{"status": CANCELLED}, {"status": DONE}, {"stage": Stage.ASSEMBLING_NOTE}])
async def test_a_late_failure_has_no_effect(world, clock, late):
    source_id = world.put(**late)
    before = world.source(source_id)
    assert await FailSource(clock).fail(world, source_id, (Stage.ANALYZING_TEXT,), "late") == ()
    assert await FailSource(clock).fail(world, 99, (Stage.ANALYZING_TEXT,), "gone") == ()
    assert world.source(source_id) == before


@pytest.mark.parametrize("status", [SourceStatus.PENDING, SourceStatus.PROCESSING])
async def test_cancelling_stops_what_has_not_ended(world, clock, status):
    source_id = world.put(status=status, stage=Stage.GENERATING_VISUALS, flow_id="f1")
    stopped = await CancelSource(clock).cancel(world, 1, source_id)
    assert world.stands(source_id) == (CANCELLED, Stage.GENERATING_VISUALS)
    assert stopped.source.flow_id == "f1"
    assert [event.name for event in stopped.events] == ["source.cancelled"]
    assert (await CancelSource(clock).cancel(world, 1, source_id)).events == ()


@pytest.mark.parametrize("status", [FAILED, DONE, PARTLY])
async def test_what_has_ended_cannot_be_cancelled(world, clock, status):
    with pytest.raises(Conflict, match=f"{status} cannot be cancelled"):
        await CancelSource(clock).cancel(world, 1, world.put(status=status))


async def test_deleting_removes_rows_then_files_and_tells_those_who_watch(world, clock):
    files = MemoryFiles({"p": b"x", "q": b"y"})
    delete = DeleteSource(files, clock)
    running, done = world.put(storage_path="p"), world.put(status=DONE)
    stopped = await delete.delete(world, 1, running)
    assert [(event.name, event.status) for event in stopped.events] == [("source.cancelled", CANCELLED)]
    assert running not in world.sources.rows
    assert set(files.contents) == {"p", "q"}
    await delete.remove_files(stopped)
    assert set(files.contents) == {"q"}
    stopped = await delete.delete(world, 1, done)
    assert stopped.events == ()
    await delete.remove_files(stopped)


@pytest.mark.parametrize(
    ("values", "restart", "stage"),
    [
        ({"stage": None, "status": CANCELLED}, Restart.TEXT, Stage.ANALYZING_TEXT),
        ({"stage": None, "status": CANCELLED, "type": SourceType.PDF}, Restart.EXTRACTION, Stage.PDF_DOWNLOADING),
        ({"stage": Stage.PDF_OCR_IN_PROGRESS, "type": SourceType.PDF}, Restart.EXTRACTION, Stage.PDF_DOWNLOADING),
        ({"stage": Stage.ANALYZING_TEXT, "type": SourceType.PDF}, Restart.TEXT, Stage.ANALYZING_TEXT),
        ({"stage": Stage.PENDING_VISUAL_PROCESSING}, Restart.PLACEHOLDERS, Stage.PENDING_VISUAL_PROCESSING),
        ({"stage": Stage.GENERATING_VISUALS}, Restart.PLACEHOLDERS, Stage.PENDING_VISUAL_PROCESSING),
        ({"stage": Stage.PENDING_ASSEMBLY}, Restart.ASSEMBLY, Stage.PENDING_ASSEMBLY),
        ({"stage": Stage.ASSEMBLING_NOTE}, Restart.ASSEMBLY, Stage.PENDING_ASSEMBLY),
        ({"stage": Stage.PENDING_STUDY_TOOLS, "status": CANCELLED}, Restart.STUDY_TOOLS, Stage.PENDING_STUDY_TOOLS),
        ({"stage": Stage.GENERATING_STUDY_TOOLS, "status": PARTLY}, Restart.STUDY_TOOLS, Stage.PENDING_STUDY_TOOLS),
    ],
)
async def test_a_retry_goes_on_at_the_stage_that_ended(world, clock, values, restart, stage):
    given = {"status": FAILED} | values
    failed = given["stage"] if given["status"] is not CANCELLED else None
    source_id = world.put(**given, failed_stage=failed, error="reason")
    note_id = await put_note(world, source_id)
    put_visuals(world, source_id, VisualStatus.COMPLETED)
    retried = await RetrySource(clock).retry(world, 1, source_id)
    assert (retried.restart, retried.note_id) == (restart, note_id)
    source = world.source(source_id)
    assert (source.status, source.stage, source.run_number) == (SourceStatus.PROCESSING, stage, 2)
    assert (source.error, source.failed_stage) == (None, None)
    assert retried.source == source
    assert [(event.name, event.stage) for event in retried.events] == [("source.stage_changed", stage)]


async def test_pictures_left_unsettled_by_the_old_run_are_made_before_assembly(world, clock):
    source_id = world.put(status=FAILED, stage=Stage.ASSEMBLING_NOTE, failed_stage=Stage.ASSEMBLING_NOTE)
    put_visuals(world, source_id, VisualStatus.COMPLETED, VisualStatus.PROCESSING)
    assert (await RetrySource(clock).retry(world, 1, source_id)).restart is Restart.PLACEHOLDERS


@pytest.mark.parametrize("status", [SourceStatus.PENDING, SourceStatus.PROCESSING, DONE])
async def test_what_runs_or_is_complete_cannot_be_retried(world, clock, status):
    source_id = world.put(status=status)
    with pytest.raises(Conflict, match=f"{status} cannot be retried"):
        await RetrySource(clock).retry(world, 1, source_id)
    assert world.source(source_id).run_number == 1


async def test_a_foreign_or_missing_source_is_not_found(world, clock):
    foreign = world.put(user_id=2)
    for source_id in (foreign, 99):
        for ask in (
            CancelSource(clock).cancel,
            DeleteSource(MemoryFiles(), clock).delete,
            RetrySource(clock).retry,
            ShowSourceStatus(FixedAttempts()).show,
        ):
            with pytest.raises(NotFound, match="source not found"):
                await ask(world, 1, source_id)


class FixedAttempts:
    async def of(self, source):
        return 2 * source.id


async def test_the_status_tells_percent_pictures_and_the_note(world):
    source_id = world.put(stage=Stage.GENERATING_VISUALS)
    finished = (VisualStatus.COMPLETED, VisualStatus.FAILED, VisualStatus.NO_IMAGE_FOUND)
    put_visuals(world, source_id, *finished, *[VisualStatus.PENDING] * 3)
    view = await ShowSourceStatus(FixedAttempts()).show(world, 1, source_id)
    assert (view.percent, view.attempts, view.note_id, view.error) == (65, 2, None, None)
    assert view.visuals == VisualCounts(total=6, finished=3, failed=1)
    note_id = await put_note(world, source_id)
    assert (await ShowSourceStatus(FixedAttempts()).show(world, 1, source_id)).note_id == note_id
