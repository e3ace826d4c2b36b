"""How much a title has to do with a query."""

import re
import unicodedata

# What stands between words; signs that words are written with ("c++", "node.js", "ci/cd") are not among them.
_BETWEEN = re.compile('[\\s,;:!?()\\[\\]{}<>"\u201c\u201d\u201e\u00ab\u00bb|\u2026\u2013\u2014]+')
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'"})

_SAYING_NOTHING = (
    "a about after all also am an and any are as at be because been before being below between both but by can could "
    "did do does doing down during each few for from further had has have having he her here hers him his how i if in "
    "into is it its just me more most my no nor not of off on once only or other our ours out over own same she should "
    "so some such than that the their theirs them then there these they this those through to too under until up very "
    "was we were what when where which while who whom why will with would you your yours"
)
STOP_WORDS = frozenset(_SAYING_NOTHING.split())
"""The common English words that say nothing about a topic."""


def words_of(text: str) -> list[str]:
    """The distinct words of a text in order: lower case, stop words and bare punctuation left out."""
    pieces = (_trimmed(piece) for piece in _BETWEEN.split(_folded(text)))
    return list(dict.fromkeys(word for word in pieces if word and word not in STOP_WORDS))


def relevance(query: str, title: str) -> float:
    """The share of the query's distinct words that stand in the title, 0 to 1; 0 when the query has none.

    A word of letters and digits must stand there as a whole word, one written with other signs ("c++") anywhere.
    """
    words = words_of(query)
    if not words:
        return 0.0
    folded = _folded(title)
    return sum(_stands_in(word, folded) for word in words) / len(words)


def occurs(phrase: str, text: str) -> bool:
    """Whether a phrase stands in a text as whole words, in any case and spacing."""
    return _stands_in(" ".join(_folded(phrase).split()), " ".join(_folded(text).split()), whole=True)


def _stands_in(word: str, folded: str, *, whole: bool = False) -> bool:
    if whole or word.isalnum():
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", folded) is not None
    return word in folded


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES)


def _trimmed(piece: str) -> str:
    """Without the signs of a sentence at its ends; a leading dot stays (".net"). Empty when nothing is left to read."""
    word = piece.strip("'`*&/-_").rstrip(".")
    return word if any(sign.isalnum() for sign in word) else ""
