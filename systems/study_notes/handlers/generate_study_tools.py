"""GENERATE_STUDY_TOOLS."""

from collections.abc import Iterable

from penstock import Job, JobTransaction
from systems.study_notes.application.generate_study_tools import GenerateStudyTools, MadeStudyTools
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.handlers.base import StageHandler
from systems.study_notes.handlers.desk import Desk, WritingUnit
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import GenerateStudyToolsJob


class GenerateStudyToolsHandler(StageHandler[GenerateStudyToolsJob, MadeStudyTools]):
    """Quiz and flashcards; when they fail the note stays readable."""

    handles = GenerateStudyToolsJob

    def __init__(self, desk: Desk, tools: GenerateStudyTools) -> None:
        super().__init__(desk)
        self._tools = tools

    async def begin(self, uow: WritingUnit, data: GenerateStudyToolsJob) -> Iterable[SourceEvent] | None:
        """See the base class."""
        entered = await self._tools.begin(uow, data.note_id)
        return entered.events if entered else None

    async def prepare(self, job: Job[GenerateStudyToolsJob]) -> MadeStudyTools | None:
        """See the base class."""
        return await self._tools.prepare(job.data.note_id, job)

    async def store(self, uow: WritingUnit, tx: JobTransaction, prepared: MadeStudyTools) -> None:
        """See the base class."""
        finished = await self._tools.store(uow, prepared)
        await publish_all(tx, finished.events if finished else ())

    async def give_up(self, uow: WritingUnit, tx: JobTransaction, data: GenerateStudyToolsJob, reason: str) -> bool:
        """COMPLETED_WITH_ERRORS; the job has failed."""
        finished = await self._tools.give_up(uow, data.note_id, reason)
        await publish_all(tx, finished.events if finished else ())
        return True
