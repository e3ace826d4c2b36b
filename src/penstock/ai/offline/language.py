"""Which language a text is probably in."""

import re
from collections import Counter

from penstock.ai.offline.lexicon_data import FUNCTION_WORDS
from penstock.ai.offline.words import tokens

_SAMPLE_CHARS = 20_000
_MIN_SHARE = 0.12
_MIN_WORDS = 3
_LEAD = 1.15
"""The best language must beat the second by this factor, else nothing is decided."""

_WORD_SETS = {language: frozenset(words.split()) for language, words in FUNCTION_WORDS.items()}
_SPREAD = Counter(word for words in _WORD_SETS.values() for word in words)

# Scripts that belong to one language, or nearly so; kana before Han because Japanese uses both.
_SCRIPTS = (
    ("jpn", re.compile("[\u3040-\u30ff]")),
    ("kor", re.compile("[\uac00-\ud7af]")),
    ("zho", re.compile("[\u4e00-\u9fff]")),
    ("hin", re.compile("[\u0900-\u097f]")),
    ("ara", re.compile("[\u0600-\u06ff]")),
    ("heb", re.compile("[\u0590-\u05ff]")),
    ("ell", re.compile("[\u0370-\u03ff]")),
    ("tha", re.compile("[\u0e00-\u0e7f]")),
    ("ukr", re.compile("[ієїґІЄЇҐ]")),
    ("rus", re.compile("[\u0400-\u04ff]")),
)
_SCRIPT_SHARES = {"jpn": 0.1, "ukr": 0.02}
_SCRIPT_SHARE = 0.3


def guess_language(text: str) -> str | None:
    """The ISO 639-3 code of the language of `text`, or None when its words and script do not decide it."""
    sample = text[:_SAMPLE_CHARS]
    letters = sum(map(str.isalpha, sample))
    for language, script in _SCRIPTS:
        if letters and len(script.findall(sample)) / letters >= _SCRIPT_SHARES.get(language, _SCRIPT_SHARE):
            return language
    words = [token.text.casefold() for token in tokens(sample) if not token.is_number]
    if not words:
        return None
    # A word that several languages share counts for each of them only in part.
    scores = {
        language: sum(1 / _SPREAD[word] for word in words if word in known) for language, known in _WORD_SETS.items()
    }
    (best, best_score), (_, second_score) = Counter(scores).most_common(2)
    hits = [word for word in words if word in _WORD_SETS[best]]
    decided = len(set(hits)) >= _MIN_WORDS and len(hits) / len(words) >= _MIN_SHARE
    return best if decided and best_score >= _LEAD * second_score else None


def detect_language(text: str) -> str:
    """The ISO 639-3 code of the language of `text`; "eng" when it cannot be decided."""
    return guess_language(text) or "eng"
