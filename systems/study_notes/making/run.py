"""From what was named to the note."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from rich.console import Console

from systems.study_notes.application.inputs import Wishes
from systems.study_notes.application.library import FlashcardView, NoteView, QuizView
from systems.study_notes.domain.errors import StudyNotesError
from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from systems.study_notes.making.given import Unusable, given
from systems.study_notes.making.progress import display_on
from systems.study_notes.making.readable import readable
from systems.study_notes.making.snapshot import Snapshot, take_snapshot
from systems.study_notes.wiring import StudyNotes

_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a source; `note` is None when there is none."""

    source_id: int
    status: SourceStatus
    stage: Stage | None
    error: str | None
    note: NoteView | None
    quiz: Sequence[QuizView]
    flashcards: Sequence[FlashcardView]

    @property
    def problem(self) -> str | None:
        """Why it is not complete, in one line; None when it is."""
        if self.status is SourceStatus.COMPLETED:
            return None
        return f"{self.status} at {self.stage}: {self.error}" if self.error else f"{self.status} at {self.stage}"

    def as_markdown(self) -> str:
        """The note with quiz and cards, empty without a note."""
        return readable(self.note.markdown_content, self.quiz, self.flashcards) if self.note else ""

    def as_json(self) -> str:
        """All of it."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2).decode() + "\n"


async def make_note(notes: StudyNotes, named: str, wishes: Wishes, console: Console) -> Made:
    """Hand in what is named, run its jobs in this process and show how it goes on `console`.

    Raises `Unusable` before any work begins.
    """
    await notes.open()
    try:
        source_id = await submit(notes, named, wishes)
        await notes.start()
        with display_on(console) as display:
            while not (snapshot := await look(notes, wishes.user_id, source_id)).is_over:
                display.show(snapshot)
                await asyncio.sleep(_LOOK_EVERY_S)
            display.show(snapshot)
        return await _made(notes, wishes.user_id, source_id, snapshot)
    finally:
        await notes.stop()


async def submit(notes: StudyNotes, named: str, wishes: Wishes) -> int:
    """The id of the source. Raises `Unusable`."""
    handed_in = await given(named, wishes)
    try:
        return (await notes.pipeline.submit(handed_in)).source_id
    except StudyNotesError as error:
        raise Unusable(f"{named}: {error}") from error


async def look(notes: StudyNotes, user_id: int, source_id: int) -> Snapshot:
    """The run as it is now."""
    source, view = await notes.stands(user_id, source_id)
    return await take_snapshot(notes, view, source.flow_id or "")


async def _made(notes: StudyNotes, user_id: int, source_id: int, snapshot: Snapshot) -> Made:
    library, note_id = notes.library, snapshot.note_id
    has_note: dict[str, Any] = {"note": None, "quiz": (), "flashcards": ()}
    if note_id is not None:
        has_note = {
            "note": await library.note(user_id, note_id),
            "quiz": await library.quiz(user_id, note_id),
            "flashcards": await library.flashcards(user_id, note_id),
        }
    return Made(source_id, snapshot.status, snapshot.stage, snapshot.error, **has_note)
