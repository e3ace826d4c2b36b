"""Questions made by leaving a term out of a sentence."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from typing import Literal

from penstock.ai.offline.keywords import Phrase
from penstock.ai.offline.words import tokens, word_key

BLANK = "_____"
OPTIONS = 4

Kind = Literal["word", "name", "number"]
_YEARS = range(1000, 2100)
_KINDRED_LETTERS = 4
# After these a word of another gender or number would give the answer away.
_GENDERED_WORDS = """
    al dem den der des das die du ein eine einem einen einer el gli i il im la las le les lo los o os um uma un una une
    uno unos unas zum zur do da dos das no na nos nas del della dello dei degli delle nel nella ce cet cette este esta
"""
_GENDERED = frozenset(_GENDERED_WORDS.split())


@dataclass(frozen=True, slots=True)
class Term:
    """Something to leave out of a sentence; only terms of equal `kind` and `shape` can stand for one another.

    `openers` are the articles and prepositions that the text puts before it.
    """

    text: str
    kind: Kind
    shape: str
    openers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cloze:
    """A sentence with a gap, its four distinct options, and which of them (0-3) fills it."""

    gapped: str
    options: tuple[str, ...]
    correct_index: int

    @property
    def answer(self) -> str:
        """The option that fills the gap."""
        return self.options[self.correct_index]


def phrase_terms(phrases: Iterable[Phrase]) -> list[Term]:
    """Ranked phrases as terms, in their order.

    Names are apart from words; the shape is the number of words and whether the last one looks like a plural.
    """
    return [
        Term(
            phrase.text,
            "name" if phrase.is_name else "word",
            f"{len(phrase.key)}{_plural_sign(phrase.text)}",
            phrase.openers,
        )
        for phrase in phrases
    ]


def number_terms(sentences: Sequence[str]) -> list[Term]:
    """The numbers of the sentences in order, without repeats: years, percentages, decimals and the rest apart.

    Single digits are left out: they count things more often than they tell a fact.
    """
    numbers = (token.text for sentence in sentences for token in tokens(sentence) if token.is_number)
    found = (number for number in numbers if len(number) > 1)
    return [Term(text, "number", _number_shape(text)) for text in dict.fromkeys(found)]


def make_cloze(sentence: str, term: Term, pool: Sequence[Term]) -> Cloze | None:
    """Leave `term` out of `sentence`; the wrong options are the first of `pool` that could stand there.

    None when the term is not in the sentence as a whole word, stands there twice, or `pool` has too few others. The
    place of the right option follows from a hash of the sentence, so the same text always gives the same question.
    """
    places = list(re.finditer(rf"(?<!\w){re.escape(term.text)}(?![\w%]|[.,:]\d)", sentence, re.IGNORECASE))
    if len(places) != 1:
        return None
    start, end = places[0].span()
    gapped = f"{sentence[:start]}{BLANK}{sentence[end:]}"
    wrong = _distractors(sentence, sentence[:start], term, pool)
    if len(wrong) < OPTIONS - 1:
        return None
    right = sentence[start:end] if start else term.text
    options, correct_index = arrange(gapped, right, wrong)
    return Cloze(gapped, options, correct_index)


def arrange(question: str, right: str, wrong: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """All options with the right one at a place that follows from a hash of the question, and that place."""
    at = int.from_bytes(sha256(question.encode()).digest()[:4]) % (len(wrong) + 1)
    return (*wrong[:at], right, *wrong[at:]), at


def _distractors(sentence: str, before: str, term: Term, pool: Sequence[Term]) -> list[str]:
    used = {word_key(token.text) for token in tokens(sentence)}
    opener = _opener(before) if term.openers else ""
    alike = [other for other in pool if (other.kind, other.shape) == (term.kind, term.shape) and other != term]
    fitting = [other for other in alike if not opener or opener in other.openers]
    if opener not in _GENDERED:
        fitting += [other for other in alike if other not in fitting and _fits_article(opener, other.text)]
    chosen: list[str] = []
    for other in fitting:
        keys = {word_key(token.text) for token in tokens(other.text)}
        if used.isdisjoint(keys) and not _is_kindred(other.text, term.text):
            chosen.append(other.text)
            used |= keys
        if len(chosen) == OPTIONS - 1:
            break
    return chosen


def _opener(before: str) -> str:
    """The word right before the gap, folded; nothing when a sign stands between."""
    match = re.search(r"(\w+)\s+$", before)
    return match.group(1).casefold() if match else ""


def _fits_article(article: str, word: str) -> bool:
    return article not in {"a", "an"} or (article == "an") == (word[0].casefold() in "aeiou")


def _is_kindred(one: str, other: str) -> bool:
    """Whether two words seem to be forms of one word ("print", "printing"), so that both could be right."""
    pairs = zip(one.casefold(), other.casefold(), strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return one[0].isalpha() and shared >= _KINDRED_LETTERS and 2 * shared >= min(len(one), len(other))


def _number_shape(text: str) -> str:
    if text.endswith("%"):
        return "percent"
    if text.isdigit():
        return "year" if int(text) in _YEARS else f"{min(len(text), 3)} digits"
    return "decimal"


def _plural_sign(text: str) -> str:
    return "s" if text.endswith("s") and not text.endswith(("ss", "us", "is")) else ""
