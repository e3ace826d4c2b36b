"""Moving a source along: one compare-and-set, and the facts to tell about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.domain.events import Facts, StageChanged, facts
from systems.study_notes.domain.lifecycle import SourceChange, SourceStatus, Stage, enter
from systems.study_notes.domain.records import Source


async def move(uow: UnitOfWork, source: Source, change: SourceChange, now: datetime) -> Source | None:
    """The source after `change`, or None when it no longer stands where the change begins (nothing is written)."""
    if not await uow.sources.change(source.id, change, now):
        return None
    return await uow.sources.get(source.id)


@dataclass(frozen=True, slots=True)
class Entered:
    """The source at its stage; `events` is empty when it stood there already (a further attempt)."""

    source: Source
    events: tuple[StageChanged, ...]


async def enter_stage(uow: UnitOfWork, source_id: int, stage: Stage, now: datetime) -> Entered | None:
    """Put the source at `stage`, status PROCESSING.

    None when it is gone, cancelled, ended, or already past the stage: the job then ends without effect.
    """
    held = await uow.sources.hold(source_id)
    moved = await move(uow, held, enter(stage), now) if held else None
    if held is None or moved is None:
        return None
    if (held.status, held.stage) == (moved.status, moved.stage):
        return Entered(moved, ())
    return Entered(moved, (StageChanged(**await facts_of(uow, moved, now)),))


async def facts_of(uow: UnitOfWork, source: Source, now: datetime) -> Facts:
    """What an event about the source as it stands tells."""
    return facts(source, await uow.visuals.counts(source.id), now)


async def enter_first(uow: UnitOfWork, source_id: int, stages: Sequence[Stage], now: datetime) -> Entered | None:
    """Put the source at the first of a job's stages, unless an earlier attempt has brought it to a later one of them.

    None as `enter_stage` says.
    """
    held = await uow.sources.hold(source_id)
    if held is not None and held.status is SourceStatus.PROCESSING and held.stage in stages:
        return Entered(held, ())
    return await enter_stage(uow, source_id, stages[0], now)
