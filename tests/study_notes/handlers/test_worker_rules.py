"""What holds for every job of the queue: how many at once, when again, what is logged, what is unknown."""

import asyncio
import json
import logging
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from penstock import Exponential, JobData, JobState
from penstock.ai import ModelFailure
from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from systems.study_notes.handlers import jobs as kinds
from tests.study_notes.flow.support import (
    FakeModel,
    GatedSearch,
    events,
    jobs,
    lesson,
    made,
    open_search,
    status,
    submit,
    system,
    until,
)

BUSY = ModelFailure("provider_error", "busy", retryable=True)


def test_the_kinds_have_the_options_that_are_specified() -> None:
    timeouts: dict[type[JobData], int] = {
        kinds.ExtractPdfJob: 300, kinds.ProcessSourceTextJob: 300, kinds.ProcessVisualPlaceholdersJob: 60,
        kinds.GenerateVisualJob: 60, kinds.AssembleNoteJob: 60, kinds.GenerateStudyToolsJob: 180,
    }  # fmt: skip
    for kind, timeout in timeouts.items():
        spec = kind.job_kind
        assert (spec.queue, spec.max_attempts, spec.timeout_s) == ("note-processing", 3, timeout), spec.kind
        assert spec.retry == Exponential(base=1, factor=2, jitter=0.25)
        assert spec.ended_by is not None


@pytest.mark.parametrize(("length", "carried"), [(65_536, True), (65_537, False)])
def test_only_a_short_text_is_carried_by_its_job(length: int, carried: bool) -> None:
    assert (kinds.text_job(1, "x" * length).text_content is not None) is carried
    assert kinds.text_job(1, "é" * (length // 2)).text_content is not None


async def test_sn_22_never_more_jobs_at_once_than_configured(tmp_path: Path, url: str | None) -> None:
    search = GatedSearch()
    model = FakeModel({"lesson_structure": json.dumps(lesson(*(f"picture {one}" for one in range(24))))})
    async with system(tmp_path, url=url, model=model, search=search, worker_concurrency=4) as notes:
        await notes.start()
        source_id = await submit(notes)
        for done in range(0, 24, 4):
            await until(partial(_asked, search, done + 4))
            states = Counter(job.state for job in await jobs(notes, source_id, "GENERATE_VISUAL"))
            assert states["running"] == 4
            assert states["completed"] == done
            search.release(4)
        await notes.run_until_idle()
        assert (await status(notes, source_id)).visuals.finished == 24


def _asked(search: GatedSearch, number: int) -> bool:
    return len(search.asked) == number


async def test_sn_22_the_gaps_between_attempts_are_one_and_two_seconds(tmp_path: Path) -> None:
    gaps = []
    async with system(tmp_path, model=FakeModel({"lesson_structure": BUSY}), job_backoff_ms=1000) as notes:
        await notes.start()
        source_id = await submit(notes)
        for attempt in (1, 2):
            await until(partial(_failed_attempt, notes, source_id, attempt))
            (job,) = await jobs(notes, source_id)
            full = await notes.engine.get(job.id)
            failed = (await notes.engine.jobs.errors(job.id))[-1]
            assert full.due_at is not None
            gaps.append((full.due_at - failed.at).total_seconds())
        await notes.run_until_idle()
        view = await status(notes, source_id)
    assert 0.7 < gaps[0] < 1.3
    assert 1.45 < gaps[1] < 2.55
    assert (view.status, view.attempts) == (SourceStatus.FAILED, 3)


async def _failed_attempt(notes: Any, source_id: int, attempt: int) -> bool:
    (job,) = await jobs(notes, source_id)
    return bool(job.state == JobState.SCHEDULED and job.attempt == attempt)


class MysteryJob(JobData, kind="MYSTERY", queue="note-processing"):
    """No handler knows it."""


async def test_sn_22_a_kind_without_a_handler_fails_for_good(tmp_path: Path, url: str | None) -> None:
    async with system(tmp_path, url=url) as notes:
        handle = await notes.engine.enqueue(MysteryJob())
        await notes.run_until_idle()
        job = await notes.engine.get(handle.id)
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert "MYSTERY" in (job.reason or "")


async def test_sn_22_completed_and_failed_jobs_are_logged_with_their_facts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="systems.study_notes")
    async with system(tmp_path, model=FakeModel({"quiz": BUSY})) as notes:
        await made(notes)
    found = [vars(record) for record in caplog.records if record.name == "systems.study_notes.handlers.base"]
    completed = [record["kind"] for record in found if record["message"] == "job completed"]
    assert completed == ["PROCESS_SOURCE_TEXT", "PROCESS_VISUAL_PLACEHOLDERS", "ASSEMBLE_NOTE"]
    (failed,) = [record for record in found if record["message"] == "job failed"]
    assert (failed["kind"], failed["attempt"]) == ("GENERATE_STUDY_TOOLS", 3)
    assert "busy" in failed["error"]
    assert failed["duration_s"] >= 0
    assert failed["job_id"]


async def test_the_queue_name_attempts_and_backoff_of_the_settings_reach_every_job(tmp_path: Path) -> None:
    model = FakeModel({"lesson_structure": json.dumps(lesson("a wheel"))})
    async with system(tmp_path, model=model, search=open_search(), note_queue_name="books", job_attempts=7) as notes:
        source_id = await made(notes)
        found = [await notes.engine.get(job.id) for job in await jobs(notes, source_id)]
    assert {(job.queue, job.max_attempts) for job in found} == {("books", 7)}
    assert len(found) == 5


@pytest.mark.parametrize(
    ("method", "stage"),
    [
        ("visual_repository.SqlVisuals.add_missing", Stage.PENDING_VISUAL_PROCESSING),
        ("note_repository.SqlNotes.save", Stage.ASSEMBLING_NOTE),
    ],
)
async def test_a_database_error_is_retried_and_then_written_with_its_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, stage: Stage
) -> None:
    calls = []

    async def broken(*given: Any) -> None:
        calls.append(given)
        raise OperationalError("INSERT", {}, Exception("database is locked"))

    monkeypatch.setattr(f"systems.study_notes.infrastructure.{method}", broken)
    model = FakeModel({"lesson_structure": json.dumps(lesson("a wheel"))})
    async with system(tmp_path, model=model, search=open_search()) as notes:
        source_id = await made(notes)
        view = await status(notes, source_id)
        told = await events(notes, source_id)
    assert len(calls) == 3
    assert (view.status, view.stage, view.attempts) == (SourceStatus.FAILED, stage, 3)
    assert "OperationalError" in (view.error or "")
    assert told[-1][0] == "source.failed"


