"""EXTRACT_PDF."""

from collections.abc import Iterable

from penstock import Job, JobTransaction
from systems.study_notes.application.extract_pdf import ExtractedText, ExtractPdf
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.handlers.desk import Desk, WritingUnit
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import ExtractPdfJob, text_job
from systems.study_notes.handlers.source_stage import SourceStageHandler


class ExtractPdfHandler(SourceStageHandler[ExtractPdfJob, ExtractedText]):
    """The text of a PDF, then PROCESS_SOURCE_TEXT."""

    handles = ExtractPdfJob
    stage = ExtractPdf.stage

    def __init__(self, desk: Desk, failing: FailSource, extract: ExtractPdf) -> None:
        super().__init__(desk, failing)
        self._extract = extract

    async def begin(self, uow: WritingUnit, data: ExtractPdfJob) -> Iterable[SourceEvent] | None:
        """See the base class."""
        entered = await self._extract.begin(uow, data.source_id)
        return entered.events if entered else None

    async def prepare(self, job: Job[ExtractPdfJob]) -> ExtractedText | None:
        """See the base class."""
        return await self._extract.prepare(job.data.source_id)

    async def store(self, uow: WritingUnit, tx: JobTransaction, prepared: ExtractedText) -> None:
        """See the base class."""
        stored = await self._extract.store(uow, prepared)
        if stored is None:
            return
        await publish_all(tx, stored.events)
        await self._next(uow, tx, prepared.source_id, text_job(prepared.source_id, stored.text))
