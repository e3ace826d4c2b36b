"""What learners look at and tidy: notes with their study tools, folders, pictures.

These are reads and small writes beside the pipeline; each is a transaction of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from systems.study_notes.domain.records import Visual

MAX_PAGE = 100
MAX_FOLDER_NAME = 200


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note as its learner sees it; times are aware (UTC)."""

    id: int
    source_id: int
    folder_id: int | None
    title: str
    summary: str
    markdown_content: str
    html_content: str
    language_code: str
    is_favorite: bool
    source_type: str
    created_at: datetime
    updated_at: datetime
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotePage:
    """A part of a learner's notes, newest first; `total` counts all that fit the question."""

    items: tuple[NoteView, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteQuery:
    """Which notes: in a folder, with a tag, or all; at most `limit` (1-100) after the first `offset`."""

    folder_id: int | None = None
    tag: str | None = None
    limit: int = 20
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePatch:
    """What a learner changes of a note: only the fields named in `given`; folder None takes it out of its folder."""

    is_favorite: bool = False
    folder_id: int | None = None
    given: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class QuizView:
    """A question of a note's quiz; `correct_index` is 0-3, `position` counts from 0."""

    id: int
    position: int
    question: str
    options: tuple[str, ...]
    correct_index: int
    explanation: str | None


@dataclass(frozen=True, slots=True)
class FlashcardView:
    """A term of a note; `position` counts from 0."""

    id: int
    position: int
    term: str
    definition: str


@dataclass(frozen=True, slots=True)
class FolderView:
    """A folder; `parent_id` None is the top."""

    id: int
    parent_id: int | None
    name: str


@dataclass(frozen=True, slots=True)
class VisualView:
    """A wanted picture with its times (UTC)."""

    visual: Visual
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ActiveSources:
    """Sources that are not at an end: how many by status, and when the longest unmoved of them last moved."""

    counts: Mapping[str, int] = field(default_factory=dict)
    oldest_move: datetime | None = None


class Library(Protocol):
    """Every method that names a user raises `NotFound` for what is not there or is somebody else's."""

    async def notes(self, user_id: int, query: NoteQuery) -> NotePage:
        """A page of notes. `NotFound` for a foreign folder."""
        ...

    async def note(self, user_id: int, note_id: int) -> NoteView: ...

    async def change_note(self, user_id: int, note_id: int, patch: NotePatch) -> NoteView: ...

    async def quiz(self, user_id: int, note_id: int) -> Sequence[QuizView]: ...

    async def flashcards(self, user_id: int, note_id: int) -> Sequence[FlashcardView]: ...

    async def folders(self, user_id: int) -> Sequence[FolderView]:
        """All folders by name."""
        ...

    async def add_folder(self, user_id: int, name: str, parent_id: int | None) -> FolderView:
        """A new folder, for a new user too. Raises `Conflict` when its parent has one of that name."""
        ...

    async def visuals(self, user_id: int, source_id: int) -> Sequence[VisualView]:
        """The pictures of a source in the order they were wanted."""
        ...

    async def visual(self, user_id: int, visual_id: int) -> Visual: ...

    async def active_sources(self) -> ActiveSources:
        """For operators."""
        ...