async def test_a_failure_that_cannot_be_written_is_tried_again_and_spends_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("systems.study_notes.handlers.base._GIVE_UP_AGAIN_S", 0.05)
    real = _fail()
    refused: list[Any] = []

    async def sometimes(self: Any, *given: Any) -> Any:
        if len(refused) < 2:
            refused.append(given)
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return await real(self, *given)

    monkeypatch.setattr("systems.study_notes.application.fail_source.FailSource.fail", sometimes)
    async with system(tmp_path, model=FakeModel({"lesson_structure": BUSY})) as notes:
        view = await status(notes, await made(notes))
    assert len(refused) == 2
    assert (view.status, view.attempts) == (SourceStatus.FAILED, 3)


def _fail() -> Any:
    from systems.study_notes.application.fail_source import FailSource  # noqa: PLC0415 - before it is patched

    return FailSource.fail


async def test_a_job_that_an_operator_cancels_fails_its_source_with_the_stage(tmp_path: Path) -> None:
    class Sleeping(FakeModel):
        async def call(self, request: Any, **told: Any) -> Any:
            await asyncio.sleep(60)

    async with system(tmp_path, model=Sleeping(), job_attempts=1) as notes:
        source_id = await submit(notes)
        (job,) = await jobs(notes, source_id)
        assert job.max_attempts == 1
        await notes.start()
        await until(lambda: _running(notes, source_id))
        await notes.engine.cancel(job.id, reason="an operator stopped it")
        await until(lambda: _is_over(notes, source_id))
        view = await status(notes, source_id)
    assert (view.status, view.stage) == (SourceStatus.FAILED, Stage.ANALYZING_TEXT)
    assert "an operator stopped it" in (view.error or "")


async def _running(notes: Any, source_id: int) -> bool:
    return (await status(notes, source_id)).stage is Stage.ANALYZING_TEXT


async def _is_over(notes: Any, source_id: int) -> bool:
    return (await status(notes, source_id)).status.is_terminal
