"""A learner stops a source, or removes it with all that came of it."""

from dataclasses import dataclass, replace

from systems.study_notes.application.ports import Clock, Files
from systems.study_notes.application.progress import facts_of, move
from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.domain.errors import Conflict, NotFound
from systems.study_notes.domain.events import SourceCancelled
from systems.study_notes.domain.lifecycle import SourceStatus, cancel
from systems.study_notes.domain.records import Source


@dataclass(frozen=True, slots=True)
class Stopped:
    """The source as it was; its flow (`source.flow_id`) is to be cancelled in the same transaction."""

    source: Source
    events: tuple[SourceCancelled, ...]


class CancelSource:
    """Stops what is waiting or running."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def cancel(self, uow: UnitOfWork, user_id: int, source_id: int) -> Stopped:
        """Write CANCELLED; a source that is cancelled already stays so, without an event.

        Raises `NotFound`, and `Conflict` when the source has ended otherwise.
        """
        now = self._clock.now()
        held = await _owned(uow, user_id, source_id)
        if held.status is SourceStatus.CANCELLED:
            return Stopped(held, ())
        moved = await move(uow, held, cancel(held.stage), now)
        if moved is None:
            raise Conflict(f"a source that is {held.status} cannot be cancelled")
        return Stopped(held, (SourceCancelled(**await facts_of(uow, moved, now)),))


class DeleteSource:
    """Removes rows in the caller's transaction, and the file once that has committed."""

    def __init__(self, files: Files, clock: Clock) -> None:
        self._files = files
        self._clock = clock

    async def delete(self, uow: UnitOfWork, user_id: int, source_id: int) -> Stopped:
        """Remove the source and all that hangs on it; one that had not ended is told as cancelled.

        Raises `NotFound`. Call `remove_files` after the commit.
        """
        held = await _owned(uow, user_id, source_id)
        ended = replace(held, status=SourceStatus.CANCELLED)
        told = () if held.status.is_terminal else (SourceCancelled(**await facts_of(uow, ended, self._clock.now())),)
        await uow.sources.delete(source_id)
        return Stopped(held, told)

    async def remove_files(self, stopped: Stopped) -> None:
        """Remove the upload of a deleted source, if it had one."""
        if stopped.source.storage_path is not None:
            await self._files.delete(stopped.source.storage_path)


async def _owned(uow: UnitOfWork, user_id: int, source_id: int) -> Source:
    held = await uow.sources.hold(source_id)
    if held is None or held.user_id != user_id:
        raise NotFound("source")
    return held
