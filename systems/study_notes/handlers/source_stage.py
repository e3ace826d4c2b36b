"""What the stages of a source before its study tools have in common: how they fail."""

from typing import ClassVar, Generic, TypeVar

from penstock import JobTransaction
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.domain.lifecycle import Stage
from systems.study_notes.handlers.base import StageHandler
from systems.study_notes.handlers.desk import Desk, WritingUnit
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import (
    AssembleNoteJob,
    ExtractionJob,
    ProcessSourceTextJob,
    ProcessVisualPlaceholdersJob,
)

SourceJob = ExtractionJob | ProcessSourceTextJob | ProcessVisualPlaceholdersJob | AssembleNoteJob

S = TypeVar("S", bound=SourceJob)
P = TypeVar("P")


class SourceStageHandler(StageHandler[S, P], Generic[S, P]):
    """A job whose failure is the failure of its source; what would follow it is never enqueued. `stages` are those it
    brings its source to, in order."""

    stages: ClassVar[tuple[Stage, ...]]

    def __init__(self, desk: Desk, failing: FailSource) -> None:
        super().__init__(desk)
        self._failing = failing

    async def give_up(self, uow: WritingUnit, tx: JobTransaction, data: S, reason: str) -> bool:
        """Write FAILED with the stage at which the source stands; the job fails as well."""
        await publish_all(tx, await self._failing.fail(uow, data.source_id, self.stages, reason))
        return True
