"""The page of a note: one HTML file with its style and pictures in it."""

import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from systems.study_notes.application.library import FlashcardView, NoteView, QuizView

_TEMPLATES = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True)
_HEADING = re.compile(r"<h2>(.*?)</h2>", re.DOTALL)
# BCP 47 asks for the two-letter code where there is one; other codes are valid as they are.
_LANGUAGES = {"eng": "en", "spa": "es", "fra": "fr", "deu": "de", "por": "pt", "ita": "it", "nld": "nl"}


def page(note: NoteView, quiz: Sequence[QuizView], cards: Sequence[FlashcardView]) -> str:
    """The HTML document. `note.html_content` is taken as it is: it was sanitised when the note was assembled."""
    headings = [unescape(text) for text in _HEADING.findall(note.html_content)]
    return _TEMPLATES.get_template("page.html").render(
        note=note,
        language=_LANGUAGES.get(note.language_code, note.language_code),
        body=Markup(_with_anchors(note.html_content)),  # noqa: S704 - sanitised, see above
        headings=headings,
        quiz=quiz,
        cards=cards,
    )


def _with_anchors(html: str) -> str:
    numbers = iter(range(1, html.count("<h2>") + 1))
    return re.sub("<h2>", lambda _: f'<h2 id="part-{next(numbers)}">', html)
