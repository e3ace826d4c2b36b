"""The rows the use cases read and write, and the unit of work that holds them together.

A use case never opens or commits a transaction: methods that write take the caller's open unit of work, so that rows,
job completion and new jobs commit as one.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from systems.study_notes.domain.lifecycle import SourceChange, SourceType, Stage, VisualStatus
from systems.study_notes.domain.placeholders import Placeholder
from systems.study_notes.domain.records import Note, Source, Visual, VisualCounts
from systems.study_notes.domain.study_tools import Flashcard, QuizItem


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A source to insert, with status PENDING and run number 1; `stage` where it waits for a stage of its own."""

    user_id: int
    type: SourceType
    folder_id: int | None = None
    title: str | None = None
    filename: str | None = None
    storage_path: str | None = None
    url: str | None = None
    extracted_text: str | None = None
    language_code: str | None = None
    stage: Stage | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the model made of a source's text; `structure` is the lesson structure as JSON."""

    title: str
    language_code: str
    structure: Mapping[str, object]
    metadata: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class VisualResult:
    """The outcome of one picture; `status` is a finished one."""

    status: VisualStatus
    image_url: str | None = None
    alt_text: str | None = None
    source_url: str | None = None
    source_title: str | None = None
    provider: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """An assembled note; one source has at most one."""

    source_id: int
    user_id: int
    folder_id: int | None
    source_type: SourceType
    title: str
    summary: str
    markdown_content: str
    html_content: str
    language_code: str


class Users(Protocol):
    async def ensure(self, user_id: int, now: datetime) -> None:
        """Create the user unless it exists."""
        ...


class Folders(Protocol):
    async def belongs_to(self, folder_id: int, user_id: int) -> bool:
        """Whether the folder exists and is this user's."""
        ...


class Sources(Protocol):
    async def add(self, source: NewSource, now: datetime) -> int:
        """Insert and return the id."""
        ...

    async def get(self, source_id: int) -> Source | None: ...

    async def hold(self, source_id: int) -> Source | None:
        """As `get`, with the row locked until the transaction ends (SELECT … FOR UPDATE; on SQLite the transaction
        itself is the lock), so that changes of one source follow one another."""
        ...

    async def text(self, source_id: int) -> str | None:
        """The extracted text, None when there is none yet."""
        ...

    async def structure(self, source_id: int) -> Mapping[str, object] | None:
        """The lesson structure as JSON, None when there is none yet."""
        ...

    async def metadata(self, source_id: int) -> Mapping[str, object]:
        """What is known besides (JSON), empty while nothing is."""
        ...

    async def change(self, source_id: int, change: SourceChange, now: datetime) -> bool:
        """Compare-and-set (see `SourceChange`); False when the source stands elsewhere or is gone."""
        ...

    async def set_text(self, source_id: int, text: str, now: datetime) -> None: ...

    async def set_analysis(self, source_id: int, analysis: Analysis, now: datetime) -> None:
        """Store title, language, lesson structure and metadata."""
        ...

    async def set_metadata(self, source_id: int, metadata: Mapping[str, object], now: datetime) -> None: ...

    async def set_flow(self, source_id: int, flow_id: str, now: datetime) -> None:
        """Remember the job engine's flow of the present run; for whoever enqueues it."""
        ...

    async def delete(self, source_id: int) -> None:
        """Remove the row and all that hangs on it: visuals, note, tags' links, quiz, flashcards."""
        ...


class Visuals(Protocol):
    async def get(self, visual_id: int) -> Visual | None: ...

    async def of_source(self, source_id: int) -> Sequence[Visual]: ...

    async def counts(self, source_id: int) -> VisualCounts: ...

    async def add_missing(self, source_id: int, placeholders: Sequence[Placeholder], now: datetime) -> list[int]:
        """Insert a PENDING visual for each placeholder that has none; the ids of all of them, in the given order."""
        ...

    async def start(self, visual_id: int, now: datetime) -> bool:
        """PENDING or PROCESSING becomes PROCESSING; False when it is finished or gone."""
        ...

    async def finish(self, visual_id: int, result: VisualResult, now: datetime) -> bool:
        """Write the outcome of an unfinished visual; False when it is finished or gone."""
        ...


class Notes(Protocol):
    async def get(self, note_id: int) -> Note | None: ...

    async def id_of_source(self, source_id: int) -> int | None: ...

    async def save(self, draft: NoteDraft, now: datetime) -> int:
        """Insert the source's note, or update its title, summary, contents and language; returns its id."""
        ...

    async def set_tags(self, note_id: int, user_id: int, names: Sequence[str]) -> None:
        """The note has exactly these tags afterwards; missing ones are created for the user."""
        ...


class StudyTools(Protocol):
    async def replace(self, note_id: int, quiz: Sequence[QuizItem], flashcards: Sequence[Flashcard]) -> None:
        """The note has exactly this quiz and these flashcards afterwards, positions from 0 in the given order."""
        ...


class UnitOfWork(Protocol):
    """One open transaction."""

    @property
    def users(self) -> Users: ...
    @property
    def folders(self) -> Folders: ...
    @property
    def sources(self) -> Sources: ...
    @property
    def visuals(self) -> Visuals: ...
    @property
    def notes(self) -> Notes: ...
    @property
    def study_tools(self) -> StudyTools: ...


class ReadUnits(Protocol):
    """Opens a unit of work for reading; it takes no write lock and is closed at once after the reads."""

    def __call__(self) -> AbstractAsyncContextManager[UnitOfWork]: ...
