"""A stage has failed for good."""

from systems.study_notes.application.ports import Clock
from systems.study_notes.application.progress import enter_stage, facts_of, move
from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.domain.events import SourceFailed
from systems.study_notes.domain.lifecycle import Stage, fail


class FailSource:
    """For every stage before the study tools (these have `GenerateStudyTools.give_up`)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def fail(self, uow: UnitOfWork, source_id: int, stage: Stage, reason: str) -> tuple[SourceFailed, ...]:
        """Write FAILED with the stage and a reason for the learner, and tell it.

        For the last attempt, for a permanent fault and for a job that ended without its handler, also before it began.
        Nothing is written or told when the source is gone, cancelled, ended, or already past the stage.
        """
        now = self._clock.now()
        # A job that never began fails too; a source fails from PROCESSING only.
        entered = await enter_stage(uow, source_id, stage, now)
        moved = await move(uow, entered.source, fail(stage, reason), now) if entered else None
        return (SourceFailed(**await facts_of(uow, moved, now)),) if moved else ()
