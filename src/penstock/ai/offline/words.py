"""Words: finding them in a text of any spaced script, and comparing their forms."""

import re
from dataclasses import dataclass

# Python's \w leaves out combining marks, without which Devanagari, Arabic or Thai words would fall apart.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0970-\u0dff\u0e31-\u0e4e"
_LETTERS = rf"[^\W\d_]+(?:[{_MARKS}]+[^\W\d_]*)*"
_TOKEN = re.compile(rf"\d+(?:[.,:]\d+)*\s?%|\d+(?:[.,:]\d+)*|{_LETTERS}(?:['\u2019\-]{_LETTERS})*")
_SHORT_WORD = 4


@dataclass(frozen=True, slots=True)
class Token:
    """A word or number of a text, with its place: `text[start:end]`."""

    text: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        """Whether it begins with a digit (also percentages)."""
        return self.text[0].isdigit()

    @property
    def is_capitalised(self) -> bool:
        """Whether it begins with a capital letter."""
        return self.text[0].isupper()


def tokens(text: str) -> list[Token]:
    """The words and numbers of `text` in order; words may contain apostrophes and hyphens."""
    return [Token(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]


def word_key(word: str) -> str:
    """A form under which singular and plain plural (-s, -ies) of a word are equal. Not a word to show."""
    folded = word.casefold().replace("\u2019", "'").removesuffix("'s")
    if len(folded) <= _SHORT_WORD or not folded.endswith("s") or folded.endswith(("ss", "us", "is")):
        return folded
    return f"{folded[:-3]}y" if folded.endswith("ies") else folded[:-1]


def phrase_key(phrase: str) -> tuple[str, ...]:
    """The keys of all words of `phrase`."""
    return tuple(word_key(token.text) for token in tokens(phrase))
