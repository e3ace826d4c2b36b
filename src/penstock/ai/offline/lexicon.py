"""Which words of a text carry meaning: lists where the language is known, counting where it is not."""

from collections import Counter
from dataclasses import dataclass
from functools import cache

from penstock.ai.offline.language import guess_language
from penstock.ai.offline.lexicon_data import FUNCTION_WORDS, OPENERS, WEAK_WORDS
from penstock.ai.offline.words import tokens

_FREQUENT_SHARE = 0.006
_FREQUENT_COUNT = 3
_FREQUENT_LENGTH = 4
_MIN_TOPIC_LENGTH = 3
_GUESSABLE_WORDS = 50
"""A text with fewer words may be too short to show its language."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The plain words of one text's language.

    `language` is its ISO 639-3 code or None. `stops` are function words; `weak` are content words that cannot stand as
    a topic alone; `openers` are words that come before nouns (empty when the language is not known).
    """

    language: str | None
    stops: frozenset[str]
    weak: frozenset[str]
    openers: frozenset[str]

    def is_stop(self, word: str) -> bool:
        """Whether `word` is a function word."""
        return word.casefold().replace("\u2019", "'") in self.stops

    def is_weak(self, word: str) -> bool:
        """Whether `word` is too plain, or too short, to be a topic."""
        folded = word.casefold()
        return folded in self.weak or (len(folded) < _MIN_TOPIC_LENGTH and not word.isupper())

    def opens_noun(self, word: str) -> bool:
        """Whether a noun is to be expected after `word`."""
        return word.casefold() in self.openers


def lexicon_for(text: str, language: str | None = None) -> Lexicon:
    """The lexicon of `text`: of the language its words show, else of `language` when there are lists for it.

    A text in another language gets its own very frequent short words as function words.
    """
    guessed = guess_language(text)
    if guessed is None and language in FUNCTION_WORDS and len(tokens(text[:2000])) < _GUESSABLE_WORDS:
        guessed = language
    if guessed in FUNCTION_WORDS:
        return _listed(guessed)
    return Lexicon(guessed or language, _frequent_short_words(text), frozenset(), frozenset())


@cache
def _listed(language: str) -> Lexicon:
    def words_of(lists: dict[str, str]) -> frozenset[str]:
        return frozenset(lists[language].split())

    return Lexicon(language, words_of(FUNCTION_WORDS), words_of(WEAK_WORDS), words_of(OPENERS))


def _frequent_short_words(text: str) -> frozenset[str]:
    counts = Counter(token.text.casefold() for token in tokens(text) if not token.is_number)
    least = max(_FREQUENT_COUNT, int(_FREQUENT_SHARE * counts.total()))
    return frozenset(word for word, count in counts.items() if len(word) <= _FREQUENT_LENGTH and count >= least)
