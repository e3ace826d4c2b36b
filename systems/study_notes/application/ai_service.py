"""What study notes ask of the language model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from penstock.ai import LanguageModel, ModelAnswer, ModelFailure, ModelRequest
from systems.study_notes.application import prompts
from systems.study_notes.application.ports import LiveText
from systems.study_notes.application.together import all_or_first_error
from systems.study_notes.domain.chunking import chunks, spread
from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.domain.json_answer import fields_of, json_in, list_of, texts_of
from systems.study_notes.domain.repair import lesson_from
from systems.study_notes.domain.structure import LessonStructure, merge
from systems.study_notes.domain.study_tools import Checked, Flashcard, QuizItem, check_flashcards, check_quiz
from systems.study_notes.domain.tags import chosen_tags

TEMPERATURE = 0.5
MAX_OUTPUT_TOKENS = 8192
TIMEOUT_S = 60.0
CHUNK_MAX_CHARS = 24_000
TAG_CHARS = 5_000
# A long note is asked about in this many parts, evenly spread over it: a quiz has at most ten questions, flashcards at
# most thirty cards, and the job has 180 s.
STUDY_PARTS = 4

Value = TypeVar("Value")
Stream = Callable[[str], LiveText]
"""Opens what is read while an answer comes, by a name."""


@dataclass(frozen=True, slots=True)
class Answerer:
    """Who answered a request."""

    provider: str
    model: str
    offline: bool

    def as_json(self) -> dict[str, object]:
        """For the source's metadata."""
        return {"provider": self.provider, "model": self.model, "offline": self.offline}


@dataclass(frozen=True, slots=True)
class Answered(Generic[Value]):
    """A value, and all who had a part in it, each once."""

    value: Value
    by: tuple[Answerer, ...]


class AiService:
    """Asks the model and reads its answers.

    `chunk_max_chars` is the most source text one request holds; `timeout_s` bounds one request. Every method raises
    `StageError` when asking again may help (also for an unusable answer), else `PermanentSourceError`.
    """

    def __init__(
        self, model: LanguageModel, *, chunk_max_chars: int = CHUNK_MAX_CHARS, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._model = model
        self._chunk_max_chars = chunk_max_chars
        self._timeout_s = timeout_s

    def lesson_structure_chunks(self, text: str) -> list[str]:
        """The consecutive pieces of a text that `generate_chunk_structure` is asked about, one by one."""
        # Made data before it is cut, so that no piece grows beyond the limit afterwards.
        return chunks(prompts.as_data(text), self._chunk_max_chars)

    async def generate_chunk_structure(
        self, chunk: str, language: str, live: LiveText | None = None
    ) -> Answered[LessonStructure]:
        """The lesson of one piece, repaired; its placeholders have their stored ids."""
        answer = await self._ask(prompts.LESSON_STRUCTURE, chunk, language, live)
        return Answered(lesson_from(json_in(answer.text)), (_answerer(answer),))

    def merge(self, parts: Sequence[Answered[LessonStructure]]) -> Answered[LessonStructure]:
        """One lesson out of those of all pieces, in order."""
        return Answered(merge([part.value for part in parts]), _all_answerers(parts))

    async def generate_lesson_structure(self, text: str, language: str) -> Answered[LessonStructure]:
        """The lesson of a text of any length (not blank)."""
        pieces = self.lesson_structure_chunks(text)
        return self.merge([await self.generate_chunk_structure(piece, language) for piece in pieces])

    async def generate_tags(self, text: str, language: str, live: LiveText | None = None) -> Answered[list[str]]:
        """Three to five tags, from the first 5,000 characters."""
        opening = text[: min(TAG_CHARS, self._chunk_max_chars)]
        answer = await self._ask(prompts.TAGS, opening, language, live)
        return Answered(chosen_tags(texts_of(_members(answer, "tags")), text), (_answerer(answer),))

    async def generate_quiz(
        self, markdown: str, language: str, stream: Stream | None = None
    ) -> Answered[Checked[QuizItem]]:
        """Checked quiz items from a note's Markdown. Each part of it has a stream of its own."""
        answered = await self._ask_parts(prompts.QUIZ, "quiz", markdown, language, stream)
        return Answered(check_quiz(answered.value, markdown), answered.by)

    async def extract_flashcards(
        self, markdown: str, language: str, stream: Stream | None = None
    ) -> Answered[Checked[Flashcard]]:
        """Checked flashcards from a note's Markdown. Each part of it has a stream of its own."""
        answered = await self._ask_parts(prompts.FLASHCARDS, "flashcards", markdown, language, stream)
        return Answered(check_flashcards(answered.value), answered.by)

    async def _ask_parts(
        self, instructions: str, name: str, markdown: str, language: str, stream: Stream | None
    ) -> Answered[list[object]]:
        """The items of all parts, taken in turns, so that a limit on their number leaves out no part."""
        parts = spread(self.lesson_structure_chunks(markdown), STUDY_PARTS)
        lives = [stream and stream(f"{name} {number} of {len(parts)}") for number in range(1, len(parts) + 1)]
        answers = await all_or_first_error(
            [self._part(instructions, name, part, language, live) for part, live in zip(parts, lives, strict=True)]
        )
        longest = max((len(answer.value) for answer in answers), default=0)
        turns = [answer.value[turn] for turn in range(longest) for answer in answers if turn < len(answer.value)]
        return Answered(turns, _all_answerers(answers))

    async def _part(
        self, instructions: str, name: str, text: str, language: str, live: LiveText | None
    ) -> Answered[list[object]]:
        answer = await self._ask(instructions, text, language, live)
        return Answered(list_of(_members(answer, name)), (_answerer(answer),))

    async def _ask(self, instructions: str, text: str, language: str, live: LiveText | None) -> ModelAnswer:
        request = ModelRequest(
            instructions=instructions,
            prompt=prompts.prompt(text, language),
            json=True,
            temperature=TEMPERATURE,
            max_output_tokens=MAX_OUTPUT_TOKENS,
            timeout_s=self._timeout_s,
        )
        if live is None:
            outcome = await self._model.ask(request)
        else:
            # A second try, and another provider, begin their answer anew.
            outcome = await self._model.ask(request, on_text=live.write, on_call=live.restart)
        if isinstance(outcome, ModelFailure):
            reason = f"the language model gave no answer: {outcome.message}"
            if outcome.retryable:
                raise StageError(reason, retry_after_s=outcome.retry_after_s)
            raise PermanentSourceError(reason)
        return outcome


def _members(answer: ModelAnswer, name: str) -> object:
    """The list asked for: the member `name` of an object, or the answer itself when it is a bare list."""
    value = json_in(answer.text)
    return value if isinstance(value, list) else fields_of(value).get(name)


def _answerer(answer: ModelAnswer) -> Answerer:
    return Answerer(answer.provider, answer.model, answer.offline)


def _all_answerers(answers: Sequence[Answered[Value]]) -> tuple[Answerer, ...]:
    return tuple(dict.fromkeys(by for answer in answers for by in answer.by))
