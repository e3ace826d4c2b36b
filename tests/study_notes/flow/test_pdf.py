"""Sources of type PDF."""

from pathlib import Path

import pytest

from systems.study_notes.domain.errors import InvalidInput
from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from tests.study_notes.flow.pdfs import scanned_pdf, text_pdf
from tests.study_notes.flow.support import (
    USER,
    FakeModel,
    events,
    jobs,
    row_counts,
    source_text,
    status,
    submit_pdf,
    system,
)

LINES = [f"Line {number}: water turns the wheel and the wheel turns the stone." for number in range(12)]


async def test_sn_14_a_pdf_with_a_text_layer_becomes_a_note(tmp_path: Path) -> None:
    model = FakeModel()
    async with system(tmp_path, model=model) as notes:
        source_id = await submit_pdf(notes, text_pdf(*LINES))
        await notes.run_until_idle()
        view = await status(notes, source_id)
        told = await events(notes, source_id)
        kinds = [job.kind for job in await jobs(notes, source_id)]
        note = await notes.library.note(USER, view.note_id or 0)
    assert view.status is SourceStatus.COMPLETED
    assert kinds[:2] == ["EXTRACT_PDF", "PROCESS_SOURCE_TEXT"]
    assert told[:3] == [
        ("source.created", None, 0), ("source.stage_changed", "PDF_DOWNLOADING", 0),
        ("source.stage_changed", "ANALYZING_TEXT", 10),
    ]  # fmt: skip
    assert "water turns the wheel" in source_text(model.of("lesson_structure")[0])
    assert note.source_type == "PDF"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (scanned_pdf(), "no text layer"),
        (text_pdf("secret", password="key"), "encrypted"),
        (text_pdf(*LINES)[:400], "damaged"),
    ],
    ids=["scanned", "encrypted", "damaged"],
)
async def test_sn_14_a_pdf_that_cannot_be_read_fails_at_once_with_its_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    model = FakeModel()
    async with system(tmp_path, model=model) as notes:
        source_id = await submit_pdf(notes, content)
        await notes.run_until_idle()
        view = await status(notes, source_id)
        kinds = [job.kind for job in await jobs(notes, source_id)]
    assert (view.status, view.stage, view.attempts) == (SourceStatus.FAILED, Stage.PDF_DOWNLOADING, 1)
    assert reason in (view.error or "")
    assert kinds == ["EXTRACT_PDF"]
    assert model.requests == []


async def test_what_is_no_pdf_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    async with system(tmp_path) as notes:
        with pytest.raises(InvalidInput, match="is not a PDF"):
            await submit_pdf(notes, b"plain text")
        assert (await row_counts(notes))["sources"] == 0
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
