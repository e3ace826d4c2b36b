"""Small rules about plain texts."""

import re

_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_WORD = re.compile(r"[^\W_]+")
_LETTERS = re.compile(r"[^\W\d_]+")


def clean(text: str) -> str:
    """`text` with line ends as `\\n` and without what no database or page takes: control characters (PostgreSQL
    refuses NUL) and lone surrogates (they have no UTF-8 form)."""
    return _UNSTORABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def collapse(text: str) -> str:
    """`text` on one line, runs of white space as one space, none at the ends."""
    return " ".join(text.split())


def has_words(text: str) -> bool:
    """Whether there is a letter or digit of any script."""
    return _WORD.search(text) is not None


def letter_words(text: str, min_letters: int) -> list[str]:
    """The runs of at least `min_letters` letters, case-folded, in order, with repetitions."""
    return [word.casefold() for word in _LETTERS.findall(text) if len(word) >= min_letters]
