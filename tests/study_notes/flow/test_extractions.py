"""Sources that are no text: videos, scanned PDFs, pictures and recordings, over real wires."""

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from systems.study_notes.domain.errors import InvalidInput
from systems.study_notes.domain.lifecycle import SourceStatus, SourceType, Stage
from systems.study_notes.wiring import StudyNotes
from tests.study_notes.flow.pdfs import mixed_pdf, scanned_pdf, text_pdf
from tests.study_notes.flow.support import (
    USER,
    FakeModel,
    events,
    jobs,
    metadata,
    source_text,
    status,
    submit_file,
    submit_pdf,
    submit_video,
    system,
    until,
)
from tests.study_notes.recordings import recording
from tests.study_notes.wires.media_wires import CAPTIONS, ELEVENLABS, GEMINI, GOOGLE_KEY, MISTRAL, OPENAI, MediaWires
from tests.support import faults

LINK = "https://youtu.be/aqz-KE-bpKQ"
LINES = [f"Line {number}: water turns the wheel and the wheel turns the stone." for number in range(12)]
PNG = b"\x89PNG\r\n\x1a\n the rest is for the service"
TONES = [400, 700, 1000]


@pytest.fixture
def held() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def stages(notes: StudyNotes, source_id: int) -> list[str | None]:
    return [stage for kind, stage, _ in await events(notes, source_id) if kind == "source.stage_changed"]


async def kinds(notes: StudyNotes, source_id: int) -> list[str]:
    return [job.kind for job in await jobs(notes, source_id)]


async def test_sn_13_a_video_becomes_a_note_of_its_captions(tmp_path: Path, media: MediaWires) -> None:
    media.captions["aqz-KE-bpKQ", "es"] = [("El agua mueve la rueda.", 0, 2000), ("La rueda gira.", 5000, 1000)]
    model = FakeModel()
    async with system(tmp_path, model=model, **media.settings()) as notes:
        source_id = await submit_video(notes, LINK, language="spa")
        await notes.run_until_idle()
        view = await status(notes, source_id)
        known = await metadata(notes, source_id)
        seen, ran = await stages(notes, source_id), await kinds(notes, source_id)
        note = await notes.library.note(USER, view.note_id or 0)
    assert (view.status, note.source_type, note.language_code) == (SourceStatus.COMPLETED, "YOUTUBE", "spa")
    assert seen[:2] == ["FETCHING_CAPTIONS", "ANALYZING_TEXT"]
    assert ran[:2] == ["EXTRACT_YOUTUBE", "PROCESS_SOURCE_TEXT"]
    assert source_text(model.of("lesson_structure")[0]) == "El agua mueve la rueda.\n\nLa rueda gira."
    assert known["captions"][1] == {"text": "La rueda gira.", "start_s": 5.0, "end_s": 6.0}


async def test_sn_13_without_captions_the_source_fails_after_one_attempt(
    tmp_path: Path, url: str | None, media: MediaWires
) -> None:
    async with system(tmp_path, url=url, **media.settings()) as notes:
        source_id = await submit_video(notes, LINK)
        await notes.run_until_idle()
        view = await status(notes, source_id)
        ran = await kinds(notes, source_id)
    assert (view.status, view.stage, view.attempts) == (SourceStatus.FAILED, Stage.FETCHING_CAPTIONS, 1)
    assert "has no captions" in (view.error or "")
    assert ran == ["EXTRACT_YOUTUBE"]
    assert media.calls == {CAPTIONS: 1}


async def test_sn_13_each_type_begins_with_its_own_extraction(tmp_path: Path) -> None:
    async with system(tmp_path) as notes:
        begun = {
            "YOUTUBE": await submit_video(notes, LINK),
            "PDF": await submit_pdf(notes, text_pdf(*LINES)),
            "IMAGE": await submit_file(notes, SourceType.IMAGE, PNG),
            "AUDIO": await submit_file(notes, SourceType.AUDIO, recording("wav", [500], 0.2)),
        }
        ran = {kind: await kinds(notes, source_id) for kind, source_id in begun.items()}
        with pytest.raises(InvalidInput, match="url"):
            await submit_video(notes, "https://xyoutu.be/aqz-KE-bpKQ")
    assert ran == {
        "YOUTUBE": ["EXTRACT_YOUTUBE"], "PDF": ["EXTRACT_PDF"], "IMAGE": ["EXTRACT_IMAGE"],
        "AUDIO": ["TRANSCRIBE_AUDIO"],
    }  # fmt: skip


