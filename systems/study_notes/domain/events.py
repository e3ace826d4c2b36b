"""Facts about a source for those who watch it (stream `study_notes`, key: source id)."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypedDict

from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from systems.study_notes.domain.percent import percent
from systems.study_notes.domain.records import Source, VisualCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvent:
    """What every event carries; `percent` is 0-100, `timestamp` is aware (UTC)."""

    name: ClassVar[str]
    source_id: int
    user_id: int
    status: SourceStatus
    stage: Stage | None
    percent: int
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCreated(SourceEvent):
    """A source was handed in."""

    name: ClassVar[str] = "source.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChanged(SourceEvent):
    """The source stands at another stage."""

    name: ClassVar[str] = "source.stage_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualFinished(SourceEvent):
    """One picture is settled, in success or failure."""

    name: ClassVar[str] = "visual.finished"
    visual_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAssembled(SourceEvent):
    """The note can be read."""

    name: ClassVar[str] = "note.assembled"
    note_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyToolsFinished(SourceEvent):
    """Quiz and flashcards are stored."""

    name: ClassVar[str] = "study_tools.finished"
    note_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCompleted(SourceEvent):
    """Terminal: status COMPLETED or COMPLETED_WITH_ERRORS."""

    name: ClassVar[str] = "source.completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFailed(SourceEvent):
    """Terminal: status FAILED, `stage` is the failed one."""

    name: ClassVar[str] = "source.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCancelled(SourceEvent):
    """Terminal: cancelled or deleted by a person."""

    name: ClassVar[str] = "source.cancelled"


TERMINAL_EVENTS = frozenset({SourceCompleted.name, SourceFailed.name, SourceCancelled.name})


class Facts(TypedDict):
    """The fields that all events share."""

    source_id: int
    user_id: int
    status: SourceStatus
    stage: Stage | None
    percent: int
    timestamp: datetime


def facts(source: Source, counts: VisualCounts, now: datetime) -> Facts:
    """The shared fields of an event about `source` as it stands now: `StageChanged(**facts(...))`."""
    return Facts(
        source_id=source.id,
        user_id=source.user_id,
        status=source.status,
        stage=source.stage,
        percent=percent(source.type, source.status, source.stage, counts),
        timestamp=now,
    )
