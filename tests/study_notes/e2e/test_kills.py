"""Workers killed by SIGKILL at the worst moments."""

import asyncio
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from systems.study_notes.domain.lifecycle import SourceStatus, Stage, VisualStatus
from systems.study_notes.wiring import StudyNotes
from tests.study_notes.e2e.deadly_worker import ATTEMPTS, CHUNK_CHARS, PICTURES, model
from tests.study_notes.flow.support import (
    QUIZ,
    USER,
    FakeModel,
    events,
    jobs,
    open_search,
    row_counts,
    source_text,
    status,
    submit,
    system,
    until,
)

ROOT = Path(__file__).parents[3]
LEASE_S = "1"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PENSTOCK_LEASE_S", LEASE_S)
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/study_notes.db"
    return str(request.getfixturevalue("postgres_url"))


async def killed_worker(url: str, folder: Path, place: str, kind: str = "-") -> None:
    """Run a deadly worker until it has killed itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.study_notes.e2e.deadly_worker", url, str(folder), place, kind, cwd=ROOT
    )
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL


async def finish(notes: StudyNotes, source_id: int) -> None:
    await notes.start()
    await until(lambda: _is_over(notes, source_id), timeout_s=60)
    await notes.run_until_idle()


async def _is_over(notes: StudyNotes, source_id: int) -> bool:
    return (await status(notes, source_id)).status.is_terminal


@pytest.mark.parametrize("place", ["before-commit", "after-commit"])
async def test_sn_06_killed_around_the_fan_out_nothing_is_lost_or_doubled(tmp_path: Path, url: str, place: str) -> None:
    async with system(tmp_path, url=url, model=model(), search=open_search()) as notes:
        source_id = await submit(notes)
        await killed_worker(url, tmp_path, place)
        counts = await row_counts(notes)
        assert counts["visuals"] == (0 if place == "before-commit" else len(PICTURES))
        await finish(notes, source_id)
        view = await status(notes, source_id)
        counts = await row_counts(notes)
        kinds = Counter(job.kind for job in await jobs(notes, source_id))
        told = [kind for kind, _, _ in await events(notes, source_id)]
    assert view.status is SourceStatus.COMPLETED
    assert (counts["visuals"], counts["notes"], counts["quizzes"]) == (len(PICTURES), 1, len(QUIZ))
    assert kinds == {
        "PROCESS_SOURCE_TEXT": 1, "PROCESS_VISUAL_PLACEHOLDERS": 1, "GENERATE_VISUAL": len(PICTURES),
        "ASSEMBLE_NOTE": 1, "GENERATE_STUDY_TOOLS": 1,
    }  # fmt: skip
    assert told.count("visual.finished") == len(PICTURES)
    assert told.count("note.assembled") == told.count("source.completed") == 1


async def test_sn_12_killed_after_the_second_chunk_the_model_is_not_asked_about_it_again(
    tmp_path: Path, url: str
) -> None:
    text = "\n\n".join(f"Paragraph {number}. " + "The wheel turns the stone. " * 60 for number in range(5))
    fresh = FakeModel()
    async with system(tmp_path, url=url, model=fresh, chunk_max_chars=CHUNK_CHARS) as notes:
        source_id = await submit(notes, text)
        await killed_worker(url, tmp_path, "third-chunk")
        [job] = await jobs(notes, source_id)
        before = await notes.engine.jobs.steps(job.id)
        await finish(notes, source_id)
        view = await status(notes, source_id)
    assert [step.name for step in before] == ["chunk 1 of 5", "chunk 2 of 5"]
    assert view.status is SourceStatus.COMPLETED
    asked = [source_text(request).split(".")[0] for request in fresh.of("lesson_structure")]
    assert asked == ["Paragraph 2", "Paragraph 3", "Paragraph 4"]


async def test_sn_24_killed_on_every_attempt_of_the_text_stage_the_source_fails_with_it(
    tmp_path: Path, url: str
) -> None:
    async with system(tmp_path, url=url, model=model(), job_attempts=ATTEMPTS) as notes:
        source_id = await submit(notes)
        for _ in range(ATTEMPTS):
            await killed_worker(url, tmp_path, "during", "PROCESS_SOURCE_TEXT")
        await finish(notes, source_id)
        view = await status(notes, source_id)
        told = await events(notes, source_id)
    assert (view.status, view.stage, view.attempts) == (SourceStatus.FAILED, Stage.ANALYZING_TEXT, ATTEMPTS)
    assert "lost" in (view.error or "")
    assert told[-1][0] == "source.failed"
    assert view.note_id is None


async def test_sn_24_killed_on_every_attempt_of_a_picture_it_fails_and_the_note_is_made(
    tmp_path: Path, url: str
) -> None:
    async with system(tmp_path, url=url, model=model(), search=open_search(), job_attempts=ATTEMPTS) as notes:
        source_id = await submit(notes)
        for _ in range(ATTEMPTS):
            await killed_worker(url, tmp_path, "during", "GENERATE_VISUAL")
        await finish(notes, source_id)
        view = await status(notes, source_id)
        found = Counter(item.visual.status for item in await notes.library.visuals(USER, source_id))
        note = await notes.library.note(USER, view.note_id or 0)
    assert view.status is SourceStatus.COMPLETED
    assert found[VisualStatus.FAILED] >= 1
    assert found[VisualStatus.FAILED] + found[VisualStatus.COMPLETED] == len(PICTURES)
    assert note.html_content.count('class="box placeholder"') == found[VisualStatus.FAILED]
