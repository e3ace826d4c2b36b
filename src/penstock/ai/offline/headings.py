"""Recognising headings: Markdown's, numbered ones, and short lines that stand like a title."""

import re

_ATX = re.compile(r"^ {0,3}(#{1,6})\s+(.*?)(?:\s+#+)?\s*$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-{2,})\s*$")
_NUMBERED = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+(\S.*)$")
_ROMAN = re.compile(r"^[IVXLC]{1,6}[.)]\s+\S")
_CHAPTER = re.compile(
    r"^(?:chapter|part|section|lesson|unit|capítulo|parte|sección|lección|tema|chapitre|partie|leçon|kapitel|teil|abschnitt"
    r"|seção|lição|capitolo|sezione|lezione)\s+(?:\d{1,3}|[IVXLC]{1,6}|[A-Z])\b",
    re.IGNORECASE,
)
_SENTENCE_END = tuple(".,;:!…|")
_MAX_CHARS = 80
_MAX_WORDS = 10


def atx_heading(line: str) -> tuple[int, str] | None:
    """Level and text of a Markdown `#` heading, else None."""
    match = _ATX.match(line)
    return (len(match.group(1)), match.group(2)) if match and match.group(2) else None


def underline_level(line: str) -> int | None:
    """1 for a line of `=`, 2 for a line of `-` (two or more), as it stands under a heading's text; else None."""
    match = _UNDERLINE.match(line)
    return None if match is None else 1 if match.group(1).startswith("=") else 2


def numbered_heading(line: str) -> tuple[int, str] | None:
    """Level (depth of the number) and full text of a heading such as `2.1 Types of wheels` or `Chapter 3`."""
    text = line.strip()
    if not _is_title_sized(text):
        return None
    if _CHAPTER.match(text) or _ROMAN.match(text):
        return 1, text
    match = _NUMBERED.match(text)
    if match is None or not match.group(2)[0].isupper():
        return None
    return match.group(1).count(".") + 1, text


def is_title_like(line: str) -> bool:
    """Whether a line could be a heading by its shape alone: short, begins with a capital, ends without punctuation."""
    text = line.strip()
    return _is_title_sized(text) and text[0].isupper() and any(map(str.isalpha, text[1:]))


def _is_title_sized(text: str) -> bool:
    return (
        0 < len(text) <= _MAX_CHARS
        and len(text.split()) <= _MAX_WORDS
        and not text.endswith(_SENTENCE_END)
        and not text.startswith(("-", "*", "+", "•", ">", "|"))
    )
