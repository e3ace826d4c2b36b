"""PROCESS_VISUAL_PLACEHOLDERS: which pictures a lesson wants."""

from dataclasses import dataclass

from systems.study_notes.application.ports import Clock
from systems.study_notes.application.progress import facts_of, move
from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.events import StageChanged
from systems.study_notes.domain.lifecycle import Stage, enter
from systems.study_notes.domain.placeholders import collect
from systems.study_notes.domain.structure import LessonStructure


@dataclass(frozen=True, slots=True)
class PlaceholdersPlaced:
    """One picture job is wanted per visual id, and the assembly after all of them, also after none."""

    source_id: int
    visual_ids: tuple[int, ...]
    events: tuple[StageChanged, ...]


class ProcessVisualPlaceholders:
    """One phase: everything is in the database."""

    stage = Stage.PENDING_VISUAL_PROCESSING

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def store(self, uow: UnitOfWork, source_id: int) -> PlaceholdersPlaced | None:
        """Insert the visuals that are missing and set the stage; None when the source is gone, cancelled or past this.

        The same lesson gives the same ids again. Raises `PermanentSourceError` when there is no lesson.
        """
        now = self._clock.now()
        held = await uow.sources.hold(source_id)
        if held is None:
            return None
        stored = await uow.sources.structure(source_id)
        if stored is None:
            raise PermanentSourceError("the source has no lesson to place pictures in")
        wanted = collect(LessonStructure.model_validate(stored))
        stage = Stage.GENERATING_VISUALS if wanted else Stage.PENDING_ASSEMBLY
        moved = await move(uow, held, enter(stage), now)
        if moved is None:
            return None
        visual_ids = await uow.visuals.add_missing(source_id, wanted, now)
        # Told after the visuals are there: the percent counts them.
        event = StageChanged(**await facts_of(uow, moved, now))
        return PlaceholdersPlaced(source_id, tuple(visual_ids), (event,))
