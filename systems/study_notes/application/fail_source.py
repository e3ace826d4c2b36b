"""A stage has failed for good."""

from collections.abc import Sequence

from systems.study_notes.application.ports import Clock
from systems.study_notes.application.progress import enter_stage, facts_of, move
from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.domain.events import SourceFailed
from systems.study_notes.domain.lifecycle import FAILED_AT, Stage, fail


class FailSource:
    """For every stage before the study tools (these have `GenerateStudyTools.give_up`)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def fail(
        self, uow: UnitOfWork, source_id: int, stages: Sequence[Stage], reason: str
    ) -> tuple[SourceFailed, ...]:
        """Write FAILED with the stage and a reason for the learner, and tell it.

        `stages` are those of the failed job, in order: that at which the source stands counts, else the first.
        For the last attempt, for a permanent fault and for a job that ended without its handler, also before it began.
        Nothing is written or told when the source is gone, cancelled, ended, or already past the stage.
        """
        now = self._clock.now()
        held = await uow.sources.hold(source_id)
        stage = next((one for one in stages if held is not None and held.stage is one), stages[0])
        # A job that never began fails too; a source fails from PROCESSING only.
        entered = await enter_stage(uow, source_id, stage, now)
        moved = await move(uow, entered.source, fail(FAILED_AT.get(stage, stage), reason), now) if entered else None
        return (SourceFailed(**await facts_of(uow, moved, now)),) if moved else ()
