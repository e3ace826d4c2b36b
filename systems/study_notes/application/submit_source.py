"""A learner hands in a source."""

import re
from dataclasses import dataclass, replace
from typing import assert_never

from systems.study_notes.application.inputs import (
    FILES,
    MAX_DOCUMENT_BYTES,
    MAX_TEXT_CHARS,
    DocumentInput,
    FileInput,
    Input,
    TextInput,
    VideoInput,
    Wishes,
)
from systems.study_notes.application.ports import Clock, DocumentReader, Files
from systems.study_notes.application.repositories import NewSource, ReadUnits, UnitOfWork
from systems.study_notes.domain.errors import InvalidInput, NotFound, PermanentSourceError, TooLarge
from systems.study_notes.domain.events import SourceCreated, facts
from systems.study_notes.domain.file_kinds import HEAD_BYTES
from systems.study_notes.domain.lifecycle import SourceStatus, SourceType, Stage
from systems.study_notes.domain.records import VisualCounts
from systems.study_notes.domain.text import clean, collapse, has_words
from systems.study_notes.domain.video_links import video_id, watch_url

_LANGUAGE = re.compile(r"[a-z]{3}")


@dataclass(frozen=True, slots=True)
class Submitted:
    """The new source. `text` is what to process, None where it has to be extracted first."""

    source_id: int
    status: SourceStatus
    type: SourceType
    text: str | None
    events: tuple[SourceCreated, ...]


class SubmitSource:
    """`prepare` checks and reads what was handed in (slow, outside a transaction), `store` writes the row.

    When the transaction of `store` does not commit, `discard` removes the stored file.
    """

    def __init__(self, reads: ReadUnits, documents: DocumentReader, files: Files, clock: Clock) -> None:
        self._reads = reads
        self._documents = documents
        self._files = files
        self._clock = clock

    async def prepare(self, given: Input) -> NewSource:
        """The row to be. Raises `InvalidInput` or `TooLarge` naming the field, `NotFound` for a foreign folder."""
        wishes = given.wishes
        if wishes.language is not None and not _LANGUAGE.fullmatch(wishes.language):
            raise InvalidInput("language", "must be a three-letter ISO 639-3 code such as eng or spa")
        await self._check_folder(wishes)
        new = NewSource(
            user_id=wishes.user_id,
            type=SourceType.TEXT,
            folder_id=wishes.folder_id,
            title=collapse(clean(wishes.title or "")) or None,
            language_code=wishes.language,
        )
        match given:
            case TextInput():
                return replace(new, extracted_text=_checked_text(given.text))
            case DocumentInput():
                text = await self._document_text(given)
                return replace(new, filename=clean(given.filename), extracted_text=text)
            case VideoInput():
                return replace(new, type=SourceType.YOUTUBE, url=_checked_link(given.url))
            case FileInput():
                path = await self._stored(given)
                stage = Stage.TRANSCRIPTION_PENDING if given.type is SourceType.AUDIO else None
                return replace(new, type=given.type, filename=clean(given.filename), storage_path=path, stage=stage)
            case _:
                assert_never(given)

    async def store(self, uow: UnitOfWork, new: NewSource) -> Submitted:
        """Insert the source, and its user on first use."""
        now = self._clock.now()
        await uow.users.ensure(new.user_id, now)
        source_id = await uow.sources.add(new, now)
        source = await uow.sources.get(source_id)
        if source is None:
            raise NotFound("source")
        created = SourceCreated(**facts(source, VisualCounts(), now))
        return Submitted(source_id, source.status, source.type, new.extracted_text, (created,))

    async def discard(self, new: NewSource) -> None:
        """Remove the file of a source that was not stored."""
        if new.storage_path is not None:
            await self._files.delete(new.storage_path)

    async def _check_folder(self, wishes: Wishes) -> None:
        if wishes.folder_id is None:
            return
        async with self._reads() as uow:
            if not await uow.folders.belongs_to(wishes.folder_id, wishes.user_id):
                raise NotFound("folder")

    async def _document_text(self, given: DocumentInput) -> str:
        if len(given.content) > MAX_DOCUMENT_BYTES:
            raise TooLarge("file", MAX_DOCUMENT_BYTES)
        if not given.content:
            raise InvalidInput("file", "is empty")
        try:
            text = clean(await self._documents.document_text(given.content, given.filename))
        except PermanentSourceError as error:
            raise InvalidInput("file", error.reason) from error
        if not has_words(text):
            raise InvalidInput("file", "holds no words")
        return text

    async def _stored(self, given: FileInput) -> str:
        rule = FILES[given.type]
        path = await self._files.save(given.content, max_bytes=rule.max_bytes)
        try:
            head = await self._files.head(path, HEAD_BYTES)
            if not rule.fits(head):
                raise InvalidInput("file", rule.refusal if head else "is empty")
        except BaseException:
            await self._files.delete(path)
            raise
        return path


def _checked_link(url: str) -> str:
    video = video_id(url)
    if video is None:
        raise InvalidInput("url", "must be a link to a YouTube video, such as https://www.youtube.com/watch?v=…")
    return watch_url(video)


def _checked_text(text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidInput("text", f"must have at most {MAX_TEXT_CHARS:,} characters, has {len(text):,}")
    cleaned = clean(text)
    if not cleaned.strip():
        raise InvalidInput("text", "must not be blank")
    return cleaned
