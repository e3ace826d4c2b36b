"""How a source stands, for its learner."""

from dataclasses import dataclass

from systems.study_notes.application.ports import Attempts
from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.domain.errors import NotFound
from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from systems.study_notes.domain.percent import percent
from systems.study_notes.domain.records import VisualCounts


@dataclass(frozen=True, slots=True)
class StatusView:
    """`percent` is 0-100; `attempts` counts those of the present (or last) job; `note_id` is there as soon as the note
    can be read."""

    source_id: int
    status: SourceStatus
    stage: Stage | None
    percent: int
    error: str | None
    attempts: int
    visuals: VisualCounts
    note_id: int | None


class ShowSourceStatus:
    """Reads only."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    async def show(self, uow: UnitOfWork, user_id: int, source_id: int) -> StatusView:
        """The present standing. Raises `NotFound`, also for another user's source."""
        source = await uow.sources.get(source_id)
        if source is None or source.user_id != user_id:
            raise NotFound("source")
        counts = await uow.visuals.counts(source_id)
        return StatusView(
            source_id=source.id,
            status=source.status,
            stage=source.stage,
            percent=percent(source.type, source.status, source.stage, counts),
            error=source.error,
            attempts=await self._attempts.of(source),
            visuals=counts,
            note_id=await uow.notes.id_of_source(source_id),
        )