async def test_sn_13_captions_that_cannot_be_had_are_asked_for_again(tmp_path: Path, media: MediaWires) -> None:
    media.captions["aqz-KE-bpKQ", "en"] = [("Water turns the wheel.", 0, 2000)]
    media.faults[CAPTIONS] = [faults.html(), faults.cut]
    async with system(tmp_path, **media.settings()) as notes:
        source_id = await submit_video(notes, LINK)
        await notes.run_until_idle()
        (extraction,) = await jobs(notes, source_id, "EXTRACT_YOUTUBE")
        view = await status(notes, source_id)
    assert (view.status, extraction.attempt, media.calls[CAPTIONS]) == (SourceStatus.COMPLETED, 3, 3)


async def test_sn_14_a_pdf_with_a_text_layer_needs_no_ocr(tmp_path: Path, media: MediaWires) -> None:
    async with system(tmp_path, **media.settings("mistral")) as notes:
        source_id = await submit_pdf(notes, text_pdf(*LINES))
        await notes.run_until_idle()
        view = await status(notes, source_id)
    assert view.status is SourceStatus.COMPLETED
    assert media.calls == {}


async def test_sn_14_scanned_pages_are_read_by_ocr_each_once_and_in_place(
    tmp_path: Path, url: str | None, media: MediaWires
) -> None:
    media.faults[MISTRAL] = [faults.status(500)]
    model = FakeModel()
    async with system(tmp_path, url=url, model=model, **media.settings("mistral")) as notes:
        source_id = await submit_pdf(notes, mixed_pdf("Before the scan.", None, None, "After the scan."))
        await notes.run_until_idle()
        view = await status(notes, source_id)
        known = await metadata(notes, source_id)
        seen = await stages(notes, source_id)
        (extraction,) = await jobs(notes, source_id, "EXTRACT_PDF")
        calls = await notes.engine.jobs.calls(extraction.id)
    assert view.status is SourceStatus.COMPLETED
    assert seen[:3] == ["PDF_DOWNLOADING", "PDF_OCR_IN_PROGRESS", "ANALYZING_TEXT"]
    text = source_text(model.of("lesson_structure")[0])
    assert text.index("Before") < text.index("scanned page") < text.rindex("scanned page") < text.index("After")
    assert known["ocr"] == {"providers": ["mistral"], "pages": [2, 3]}
    # One page failed and was read again, the other was not; every call is in the ledger.
    assert (extraction.attempt, media.calls) == (2, {MISTRAL: 3})
    assert sorted((call.provider, call.outcome) for call in calls) == [
        ("mistral", "answered"), ("mistral", "answered"), ("mistral", "provider_error"),
    ]  # fmt: skip


