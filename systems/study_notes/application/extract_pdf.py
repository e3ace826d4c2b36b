"""EXTRACT_PDF: the text of an uploaded PDF, of scanned pages by OCR."""

from dataclasses import dataclass

from systems.study_notes.application.extraction import ExtractedText, read_source, stored_file
from systems.study_notes.application.ports import Clock, DocumentReader, Ocr, ReadText, Steps
from systems.study_notes.application.progress import Entered, enter_first, enter_stage
from systems.study_notes.application.repositories import ReadUnits, UnitOfWork
from systems.study_notes.application.together import all_or_first_error
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.lifecycle import Stage
from systems.study_notes.domain.text import clean, has_words

# Pages read at once: the job has 300 s, and a page takes a provider some seconds.
PAGES_AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class PdfLook:
    """A PDF that can be opened; `scanned` are its pages (from 0) that only OCR can read."""

    source_id: int
    storage_path: str
    scanned: tuple[int, ...]


class ExtractPdf:
    """`begin` → `look` → (`begin_ocr` when pages are scanned) → `read`; each may be done again."""

    stages = (Stage.PDF_DOWNLOADING, Stage.PDF_OCR_IN_PROGRESS)

    def __init__(self, reads: ReadUnits, documents: DocumentReader, ocr: Ocr | None, clock: Clock) -> None:
        """`ocr` None: no provider is configured."""
        self._reads = reads
        self._documents = documents
        self._ocr = ocr
        self._clock = clock

    async def begin(self, uow: UnitOfWork, source_id: int) -> Entered | None:
        """Enter the first stage, or stay at the second; None when the job has nothing left to do."""
        return await enter_first(uow, source_id, self.stages, self._clock.now())

    async def look(self, source_id: int) -> PdfLook | None:
        """Open the file; None when the source is gone.

        Pages are left to OCR only where there is a provider for it. Raises `PermanentSourceError` for an encrypted or
        damaged file, and for one whose pages are all scanned when there is no provider.
        """
        source = await read_source(self._reads, source_id)
        if source is None:
            return None
        path = stored_file(source)
        pages = await self._documents.pdf_pages(path)
        if self._ocr is None and pages.scanned and not pages.has_text:
            raise PermanentSourceError("the PDF has no text layer, and no OCR provider is configured to read its pages")
        return PdfLook(source_id, path, pages.scanned if self._ocr else ())

    async def begin_ocr(self, uow: UnitOfWork, source_id: int) -> Entered | None:
        """Enter the second stage; None when the source is gone or has ended."""
        return await enter_stage(uow, source_id, Stage.PDF_OCR_IN_PROGRESS, self._clock.now())

    async def read(self, look: PdfLook, steps: Steps) -> ExtractedText:
        """The whole text, each scanned page read in a step: a page that was read is not paid for again.

        Raises `StageError` when a page could not be read this time, `PermanentSourceError` when there are no words.
        """
        path = look.storage_path
        calls = [steps.step(f"page {page + 1}", self._read_page, path, page) for page in look.scanned]
        read = dict(zip(look.scanned, await all_or_first_error(calls, PAGES_AT_ONCE), strict=True))
        texts = {page: one.text for page, one in read.items()}
        text = clean(await self._documents.pdf_text(path, texts))
        if not has_words(text):
            raise PermanentSourceError("the PDF has no words that can be read")
        providers = list(dict.fromkeys(one.provider for one in read.values()))
        known = {"ocr": {"providers": providers, "pages": [page + 1 for page in read]}} if read else {}
        return ExtractedText(look.source_id, text, known)

    async def _read_page(self, storage_path: str, page: int) -> ReadText:
        if self._ocr is None:
            raise PermanentSourceError("no OCR provider is configured")
        return await self._ocr.read(await self._documents.pdf_picture(storage_path, page))
