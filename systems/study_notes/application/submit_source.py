"""A learner hands in a source."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from systems.study_notes.application.ports import Clock, DocumentReader, Files
from systems.study_notes.application.repositories import NewSource, ReadUnits, UnitOfWork
from systems.study_notes.domain.errors import InvalidInput, NotFound, PermanentSourceError, TooLarge
from systems.study_notes.domain.events import SourceCreated, facts
from systems.study_notes.domain.lifecycle import SourceStatus, SourceType
from systems.study_notes.domain.records import VisualCounts
from systems.study_notes.domain.text import clean, collapse, has_words

MAX_TEXT_CHARS = 2_000_000
MAX_DOCUMENT_BYTES = 10 * 2**20
MAX_PDF_BYTES = 50 * 2**20
_LANGUAGE = re.compile(r"[a-z]{3}")
_PDF_MARK = b"%PDF-"
# PDF readers look for the mark in the first 1,024 bytes.
_PDF_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a learner may say about any source; `language` is ISO 639-3."""

    user_id: int
    title: str | None = None
    language: str | None = None
    folder_id: int | None = None


@dataclass(frozen=True, slots=True)
class TextInput:
    """A text, typed or pasted."""

    text: str
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class DocumentInput:
    """The bytes of a text, Markdown or HTML file."""

    filename: str
    content: bytes
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class PdfInput:
    """A PDF as it arrives."""

    filename: str
    content: AsyncIterator[bytes]
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class Submitted:
    """The new source. `text` is what to process, None for a PDF, which has to be extracted first."""

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

    async def prepare(self, given: TextInput | DocumentInput | PdfInput) -> NewSource:
        """The row to be. Raises `InvalidInput` or `TooLarge` naming the field, `NotFound` for a foreign folder."""
        wishes = given.wishes
        if wishes.language is not None and not _LANGUAGE.fullmatch(wishes.language):
            raise InvalidInput("language", "must be a three-letter ISO 639-3 code such as eng or spa")
        await self._check_folder(wishes)
        text, path = None, None
        if isinstance(given, TextInput):
            text = _checked_text(given.text)
        elif isinstance(given, DocumentInput):
            text = await self._document_text(given)
        else:
            path = await self._stored_pdf(given)
        return NewSource(
            user_id=wishes.user_id,
            type=SourceType.PDF if isinstance(given, PdfInput) else SourceType.TEXT,
            folder_id=wishes.folder_id,
            title=collapse(clean(wishes.title or "")) or None,
            filename=None if isinstance(given, TextInput) else clean(given.filename),
            storage_path=path,
            extracted_text=text,
            language_code=wishes.language,
        )

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

    async def _stored_pdf(self, given: PdfInput) -> str:
        path = await self._files.save(given.content, max_bytes=MAX_PDF_BYTES)
        head = await self._files.head(path, _PDF_HEAD_BYTES)
        if _PDF_MARK not in head:
            await self._files.delete(path)
            raise InvalidInput("file", "is not a PDF" if head else "is empty")
        return path


def _checked_text(text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidInput("text", f"must have at most {MAX_TEXT_CHARS:,} characters, has {len(text):,}")
    cleaned = clean(text)
    if not cleaned.strip():
        raise InvalidInput("text", "must not be blank")
    return cleaned
