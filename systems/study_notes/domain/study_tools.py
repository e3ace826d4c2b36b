"""Quiz and flashcards: reading a model's answer, and the rules that good items keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from systems.study_notes.domain.errors import StageError
from systems.study_notes.domain.json_answer import fields_of, list_of, number_of, text_of
from systems.study_notes.domain.text import collapse, letter_words

OPTIONS = 4
# Shorter words say little about whether a question belongs to a note.
WORD_LETTERS = 4


@dataclass(frozen=True, slots=True)
class QuizItem:
    """A question with four options, of which the one at `correct_index` (0-3) is right."""

    question: str
    options: tuple[str, ...]
    correct_index: int
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class Flashcard:
    """A term and what it means."""

    term: str
    definition: str

    @property
    def term_key(self) -> str:
        """By this, terms are the same or not."""
        return collapse(self.term).casefold()


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item that was not good enough: `kind` is `quiz` or `flashcard`, `item` names it, `reason` says why."""

    kind: str
    item: str
    reason: str

    def as_json(self) -> dict[str, str]:
        """For the source's metadata."""
        return {"kind": self.kind, "item": self.item, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many items there must be, and how many are kept."""

    minimum: int
    maximum: int


QUIZ_BOUNDS = Bounds(3, 10)
FLASHCARD_BOUNDS = Bounds(3, 30)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Checked(Generic[Item]):
    """The good items in their order, and what became of the others."""

    kept: tuple[Item, ...]
    dropped: tuple[Dropped, ...]

    def within(self, bounds: Bounds) -> tuple[Item, ...]:
        """At most the maximum. Raises `StageError`, with the reasons of what was dropped, below the minimum."""
        if len(self.kept) < bounds.minimum:
            reasons = "; ".join(dict.fromkeys(item.reason for item in self.dropped)) or "the model gave too few"
            raise StageError(f"only {len(self.kept)} usable items where {bounds.minimum} are needed ({reasons})")
        return self.kept[: bounds.maximum]


def check_quiz(answers: Sequence[object], note: str) -> Checked[QuizItem]:
    """The quiz items in JSON values that are well formed and belong to `note` (its Markdown)."""
    known = frozenset(letter_words(note, WORD_LETTERS))
    kept: list[QuizItem] = []
    dropped: list[Dropped] = []
    for answer in answers:
        item = _quiz_item(fields_of(answer))
        reason = _quiz_fault(item, known)
        if reason is None:
            kept.append(item)
        else:
            dropped.append(Dropped("quiz", item.question, reason))
    return Checked(tuple(kept), tuple(dropped))


def check_flashcards(answers: Sequence[object]) -> Checked[Flashcard]:
    """The flashcards in JSON values, each term once (the first stays)."""
    kept: dict[str, Flashcard] = {}
    dropped: list[Dropped] = []
    for answer in answers:
        members = fields_of(answer)
        card = Flashcard(collapse(text_of(members.get("term")) or ""), text_of(members.get("definition")) or "")
        reason = _card_fault(card, kept)
        if reason is None:
            kept[card.term_key] = card
        else:
            dropped.append(Dropped("flashcard", card.term, reason))
    return Checked(tuple(kept.values()), tuple(dropped))


def _quiz_item(members: dict[str, object]) -> QuizItem:
    index = number_of(members.get("correct_index"))
    return QuizItem(
        question=text_of(members.get("question")) or "",
        # Blank options keep their place: taking them out would move the right one.
        options=tuple(text_of(option) or "" for option in list_of(members.get("options"))),
        correct_index=-1 if index is None else index,
        explanation=text_of(members.get("explanation")),
    )


def _quiz_fault(item: QuizItem, known: frozenset[str]) -> str | None:
    if not item.question:
        return "no question"
    distinct = {collapse(option).casefold() for option in item.options if option}
    if len(item.options) != OPTIONS or len(distinct) != OPTIONS:
        return "not exactly four distinct options"
    if not 0 <= item.correct_index < OPTIONS:
        return "the right option's index is not 0 to 3"
    words = set(letter_words(f"{item.question} {item.options[item.correct_index]}", WORD_LETTERS))
    if 2 * len(words & known) < len(words):
        return "foreign to the note"
    return None


def _card_fault(card: Flashcard, kept: dict[str, Flashcard]) -> str | None:
    if not card.term:
        return "no term"
    if not card.definition:
        return "no definition"
    return "the term is repeated" if card.term_key in kept else None
