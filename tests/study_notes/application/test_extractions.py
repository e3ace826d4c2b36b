"""From a file or a link to its text."""

from typing import Any

import pytest

from systems.study_notes.application.extract_image import ExtractImage
from systems.study_notes.application.extract_pdf import ExtractPdf
from systems.study_notes.application.extract_youtube import ExtractYoutube
from systems.study_notes.application.extraction import StoreText
from systems.study_notes.application.ports import Picture, ReadText, Transcript
from systems.study_notes.application.transcribe_audio import TranscribeAudio
from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.domain.lifecycle import SourceStatus, SourceType, Stage
from systems.study_notes.domain.spoken import TimedText
from tests.study_notes.application.fakes import MemoryFiles, ScriptedReader
from tests.study_notes.application.steps import MemorySteps

LINK = "https://www.youtube.com/watch?v=aqz-KE-bpKQ"


class ReadsAll:
    """OCR that reads what the bytes say; `failing` pages fail once."""

    def __init__(self, *failing: bytes) -> None:
        self.asked: list[bytes] = []
        self._failing = set(failing)

    async def read(self, picture: Picture) -> ReadText:
        self.asked.append(picture.data)
        if picture.data in self._failing:
            self._failing.remove(picture.data)
            raise StageError("busy")
        return ReadText(f"read {picture.data.decode()}", "eyes")


class Says:
    """Captions that are there, or not."""

    def __init__(self, *pieces: TimedText) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self._pieces = pieces

    async def fetch(self, video: str, language: str | None) -> tuple[TimedText, ...]:
        self.asked.append((video, language))
        return self._pieces


