"""GENERATE_STUDY_TOOLS: quiz and flashcards of a note."""

from collections.abc import Mapping
from dataclasses import dataclass

from systems.study_notes.application.ai_service import AiService, Answered, Answerer, Stream
from systems.study_notes.application.ports import Clock, Steps
from systems.study_notes.application.process_source_text import with_answerers
from systems.study_notes.application.progress import Entered, enter_stage, facts_of, move
from systems.study_notes.application.repositories import ReadUnits, UnitOfWork
from systems.study_notes.domain.events import SourceCompleted, StudyToolsFinished
from systems.study_notes.domain.lifecycle import Stage, complete, complete_with_errors
from systems.study_notes.domain.study_tools import (
    FLASHCARD_BOUNDS,
    QUIZ_BOUNDS,
    Bounds,
    Checked,
    Dropped,
    Flashcard,
    QuizItem,
)


@dataclass(frozen=True, slots=True)
class MadeStudyTools:
    """Good items in sufficient number, and what was dropped."""

    note_id: int
    source_id: int
    quiz: tuple[QuizItem, ...]
    flashcards: tuple[Flashcard, ...]
    dropped: tuple[Dropped, ...]
    answered_by: Mapping[str, tuple[Answerer, ...]]


@dataclass(frozen=True, slots=True)
class Finished:
    """The source has ended."""

    source_id: int
    note_id: int
    events: tuple[StudyToolsFinished | SourceCompleted, ...]


class GenerateStudyTools:
    """`begin` → `prepare` → `store`, or `give_up` after the last attempt."""

    stage = Stage.GENERATING_STUDY_TOOLS

    def __init__(
        self,
        reads: ReadUnits,
        ai: AiService,
        clock: Clock,
        *,
        quiz: Bounds = QUIZ_BOUNDS,
        flashcards: Bounds = FLASHCARD_BOUNDS,
    ) -> None:
        self._reads = reads
        self._ai = ai
        self._clock = clock
        self._quiz = quiz
        self._flashcards = flashcards

    async def begin(self, uow: UnitOfWork, note_id: int) -> Entered | None:
        """Enter the stage; None when the job has nothing left to do."""
        note = await uow.notes.get(note_id)
        return await enter_stage(uow, note.source_id, self.stage, self._clock.now()) if note else None

    async def prepare(self, note_id: int, steps: Steps) -> MadeStudyTools | None:
        """Ask the model, in two steps; None when the note is gone.

        Raises as `AiService` does, and `StageError` when too few good items are left.
        """
        async with self._reads() as uow:
            note = await uow.notes.get(note_id)
        if note is None:
            return None
        quiz = await steps.step("quiz", self._enough_questions, note.markdown, note.language_code, steps.stream)
        cards = await steps.step("flashcards", self._enough_cards, note.markdown, note.language_code, steps.stream)
        return MadeStudyTools(
            note_id=note.id,
            source_id=note.source_id,
            quiz=quiz.value.within(self._quiz),
            flashcards=cards.value.within(self._flashcards),
            dropped=quiz.value.dropped + cards.value.dropped,
            answered_by={"quiz": quiz.by, "flashcards": cards.by},
        )

    async def _enough_questions(self, markdown: str, language: str, stream: Stream) -> Answered[Checked[QuizItem]]:
        answered = await self._ai.generate_quiz(markdown, language, stream)
        answered.value.within(self._quiz)
        return answered

    async def _enough_cards(self, markdown: str, language: str, stream: Stream) -> Answered[Checked[Flashcard]]:
        answered = await self._ai.extract_flashcards(markdown, language, stream)
        answered.value.within(self._flashcards)
        return answered

    async def store(self, uow: UnitOfWork, made: MadeStudyTools) -> Finished | None:
        """Replace quiz and flashcards and complete the source; None when it is gone, cancelled or has ended."""
        now = self._clock.now()
        held = await uow.sources.hold(made.source_id)
        moved = await move(uow, held, complete(), now) if held else None
        if moved is None:
            return None
        await uow.study_tools.replace(made.note_id, made.quiz, made.flashcards)
        metadata = with_answerers(await uow.sources.metadata(moved.id), made.answered_by)
        metadata["dropped"] = [item.as_json() for item in made.dropped]
        await uow.sources.set_metadata(moved.id, metadata, now)
        common = await facts_of(uow, moved, now)
        events = (StudyToolsFinished(**common, note_id=made.note_id), SourceCompleted(**common))
        return Finished(moved.id, made.note_id, events)

    async def give_up(self, uow: UnitOfWork, note_id: int, reason: str) -> Finished | None:
        """End the source as COMPLETED_WITH_ERRORS; note, quiz and flashcards stay as they are.

        For the last attempt, for a permanent fault and for a job that ended without its handler.
        """
        now = self._clock.now()
        entered = await self.begin(uow, note_id)
        moved = await move(uow, entered.source, complete_with_errors(reason), now) if entered else None
        if moved is None:
            return None
        return Finished(moved.id, note_id, (SourceCompleted(**await facts_of(uow, moved, now)),))