async def test_sn_14_a_picture_is_read_by_gemini_when_mistral_cannot(
    tmp_path: Path, media: MediaWires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", GOOGLE_KEY)
    monkeypatch.setenv("GOOGLE_BASE_URL", f"{media.url}/google")
    media.faults[MISTRAL] = [faults.html()]
    async with system(tmp_path, **media.settings("mistral")) as notes:
        source_id = await submit_file(notes, SourceType.IMAGE, PNG)
        await notes.run_until_idle()
        view = await status(notes, source_id)
        known, seen = await metadata(notes, source_id), await stages(notes, source_id)
    assert (view.status, seen[0], known["ocr"]) == (SourceStatus.COMPLETED, "OCR_IMAGE", {"providers": ["google"]})
    assert media.calls == {MISTRAL: 1, GEMINI: 1}


@pytest.mark.parametrize(
    ("kind", "content", "stage", "reason"),
    [
        (SourceType.IMAGE, PNG, Stage.OCR_IMAGE, "no OCR provider"),
        (SourceType.PDF, scanned_pdf(), Stage.PDF_DOWNLOADING, "no OCR provider"),
        (SourceType.PDF, text_pdf("x", password="key"), Stage.PDF_DOWNLOADING, "encrypted"),
        (SourceType.AUDIO, recording("ogg", [500], 0.5), Stage.TRANSCRIPTION_FAILED, "no transcription provider"),
    ],
)
async def test_sn_14_what_nobody_can_read_fails_at_once(
    tmp_path: Path, kind: SourceType, content: bytes, stage: Stage, reason: str
) -> None:
    async with system(tmp_path) as notes:
        source_id = await submit_file(notes, kind, content)
        await notes.run_until_idle()
        view = await status(notes, source_id)
    assert (view.status, view.stage, view.attempts) == (SourceStatus.FAILED, stage, 1)
    assert reason in (view.error or "")


async def test_sn_14_a_damaged_recording_fails_at_once(tmp_path: Path, media: MediaWires) -> None:
    async with system(tmp_path, **media.settings("elevenlabs")) as notes:
        source_id = await submit_file(notes, SourceType.AUDIO, recording("m4a", [500], 0.5)[:200])
        await notes.run_until_idle()
        view = await status(notes, source_id)
    assert (view.status, view.attempts, media.calls) == (SourceStatus.FAILED, 1, {})
    assert "damaged" in (view.error or "")


@pytest.mark.parametrize("kind", ["mp3", "webm"])
async def test_sn_14_only_the_failing_chunk_goes_to_the_second_provider(
    tmp_path: Path, url: str | None, media: MediaWires, kind: str
) -> None:
    media.tone_faults[ELEVENLABS, 700] = faults.status(500)
    model = FakeModel()
    settings = media.settings("elevenlabs", "openai") | {"audio_chunk_s": 2}
    async with system(tmp_path, url=url, model=model, **settings) as notes:
        source_id = await submit_file(notes, SourceType.AUDIO, recording(kind, TONES, 2.0))
        assert (await status(notes, source_id)).stage is Stage.TRANSCRIPTION_PENDING
        await notes.run_until_idle()
        view = await status(notes, source_id)
        known, seen = await metadata(notes, source_id), await stages(notes, source_id)
        (transcription,) = await jobs(notes, source_id, "TRANSCRIBE_AUDIO")
        calls = await notes.engine.jobs.calls(transcription.id)
    assert (view.status, transcription.attempt) == (SourceStatus.COMPLETED, 1)
    assert seen[:2] == ["TRANSCRIPTION_IN_PROGRESS", "ANALYZING_TEXT"]
    assert sorted(media.tones[ELEVENLABS]) == [400, 700, 700, 700, 1000]
    assert media.tones[OPENAI] == [700]
    assert known["transcription"] == {"providers": ["elevenlabs", "openai", "elevenlabs"]}
    assert source_text(model.of("lesson_structure")[0]).split() == ["Tone", "400.", "Tone", "700.", "Tone", "1000."]
    words = known["words"]
    assert [word["text"].strip(".") for word in words] == ["Tone", "400", "Tone", "700", "Tone", "1000"]
    assert [word["start_s"] for word in words] == [0.0, 0.1, 2.0, 2.1, 4.0, 4.1]
    assert {call.provider for call in calls} == {"elevenlabs", "openai"}


async def test_sn_14_chunks_already_heard_are_not_paid_for_again(tmp_path: Path, media: MediaWires) -> None:
    media.tone_faults[ELEVENLABS, 1000] = faults.status(503)
    async with system(tmp_path, **media.settings("elevenlabs"), audio_chunk_s=2, audio_parallel=2) as notes:
        source_id = await submit_file(notes, SourceType.AUDIO, recording("wav", TONES, 2.0))
        await notes.run_until_idle()
        view = await status(notes, source_id)
    assert (view.status, view.stage, view.attempts) == (SourceStatus.FAILED, Stage.TRANSCRIPTION_FAILED, 3)
    assert "answered 503" in (view.error or "")
    # Three tries in each of three attempts for the chunk that fails, one call for each of the others.
    assert sorted(media.tones[ELEVENLABS]) == [400, 700, *[1000] * 9]
    assert media.most_in_flight <= 2


@pytest.mark.parametrize("chunk_s", [2, 3])
async def test_sn_18_a_retry_asks_only_for_the_chunks_that_failed(
    tmp_path: Path, url: str | None, media: MediaWires, chunk_s: int
) -> None:
    media.tone_faults[ELEVENLABS, 1000] = faults.status(503)
    settings = media.settings("elevenlabs") | {"job_attempts": 1}
    async with system(tmp_path, url=url, **settings, audio_chunk_s=2) as notes:
        source_id = await submit_file(notes, SourceType.AUDIO, recording("wav", TONES, 2.0))
        await notes.run_until_idle()
        await notes.pipeline.retry(USER, source_id)
        await notes.run_until_idle()
        assert (await status(notes, source_id)).stage is Stage.TRANSCRIPTION_FAILED
    asked = sorted(media.tones[ELEVENLABS])
    del media.tone_faults[ELEVENLABS, 1000]
    async with system(tmp_path, url=url, **settings, audio_chunk_s=chunk_s) as notes:
        await notes.pipeline.retry(USER, source_id)
        await notes.run_until_idle()
        view, known = await status(notes, source_id), await metadata(notes, source_id)
    assert view.status is SourceStatus.COMPLETED
    assert asked == [400, 700, *[1000] * 6]
    # Cut otherwise than before, nothing of before fits.
    assert len(media.tones[ELEVENLABS]) - len(asked) == (1 if chunk_s == 2 else 2)
    assert known["words"][0]["text"] == "Tone"
    assert [word["start_s"] for word in known["words"]] == sorted(word["start_s"] for word in known["words"])


async def test_sn_24_a_transcription_that_ends_without_its_handler_fails_its_source(
    tmp_path: Path, url: str | None, media: MediaWires, held: threading.Event
) -> None:
    media.tone_faults[ELEVENLABS, 400] = faults.stall(held)
    async with system(tmp_path, url=url, **media.settings("elevenlabs"), job_attempts=1) as notes:
        await notes.start()
        source_id = await submit_file(notes, SourceType.AUDIO, recording("mp3", [400], 1.0))
        await until(lambda: media.tones[ELEVENLABS])
        (job,) = await jobs(notes, source_id)
        await notes.engine.cancel(job.id, reason="an operator stopped it")

        async def is_over() -> bool:
            return (await status(notes, source_id)).status.is_terminal

        await until(is_over)
        view = await status(notes, source_id)
        retried = await notes.pipeline.retry(USER, source_id)
    assert (view.status, view.stage) == (SourceStatus.FAILED, Stage.TRANSCRIPTION_FAILED)
    assert "an operator stopped it" in (view.error or "")
    assert retried.source.stage is Stage.TRANSCRIPTION_PENDING


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which everything temporary of this process is made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def left(tmp_path: Path, temporary: Path) -> tuple[int, list[Path], list[psutil.Process]]:
    """Stored uploads, temporary files, and cutting programs that still run."""
    uploads = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
    cutters = [
        child for child in psutil.Process().children() if any("audio_cutter" in word for word in child.cmdline())
    ]
    return len(uploads), [path for path in temporary.rglob("*") if path.is_file()], cutters


@pytest.mark.parametrize("outcome", ["success", "failure"])
async def test_sn_20_nothing_temporary_is_left_of_an_audio_job(
    tmp_path: Path, url: str | None, temporary: Path, media: MediaWires, outcome: str
) -> None:
    if outcome == "failure":
        media.tone_faults[ELEVENLABS, 700] = faults.status(500)
    async with system(tmp_path, url=url, **media.settings("elevenlabs"), audio_chunk_s=2) as notes:
        source_id = await submit_file(notes, SourceType.AUDIO, recording("m4a", TONES, 2.0))
        await notes.run_until_idle()
        view = await status(notes, source_id)
        assert view.status is (SourceStatus.COMPLETED if outcome == "success" else SourceStatus.FAILED)
        assert left(tmp_path, temporary) == (1, [], [])
        await notes.pipeline.delete(USER, source_id)
        assert left(tmp_path, temporary) == (0, [], [])


async def test_sn_20_nothing_temporary_is_left_when_an_audio_job_is_cancelled(
    tmp_path: Path, url: str | None, temporary: Path, media: MediaWires, held: threading.Event
) -> None:
    media.tone_faults[ELEVENLABS, 400] = faults.stall(held)
    async with system(tmp_path, url=url, **media.settings("elevenlabs"), audio_chunk_s=2) as notes:
        await notes.start()
        source_id = await submit_file(notes, SourceType.AUDIO, recording("m4a", TONES, 2.0))
        await until(lambda: 400 in media.tones[ELEVENLABS])
        await notes.pipeline.cancel(USER, source_id)
        await notes.run_until_idle()
        assert (await status(notes, source_id)).status is SourceStatus.CANCELLED
        assert left(tmp_path, temporary) == (1, [], [])
        assert (await jobs(notes, source_id))[0].state == "cancelled"


async def test_sn_25_a_limit_of_calls_a_minute_is_kept_without_spending_attempts(
    tmp_path: Path, url: str | None, media: MediaWires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELEVENLABS_CALLS_PER_MINUTE", "1")
    async with system(tmp_path, url=url, **media.settings("elevenlabs"), audio_chunk_s=2) as notes:
        await notes.start()
        source_id = await submit_file(notes, SourceType.AUDIO, recording("wav", TONES[:2], 2.0))

        async def waits() -> bool:
            (job,) = await jobs(notes, source_id)
            return job.state == "scheduled"

        await until(waits)
        (job,) = await jobs(notes, source_id)
        why = await notes.engine.jobs.why(job.id)
        view = await status(notes, source_id)
    assert (view.status, view.stage) == (SourceStatus.PROCESSING, Stage.TRANSCRIPTION_IN_PROGRESS)
    assert (job.attempt, media.calls) == (0, {ELEVENLABS: 1})
    assert "elevenlabs: 1 requests a minute" in str(why.reasons)


async def test_sn_25_a_named_pause_is_kept_for_every_call_to_the_provider(tmp_path: Path, media: MediaWires) -> None:
    media.faults[MISTRAL] = [faults.too_many("3")]
    async with system(tmp_path, **media.settings("mistral")) as notes:
        first = await submit_file(notes, SourceType.IMAGE, PNG)
        await notes.run_until_idle()
        view = await status(notes, first)
    assert view.status is SourceStatus.COMPLETED
    before, after = media.called_at
    assert after - before >= 3
