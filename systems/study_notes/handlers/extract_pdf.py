"""EXTRACT_PDF."""

from penstock import Job
from systems.study_notes.application.extract_pdf import ExtractPdf
from systems.study_notes.application.extraction import ExtractedText, StoreText
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.handlers.desk import Desk
from systems.study_notes.handlers.extraction import ExtractionHandler
from systems.study_notes.handlers.jobs import ExtractPdfJob


class ExtractPdfHandler(ExtractionHandler[ExtractPdfJob]):
    """The text of a PDF. Where pages are scanned the learner sees a stage of its own."""

    handles = ExtractPdfJob
    stages = ExtractPdf.stages

    def __init__(self, desk: Desk, failing: FailSource, storing: StoreText, extract: ExtractPdf) -> None:
        super().__init__(desk, failing, storing, extract)
        self._pdf = extract

    async def prepare(self, job: Job[ExtractPdfJob]) -> ExtractedText | None:
        """See the base class."""
        look = await self._pdf.look(job.data.source_id)
        if look is None:
            return None
        if look.scanned:
            async with self._desk.units() as uow:
                entered = await self._pdf.begin_ocr(uow, look.source_id)
                if entered is None:
                    return None
                await self._desk.tell(uow, entered.events)
                await uow.session.commit()
        return await self._pdf.read(look, await self.steps(job))
