"""A note with its quiz and cards as one Markdown text."""

from collections.abc import Sequence

from systems.study_notes.application.library import FlashcardView, QuizView
from systems.study_notes.domain.markdown import escape

_LETTERS = "ABCD"


def readable(note: str, quiz: Sequence[QuizView], cards: Sequence[FlashcardView]) -> str:
    """`note` (Markdown) followed by what quiz and cards there are."""
    lines = [note.rstrip(), "", "## Quiz", ""]
    for number, item in enumerate(quiz, 1):
        lines += [f"{number}. {escape(item.question)}", ""]
        lines += [f"   - {letter}) {escape(option)}" for letter, option in zip(_LETTERS, item.options, strict=True)]
        lines += [""]
    answers = (f"{number} {_LETTERS[item.correct_index]}" for number, item in enumerate(quiz, 1))
    lines += [f"Answers: {', '.join(answers)}", "", "## Flashcards", ""]
    lines += [f"- **{escape(card.term)}**: {escape(card.definition)}" for card in cards]
    return "\n".join(lines) + "\n"
