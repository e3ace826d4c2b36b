"""EXTRACT_PDF: the text of an uploaded PDF."""

from dataclasses import dataclass

from systems.study_notes.application.ports import Clock, DocumentReader
from systems.study_notes.application.progress import Entered, enter_stage
from systems.study_notes.application.repositories import ReadUnits, UnitOfWork
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.events import StageChanged
from systems.study_notes.domain.lifecycle import Stage
from systems.study_notes.domain.text import clean, has_words


@dataclass(frozen=True, slots=True)
class ExtractedText:
    """The text of a source."""

    source_id: int
    text: str


@dataclass(frozen=True, slots=True)
class TextStored:
    """`text` is what to process next."""

    text: str
    events: tuple[StageChanged, ...]


class ExtractPdf:
    """`begin` → `prepare` → `store`; each may be done again."""

    stage = Stage.PDF_DOWNLOADING

    def __init__(self, reads: ReadUnits, documents: DocumentReader, clock: Clock) -> None:
        self._reads = reads
        self._documents = documents
        self._clock = clock

    async def begin(self, uow: UnitOfWork, source_id: int) -> Entered | None:
        """Enter the stage; None when the job has nothing left to do."""
        return await enter_stage(uow, source_id, self.stage, self._clock.now())

    async def prepare(self, source_id: int) -> ExtractedText | None:
        """Read the file; None when the source is gone.

        Raises `PermanentSourceError` for an encrypted or damaged file and for one without a text layer.
        """
        async with self._reads() as uow:
            source = await uow.sources.get(source_id)
        if source is None:
            return None
        if source.storage_path is None:
            raise PermanentSourceError("the PDF's file is missing")
        text = clean(await self._documents.pdf_text(source.storage_path))
        if not has_words(text):
            # Scanned pages go to OCR here once a provider for it exists.
            raise PermanentSourceError("the PDF has no text layer, and no OCR provider is configured to read its pages")
        return ExtractedText(source_id, text)

    async def store(self, uow: UnitOfWork, extracted: ExtractedText) -> TextStored | None:
        """Keep the text and go on to its analysis; None when the source is gone, cancelled or already past this."""
        now = self._clock.now()
        entered = await enter_stage(uow, extracted.source_id, Stage.ANALYZING_TEXT, now)
        if entered is None:
            return None
        await uow.sources.set_text(extracted.source_id, extracted.text, now)
        return TextStored(extracted.text, entered.events)
