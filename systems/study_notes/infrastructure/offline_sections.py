"""Sections for a text that has no headings: cut where the topic shifts, named by their own leading phrase."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log2, sqrt

from penstock.ai.offline import (
    Body,
    Lexicon,
    Paragraph,
    Phrase,
    Section,
    body_sentences,
    body_texts,
    rank_phrases,
    split_sentences,
    tokens,
    word_key,
)

_TARGET_WORDS = 150
_LARGEST_TARGET = 900
_SECTIONS = 10
_EARLIEST, _LATEST = 0.6, 1.5
"""A section may end between these parts of its target length, where the words on both sides have least in common."""
_UNIT_WORDS = 90
_WINDOW = 2
_NAME_WORDS = 6


def sections_by_topic(body: Sequence[Body], lexicon: Lexicon) -> tuple[Section, ...]:
    """`body` cut into sections of about 150 words (up to 900 in very long texts), all of it, in order.

    Lists, code, quotations and tables stay with the paragraph before them.
    """
    units = _units(body)
    lengths = [_words(unit) for unit in units]
    target = min(_LARGEST_TARGET, max(_TARGET_WORDS, sum(lengths) // _SECTIONS))
    parts = [_merged(units[start:end]) for start, end in pairwise(_cuts(units, lengths, target, lexicon))]
    return tuple(Section(name, part) for name, part in zip(_names(parts, lexicon), parts, strict=True))


def leading_phrase(body: Sequence[Body], lexicon: Lexicon) -> str:
    """A heading for `body` out of its own words."""
    return _names([tuple(body)], lexicon)[0]


def _units(body: Sequence[Body]) -> list[tuple[Body, ...]]:
    """The smallest pieces between which a cut is allowed: long paragraphs are cut at sentences."""
    units: list[tuple[Body, ...]] = []
    for element in body:
        if isinstance(element, Paragraph):
            units.extend((Paragraph(part),) for part in _pieces(element.text))
        elif units:
            units[-1] = (*units[-1], element)
        else:
            units.append((element,))
    return units


def _pieces(text: str) -> list[str]:
    pieces: list[list[str]] = [[]]
    words = 0
    for sentence in split_sentences(text):
        length = len(sentence.split())
        if pieces[-1] and words + length > _UNIT_WORDS:
            pieces.append([])
            words = 0
        pieces[-1].append(sentence)
        words += length
    return [" ".join(piece) for piece in pieces if piece]


def _words(unit: Sequence[Body]) -> int:
    return sum(len(text.split()) for text in body_texts(unit))


def _cuts(units: Sequence[tuple[Body, ...]], lengths: Sequence[int], target: int, lexicon: Lexicon) -> list[int]:
    bags = [_bag(unit, lexicon) for unit in units]
    cuts = [0]
    remaining = sum(lengths)
    while remaining > target * _LATEST:
        best, best_likeness, size = None, 2.0, 0
        for at in range(cuts[-1] + 1, len(units)):
            size += lengths[at - 1]
            if size > target * _LATEST and best is not None:
                break
            likeness = _likeness(bags[max(cuts[-1], at - _WINDOW) : at], bags[at : at + _WINDOW])
            if size >= target * _EARLIEST and likeness < best_likeness:
                best, best_likeness = at, likeness
        if best is None:
            break
        remaining -= sum(lengths[cuts[-1] : best])
        cuts.append(best)
    return [*cuts, len(units)]


def _bag(unit: Sequence[Body], lexicon: Lexicon) -> Counter[str]:
    return Counter(
        word_key(token.text)
        for text in body_texts(unit)
        for token in tokens(text)
        if not token.is_number and not lexicon.is_stop(token.text) and not lexicon.is_weak(token.text)
    )


def _likeness(before: Sequence[Counter[str]], after: Sequence[Counter[str]]) -> float:
    """The cosine of the word counts on both sides."""
    left: Counter[str] = sum(before, Counter())
    right: Counter[str] = sum(after, Counter())
    length = sqrt(sum(count**2 for count in left.values()) * sum(count**2 for count in right.values()))
    return sum(count * right[word] for word, count in left.items()) / length if length else 0.0


def _merged(units: Sequence[tuple[Body, ...]]) -> tuple[Body, ...]:
    return tuple(element for unit in units for element in unit)


def _names(parts: Sequence[tuple[Body, ...]], lexicon: Lexicon) -> list[str]:
    """One heading for each part: its best phrase that is rare in the others and not used before."""
    ranked = [rank_phrases(body_sentences(part) or body_texts(part), lexicon) for part in parts]
    spread = Counter(phrase.key for phrases in ranked for phrase in phrases)
    used: set[str] = set()
    names = []
    for part, phrases in zip(parts, ranked, strict=True):
        ordered = sorted(phrases, key=lambda phrase: -_distinctness(phrase, spread, len(parts)))
        best = next((phrase for phrase in ordered if used.isdisjoint(phrase.key)), None)
        if best is not None:
            used.update(best.key)
        names.append(_capital(best.text) if best else _opening(part))
    return names


def _distinctness(phrase: Phrase, spread: Counter[tuple[str, ...]], parts: int) -> float:
    return phrase.score * log2(1 + parts / spread[phrase.key])


def _opening(part: Sequence[Body]) -> str:
    text = next(iter(body_texts(part)), "")
    return " ".join(text.split()[:_NAME_WORDS]).rstrip(".,;:!?") or "…"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