class Cutter:
    """A recording of a length; its pieces say where they begin."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s

    async def length_s(self, storage_path: str) -> float:
        return self._length_s

    async def piece(self, storage_path: str, start_s: float, length_s: float) -> bytes:
        return f"{start_s:g}+{length_s:g}".encode()


class Hears:
    """Hears of each piece its name as a word of a second; `failing` pieces fail once."""

    def __init__(self, *failing: bytes) -> None:
        self.asked: list[bytes] = []
        self._failing = set(failing)

    async def transcribe(self, audio: bytes, language: str | None) -> Transcript:
        self.asked.append(audio)
        if audio in self._failing:
            self._failing.remove(audio)
            raise StageError("busy", retry_after_s=3)
        word = audio.decode()
        return Transcript(word, (TimedText(word, 0.5, 1.5),), "ears")


async def kept(world, clock, extracted):
    return await StoreText(clock).store(world, extracted)


def names(events):
    return [(event.name, event.stage, event.percent) for event in events]


async def test_a_pdf_is_read_and_goes_on_to_analysis(world, clock):
    source_id = world.put(type=SourceType.PDF, status=SourceStatus.PENDING, storage_path="p")
    extract: Any = ExtractPdf(world.reads, ScriptedReader("Text\r\nof pages"), None, clock)
    begun = await extract.begin(world, source_id)
    assert names(begun.events) == [("source.stage_changed", Stage.PDF_DOWNLOADING, 0)]
    stored = await kept(world, clock, await extract.read(await extract.look(source_id), MemorySteps()))
    assert names(stored.events) == [("source.stage_changed", Stage.ANALYZING_TEXT, 10)]
    assert world.sources.texts[source_id] == stored.text == "Text\nof pages"


async def test_scanned_pages_are_read_each_once_and_in_place(world, clock):
    source_id = world.put(type=SourceType.PDF, storage_path="p")
    ocr, steps = ReadsAll(b"page 4"), MemorySteps()
    extract: Any = ExtractPdf(world.reads, ScriptedReader("Text.", scanned=(2, 4)), ocr, clock)
    look = await extract.look(source_id)
    assert look.scanned == (2, 4)
    begun = await extract.begin_ocr(world, source_id)
    assert names(begun.events) == [("source.stage_changed", Stage.PDF_OCR_IN_PROGRESS, 0)]
    with pytest.raises(StageError, match="busy"):
        await extract.read(look, steps)
    again = await extract.begin(world, source_id)
    assert (again.source.stage, again.events) == (Stage.PDF_OCR_IN_PROGRESS, ())
    extracted = await extract.read(look, steps)
    assert extracted.text == "Text.\n\nread page 2\n\nread page 4"
    assert extracted.known == {"ocr": {"providers": ["eyes"], "pages": [3, 5]}}
    assert sorted(ocr.asked) == [b"page 2", b"page 4", b"page 4"]


async def test_without_ocr_a_pdf_with_some_text_is_read_as_far_as_it_goes(world, clock):
    source_id = world.put(type=SourceType.PDF, storage_path="p")
    extract: Any = ExtractPdf(world.reads, ScriptedReader("Text.", scanned=(1,)), None, clock)
    look = await extract.look(source_id)
    assert look.scanned == ()
    assert (await extract.read(look, MemorySteps())).text == "Text.\n\n".strip()


@pytest.mark.parametrize(
    ("reader", "reason"),
    [
        (ScriptedReader(PermanentSourceError("encrypted")), "encrypted"),
        (ScriptedReader("", scanned=(0,)), "no text layer, and no OCR provider"),
        (ScriptedReader(" ."), "no words"),
    ],
)
async def test_a_pdf_without_readable_text_fails_for_good(world, clock, reader, reason):
    source_id = world.put(type=SourceType.PDF, storage_path="p")
    extract: Any = ExtractPdf(world.reads, reader, None, clock)
    with pytest.raises(PermanentSourceError, match=reason):
        await extract.read(await extract.look(source_id), MemorySteps())
    with pytest.raises(PermanentSourceError, match="file is missing"):
        await extract.look(world.put(type=SourceType.PDF))


async def test_a_picture_is_read_once_however_often_the_job_runs(world, clock):
    files, ocr, steps = MemoryFiles({"p": b"\xff\xd8\xff words"}), ReadsAll(), MemorySteps()
    ocr.read = lambda picture: _reads(ocr, picture)  # type: ignore[method-assign]
    source_id = world.put(type=SourceType.IMAGE, status=SourceStatus.PENDING, storage_path="p")
    extract = ExtractImage(world.reads, files, ocr, clock)
    begun = await extract.begin(world, source_id)
    assert begun is not None
    assert names(begun.events) == [("source.stage_changed", Stage.OCR_IMAGE, 0)]
    first = await extract.prepare(source_id, steps)
    assert first == await extract.prepare(source_id, steps)
    assert first is not None
    assert (first.text, first.known) == ("image/jpeg", {"ocr": {"providers": ["eyes"]}})
    assert len(ocr.asked) == 1


async def _reads(ocr: ReadsAll, picture: Picture) -> ReadText:
    ocr.asked.append(picture.data)
    return ReadText(picture.media_type, "eyes")


@pytest.mark.parametrize(
    ("data", "ocr", "reason"),
    [
        (b"\xff\xd8\xff", None, "no OCR provider is configured"),
        (b"GIF89a", ReadsAll(), "no picture"),
        (b"RIFF0000WEBP", ReadsAll(), None),
    ],
)
async def test_a_picture_that_cannot_be_read_fails_for_good(world, clock, data, ocr, reason):
    source_id = world.put(type=SourceType.IMAGE, storage_path="p")
    extract = ExtractImage(world.reads, MemoryFiles({"p": data}), ocr, clock)
    if reason is None:
        assert (await extract.prepare(source_id, MemorySteps())) is not None
        return
    with pytest.raises(PermanentSourceError, match=reason):
        await extract.prepare(source_id, MemorySteps())


async def test_captions_become_the_text_and_keep_their_times(world, clock):
    captions = Says(TimedText("Water turns", 0.0, 1.0), TimedText("the wheel.", 1.0, 2.0), TimedText("So.", 6.0, 7.0))
    source_id = world.put(type=SourceType.YOUTUBE, status=SourceStatus.PENDING, url=LINK, language_code="spa")
    extract = ExtractYoutube(world.reads, captions, clock)
    begun = await extract.begin(world, source_id)
    assert begun is not None
    assert names(begun.events) == [("source.stage_changed", Stage.FETCHING_CAPTIONS, 0)]
    extracted = await extract.prepare(source_id)
    stored = await kept(world, clock, extracted)
    assert captions.asked == [("aqz-KE-bpKQ", "spa")]
    assert stored.text == "Water turns the wheel.\n\nSo."
    assert world.sources.known[source_id]["captions"][1] == {"text": "the wheel.", "start_s": 1.0, "end_s": 2.0}


async def test_a_source_without_a_link_has_no_captions(world, clock):
    source_id = world.put(type=SourceType.YOUTUBE)
    with pytest.raises(PermanentSourceError, match="no link"):
        await ExtractYoutube(world.reads, Says(), clock).prepare(source_id)


async def test_a_recording_is_transcribed_chunk_by_chunk_in_order(world, clock):
    source_id = world.put(type=SourceType.AUDIO, storage_path="p", stage=Stage.TRANSCRIPTION_PENDING)
    hears, steps = Hears(b"300+300"), MemorySteps()
    transcribe = TranscribeAudio(world.reads, Cutter(650.0), hears, clock)
    begun = await transcribe.begin(world, source_id)
    assert begun is not None
    assert names(begun.events) == [("source.stage_changed", Stage.TRANSCRIPTION_IN_PROGRESS, 0)]
    with pytest.raises(StageError, match="busy"):
        await transcribe.prepare(source_id, steps)
    assert sorted(steps.done) == ["chunk 1 of 3 (300 s)", "chunk 3 of 3 (300 s)"]
    extracted = await transcribe.prepare(source_id, steps)
    assert extracted is not None
    assert extracted.text == "0+300 300+300 600+50"
    words: Any = extracted.known["words"]
    assert [(word["text"], word["start_s"], word["end_s"]) for word in words] == [
        ("0+300", 0.5, 1.5), ("300+300", 300.5, 301.5), ("600+50", 600.5, 601.5),
    ]  # fmt: skip
    assert sorted(hears.asked) == [b"0+300", b"300+300", b"300+300", b"600+50"]


async def test_a_recording_cannot_be_transcribed_without_a_provider(world, clock):
    source_id = world.put(type=SourceType.AUDIO, storage_path="p")
    with pytest.raises(PermanentSourceError, match="no transcription provider"):
        await TranscribeAudio(world.reads, Cutter(1), None, clock).prepare(source_id, MemorySteps())


async def test_a_deleted_source_ends_its_extraction_quietly(world, clock):
    assert await ExtractYoutube(world.reads, Says(), clock).prepare(99) is None
    assert await ExtractImage(world.reads, MemoryFiles(), None, clock).prepare(99, MemorySteps()) is None
    assert await TranscribeAudio(world.reads, Cutter(1), None, clock).prepare(99, MemorySteps()) is None
    assert await ExtractPdf(world.reads, ScriptedReader(), None, clock).look(99) is None
