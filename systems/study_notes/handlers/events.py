"""The facts about a source as they stand in the log: stream `study_notes`, subject: the source's id."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel

from penstock import Event
from systems.study_notes.domain import events as facts
from systems.study_notes.domain.lifecycle import SourceStatus, Stage

STREAM = "study_notes"


class _SourceFields(BaseModel):
    source_id: int
    user_id: int
    status: SourceStatus
    stage: Stage | None
    percent: int
    timestamp: datetime


class SourceCreated(Event, _SourceFields, type="source.created", stream=STREAM):
    """A source was handed in."""


class StageChanged(Event, _SourceFields, type="source.stage_changed", stream=STREAM):
    """The source stands at another stage."""


class VisualFinished(Event, _SourceFields, type="visual.finished", stream=STREAM):
    """One picture is settled."""

    visual_id: int


class NoteAssembled(Event, _SourceFields, type="note.assembled", stream=STREAM):
    """The note can be read."""

    note_id: int


class StudyToolsFinished(Event, _SourceFields, type="study_tools.finished", stream=STREAM):
    """Quiz and flashcards are stored."""

    note_id: int


class SourceCompleted(Event, _SourceFields, type="source.completed", stream=STREAM):
    """Terminal: status COMPLETED or COMPLETED_WITH_ERRORS."""


class SourceFailed(Event, _SourceFields, type="source.failed", stream=STREAM):
    """Terminal: status FAILED; `stage` is the failed one."""


class SourceCancelled(Event, _SourceFields, type="source.cancelled", stream=STREAM):
    """Terminal: cancelled or deleted by a person."""


_LOGGED: dict[type[facts.SourceEvent], type[Event]] = {
    facts.SourceCreated: SourceCreated,
    facts.StageChanged: StageChanged,
    facts.VisualFinished: VisualFinished,
    facts.NoteAssembled: NoteAssembled,
    facts.StudyToolsFinished: StudyToolsFinished,
    facts.SourceCompleted: SourceCompleted,
    facts.SourceFailed: SourceFailed,
    facts.SourceCancelled: SourceCancelled,
}


class Publishing(Protocol):
    """A transaction of the engine."""

    async def publish(self, event: Event, *, subject: str | None = None) -> None: ...


def logged(event: facts.SourceEvent) -> Event:
    """The event as the log holds it."""
    return _LOGGED[type(event)].model_validate(asdict(event))


async def publish_all(tx: Publishing, events: Iterable[facts.SourceEvent]) -> None:
    """Publish in the transaction of what the events report."""
    for event in events:
        await tx.publish(logged(event), subject=str(event.source_id))
