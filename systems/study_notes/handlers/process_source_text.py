"""PROCESS_SOURCE_TEXT."""

from collections.abc import Iterable

from penstock import Job, JobTransaction
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.application.process_source_text import AnalysedText, ProcessSourceText
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.handlers.desk import Desk, WritingUnit
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import ProcessSourceTextJob, ProcessVisualPlaceholdersJob
from systems.study_notes.handlers.source_stage import SourceStageHandler


class ProcessSourceTextHandler(SourceStageHandler[ProcessSourceTextJob, AnalysedText]):
    """Lesson and tags of a text, then PROCESS_VISUAL_PLACEHOLDERS."""

    handles = ProcessSourceTextJob
    stages = (ProcessSourceText.stage,)

    def __init__(self, desk: Desk, failing: FailSource, process: ProcessSourceText) -> None:
        super().__init__(desk, failing)
        self._process = process

    async def begin(self, uow: WritingUnit, data: ProcessSourceTextJob) -> Iterable[SourceEvent] | None:
        """See the base class."""
        entered = await self._process.begin(uow, data.source_id)
        return entered.events if entered else None

    async def prepare(self, job: Job[ProcessSourceTextJob]) -> AnalysedText | None:
        """See the base class."""
        return await self._process.prepare(job.data.source_id, job.data.text_content, steps=job)

    async def store(self, uow: WritingUnit, tx: JobTransaction, prepared: AnalysedText) -> None:
        """See the base class."""
        analysed = await self._process.store(uow, prepared)
        if analysed is None:
            return
        await publish_all(tx, analysed.events)
        following = ProcessVisualPlaceholdersJob(source_id=prepared.source_id)
        await self._next(uow, tx, prepared.source_id, following)
