"""Handing in a source."""

import pytest

from systems.study_notes.application.inputs import (
    MAX_DOCUMENT_BYTES,
    DocumentInput,
    FileInput,
    TextInput,
    VideoInput,
    Wishes,
)
from systems.study_notes.application.submit_source import SubmitSource
from systems.study_notes.domain.errors import InvalidInput, NotFound, PermanentSourceError, TooLarge
from systems.study_notes.domain.lifecycle import SourceStatus, SourceType, Stage
from tests.study_notes.application.fakes import NOW, MemoryFiles, ScriptedReader

ME = Wishes(user_id=7)


async def stream(*pieces):
    for piece in pieces:
        yield piece


@pytest.fixture
def files():
    return MemoryFiles()


@pytest.fixture
def reader():
    return ScriptedReader("# Title\n\nwords")


@pytest.fixture
def submit(world, reader, files, clock):
    return SubmitSource(world.reads, reader, files, clock)


async def test_a_text_becomes_a_pending_source_of_a_user_created_on_first_use(world, submit):
    wishes = Wishes(user_id=7, title=" My\nnote ", language="spa")
    submitted = await submit.store(world, await submit.prepare(TextInput("Agua\r\n\x00clara", wishes)))
    source = world.source(submitted.source_id)
    assert (source.status, source.type, source.stage) == (SourceStatus.PENDING, SourceType.TEXT, None)
    assert (source.title, source.language_code, source.user_id) == ("My note", "spa", 7)
    assert world.sources.texts[source.id] == submitted.text == "Agua\nclara"
    assert world.users.ids == {7}
    (event,) = submitted.events
    assert (event.name, event.percent, event.timestamp) == ("source.created", 10, NOW)


@pytest.mark.parametrize(
    ("text", "message"), [("", "blank"), (" \n\t", "blank"), ("\x00", "blank"), ("x" * 2_000_001, "2,000,000")]
)
async def test_a_blank_or_too_long_text_is_refused(submit, text, message):
    with pytest.raises(InvalidInput, match=message) as caught:
        await submit.prepare(TextInput(text, ME))
    assert caught.value.field == "text"


async def test_the_longest_text_is_accepted(submit):
    new = await submit.prepare(TextInput("x" * 2_000_000, ME))
    assert len(new.extracted_text) == 2_000_000


@pytest.mark.parametrize("language", ["es", "SPA", "spanish", "", "sp\n"])
async def test_a_language_must_be_iso_639_3(submit, language):
    with pytest.raises(InvalidInput, match="ISO 639-3") as caught:
        await submit.prepare(TextInput("text", Wishes(user_id=7, language=language)))
    assert caught.value.field == "language"


async def test_a_folder_must_be_the_users_own(world, submit):
    world.folders.owners = {3: 7, 4: 8}
    wishes = Wishes(user_id=7, folder_id=3)
    assert (await submit.prepare(TextInput("text", wishes))).folder_id == 3
    for foreign in (4, 5):
        with pytest.raises(NotFound, match="folder"):
            await submit.prepare(TextInput("text", Wishes(user_id=7, folder_id=foreign)))


async def test_a_document_becomes_a_text_source_with_its_filename(world, submit):
    submitted = await submit.store(world, await submit.prepare(DocumentInput("water.md", b"bytes", ME)))
    source = world.source(submitted.source_id)
    assert (source.type, source.filename, submitted.text) == (SourceType.TEXT, "water.md", "# Title\n\nwords")


@pytest.mark.parametrize(
    ("content", "text", "message"),
    [
        (b"", "x", "is empty"),
        (b"x", "*** --- \n", "no words"),
        (b"x", PermanentSourceError("is not text"), "is not text"),
    ],
)
async def test_a_document_that_cannot_be_read_is_refused(submit, reader, content, text, message):
    reader.text = text
    with pytest.raises(InvalidInput, match=message) as caught:
        await submit.prepare(DocumentInput("a.txt", content, ME))
    assert caught.value.field == "file"


async def test_a_document_over_10_mb_is_too_large(submit):
    with pytest.raises(TooLarge, match="10 MB"):
        await submit.prepare(DocumentInput("a.txt", b"x" * (MAX_DOCUMENT_BYTES + 1), ME))


async def test_a_pdf_is_stored_and_its_source_has_nothing_extracted_yet(world, submit, files):
    new = await submit.prepare(FileInput(SourceType.PDF, "a.pdf", stream(b"%PD", b"F-1.7 rest"), ME))
    submitted = await submit.store(world, new)
    source = world.source(submitted.source_id)
    assert (source.type, source.storage_path, submitted.text) == (SourceType.PDF, "stored", None)
    assert submitted.events[0].percent == 0
    await submit.discard(new)
    assert files.contents == {}


@pytest.mark.parametrize(("content", "message"), [(b"PK\x03\x04", "is not a PDF"), (b"", "is empty")])
async def test_a_file_that_is_no_pdf_is_refused_and_removed(submit, files, content, message):
    with pytest.raises(InvalidInput, match=message):
        await submit.prepare(FileInput(SourceType.PDF, "a.pdf", stream(content), ME))
    assert files.contents == {}


async def test_a_foreign_folder_is_noticed_before_a_file_is_stored(submit, files):
    with pytest.raises(NotFound):
        await submit.prepare(FileInput(SourceType.PDF, "a.pdf", stream(b"%PDF-"), Wishes(user_id=7, folder_id=9)))
    assert files.contents == {}


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        (SourceType.IMAGE, b"GIF89a", "PNG, JPEG or WebP"),
        (SourceType.AUDIO, b"%PDF-1.7", "mp3, wav, m4a, ogg or webm"),
        (SourceType.AUDIO, b"", "is empty"),
    ],
)
async def test_a_file_of_the_wrong_kind_is_refused_by_its_content_and_removed(submit, files, kind, content, message):
    with pytest.raises(InvalidInput, match=message):
        await submit.prepare(FileInput(kind, "a.png", stream(content), ME))
    assert files.contents == {}


async def test_a_recording_waits_for_its_transcription(world, submit):
    new = await submit.prepare(FileInput(SourceType.AUDIO, "a.txt", stream(b"ID3 rest"), ME))
    submitted = await submit.store(world, new)
    assert world.stands(submitted.source_id) == (SourceStatus.PENDING, Stage.TRANSCRIPTION_PENDING)
    assert [event.stage for event in submitted.events] == [Stage.TRANSCRIPTION_PENDING]


async def test_a_link_to_a_video_is_kept_in_one_form(world, submit):
    new = await submit.prepare(VideoInput("https://youtu.be/aqz-KE-bpKQ?t=4", ME))
    assert (new.type, new.url) == (SourceType.YOUTUBE, "https://www.youtube.com/watch?v=aqz-KE-bpKQ")
    with pytest.raises(InvalidInput, match="url: must be a link to a YouTube video"):
        await submit.prepare(VideoInput("https://xyoutu.be/aqz-KE-bpKQ", ME))
