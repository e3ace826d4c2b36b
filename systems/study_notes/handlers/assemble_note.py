"""ASSEMBLE_NOTE."""

from collections.abc import Iterable

from penstock import Job, JobTransaction
from systems.study_notes.application.assemble_note import AssembledNote, AssembleNote
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.handlers.desk import Desk, WritingUnit
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import AssembleNoteJob, GenerateStudyToolsJob
from systems.study_notes.handlers.source_stage import SourceStageHandler


class AssembleNoteHandler(SourceStageHandler[AssembleNoteJob, AssembledNote]):
    """The note, then GENERATE_STUDY_TOOLS."""

    handles = AssembleNoteJob
    stages = (AssembleNote.stage,)

    def __init__(self, desk: Desk, failing: FailSource, assemble: AssembleNote) -> None:
        super().__init__(desk, failing)
        self._assemble = assemble

    async def begin(self, uow: WritingUnit, data: AssembleNoteJob) -> Iterable[SourceEvent] | None:
        """See the base class."""
        begun = await self._assemble.begin(uow, data.source_id)
        return begun.events if begun else None

    async def prepare(self, job: Job[AssembleNoteJob]) -> AssembledNote | None:
        """See the base class."""
        return await self._assemble.prepare(job.data.source_id)

    async def store(self, uow: WritingUnit, tx: JobTransaction, prepared: AssembledNote) -> None:
        """See the base class."""
        stored = await self._assemble.store(uow, prepared)
        if stored is None:
            return
        await publish_all(tx, stored.events)
        await self._next(uow, tx, prepared.draft.source_id, GenerateStudyToolsJob(note_id=stored.note_id))
