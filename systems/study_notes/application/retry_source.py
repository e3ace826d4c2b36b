"""A learner asks for another run of a source that did not end well."""

from dataclasses import dataclass
from enum import StrEnum

from systems.study_notes.application.ports import Clock
from systems.study_notes.application.progress import facts_of, move
from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.domain.errors import Conflict, NotFound
from systems.study_notes.domain.events import StageChanged
from systems.study_notes.domain.lifecycle import EXTRACTION_STAGES, SourceType, Stage, retry
from systems.study_notes.domain.records import Source


class Restart(StrEnum):
    """The job with which the new run begins."""

    EXTRACTION = "extraction"
    TEXT = "text"
    PLACEHOLDERS = "placeholders"
    ASSEMBLY = "assembly"
    STUDY_TOOLS = "study_tools"


# Extraction of a text source does not exist; each other type begins at its own stage.
_FIRST_STAGE = {
    SourceType.YOUTUBE: Stage.FETCHING_CAPTIONS,
    SourceType.PDF: Stage.PDF_DOWNLOADING,
    SourceType.IMAGE: Stage.OCR_IMAGE,
    SourceType.AUDIO: Stage.TRANSCRIPTION_PENDING,
    SourceType.TEXT: Stage.ANALYZING_TEXT,
}
_RESTARTS = {
    Stage.ANALYZING_TEXT: Restart.TEXT,
    Stage.PENDING_VISUAL_PROCESSING: Restart.PLACEHOLDERS,
    # The placeholders' job is the one that makes picture jobs; pictures already finished are left alone.
    Stage.GENERATING_VISUALS: Restart.PLACEHOLDERS,
    Stage.PENDING_ASSEMBLY: Restart.ASSEMBLY,
    Stage.ASSEMBLING_NOTE: Restart.ASSEMBLY,
    Stage.PENDING_STUDY_TOOLS: Restart.STUDY_TOOLS,
    Stage.GENERATING_STUDY_TOOLS: Restart.STUDY_TOOLS,
}
_ENTRY_STAGES = {
    Restart.TEXT: Stage.ANALYZING_TEXT,
    Restart.PLACEHOLDERS: Stage.PENDING_VISUAL_PROCESSING,
    Restart.ASSEMBLY: Stage.PENDING_ASSEMBLY,
    Restart.STUDY_TOOLS: Stage.PENDING_STUDY_TOOLS,
}


@dataclass(frozen=True, slots=True)
class Retried:
    """The source in its new run (`source.run_number` is raised), the job to begin with, and the note, if any."""

    source: Source
    restart: Restart
    note_id: int | None
    events: tuple[StageChanged, ...]


class RetrySource:
    """Decides where the new run begins; enqueueing is the caller's business."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def retry(self, uow: UnitOfWork, user_id: int, source_id: int) -> Retried:
        """Write PROCESSING at the stage that failed or was cancelled.

        Raises `NotFound`, and `Conflict` when the source is waiting, running or COMPLETED.
        """
        now = self._clock.now()
        held = await uow.sources.hold(source_id)
        if held is None or held.user_id != user_id:
            raise NotFound("source")
        restart, stage = await self._restart(uow, held)
        moved = await move(uow, held, retry(stage), now)
        if moved is None:
            raise Conflict(f"a source that is {held.status} cannot be retried")
        note_id = await uow.notes.id_of_source(source_id)
        return Retried(moved, restart, note_id, (StageChanged(**await facts_of(uow, moved, now)),))

    async def _restart(self, uow: UnitOfWork, source: Source) -> tuple[Restart, Stage]:
        stage = source.failed_stage or source.stage or _FIRST_STAGE[source.type]
        if stage in EXTRACTION_STAGES:
            return Restart.EXTRACTION, _FIRST_STAGE[source.type]
        restart = _RESTARTS[stage]
        counts = await uow.visuals.counts(source.id)
        if restart is Restart.ASSEMBLY and counts.finished < counts.total:
            # The pictures' jobs ended with the old run before the pictures were settled.
            restart = Restart.PLACEHOLDERS
        return restart, _ENTRY_STAGES[restart]
