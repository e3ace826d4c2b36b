"""Ranking the words and phrases of a text by how much it is about them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import log2

from penstock.ai.offline.lexicon import Lexicon
from penstock.ai.offline.runs import Run, runs
from penstock.ai.offline.words import phrase_key, word_key

_MAX_WORDS = 3
_BOOST = 1.8
_UNPROVEN = 0.3
"""Weight of a term that never stood where a noun stands."""
_EARLY = 0.5
_EARLY_SENTENCES = 6
_NESTED = 0.8
_PHRASE_GAIN = 0.45
_INNER_WEIGHT = 1000
"""A form inside a sentence outweighs all those at the start of one."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A term of a text: its usual form, comparison key, number of occurrences, score, and first sentence's index.

    `is_noun` says that it stood where nouns stand at least once (true for all where the language is not known);
    `openers` are the articles and prepositions that came before it.
    """

    text: str
    key: Key
    count: int
    score: float
    first: int
    is_noun: bool
    openers: frozenset[str]

    @property
    def is_name(self) -> bool:
        """Whether it is written with a capital."""
        return self.text[:1].isupper()


@dataclass(slots=True)
class _Candidate:
    first: int
    forms: Counter[str] = field(default_factory=Counter)
    count: int = 0
    noun_places: int = 0
    nested: int = 0
    whole_runs: int = 0
    names: int = 0
    openers: set[str] = field(default_factory=set)

    @property
    def is_firm(self) -> bool:
        """Whether it is a term rather than words that met by chance."""
        return self.count > 1 or self.names > 0

    @property
    def is_fragment(self) -> bool:
        """Whether it is a name, or part of one, that never stands without the longer one around it."""
        return self.names > 0 and self.nested == self.count


def rank_phrases(sentences: Sequence[str], lexicon: Lexicon, *, boosts: Iterable[str] = ()) -> list[Phrase]:
    """The terms of one to three words in `sentences`, best first; equal scores in order of first appearance.

    A term is a run of content words inside one clause. It gains by frequency, by early appearance, by standing where a
    noun stands (after an article or preposition), and by being among `boosts` (headings, bold terms); part of what
    counts for a longer term is taken from the shorter ones inside it.
    """
    boosted = {key[at:end] for key in map(phrase_key, boosts) for at in range(len(key)) for end in _ends(at, len(key))}
    candidates = _collect(sentences, lexicon)
    kept = {key: found for key, found in candidates.items() if len(key) == 1 or _is_phrase(key, candidates, boosted)}
    for key, found in kept.items():
        if len(key) > 1 and found.is_firm:
            for inner in _inner_keys(key):
                if inner in candidates:
                    candidates[inner].nested = max(candidates[inner].nested, found.count)
    counts = {key[0]: found.count for key, found in candidates.items() if len(key) == 1}
    phrases = []
    for key, found in kept.items():
        if found.is_fragment:
            continue
        score = _score(key, found, counts, key in boosted, lexicon)
        is_noun = found.noun_places > 0 or found.names > 0 or not lexicon.openers
        openers = frozenset(found.openers)
        phrases.append(Phrase(_usual_form(found), key, found.count, score, found.first, is_noun, openers))
    return sorted(phrases, key=lambda phrase: (-phrase.score, phrase.first, phrase.text))


def distinct_phrases(phrases: Iterable[Phrase], limit: int) -> list[Phrase]:
    """The first `limit` phrases of which none shares a word with one before it."""
    chosen: list[Phrase] = []
    used: set[str] = set()
    for phrase in phrases:
        if len(chosen) == limit:
            break
        if used.isdisjoint(phrase.key):
            chosen.append(phrase)
            used.update(phrase.key)
    return chosen


def _collect(sentences: Sequence[str], lexicon: Lexicon) -> dict[Key, _Candidate]:
    candidates: dict[Key, _Candidate] = {}
    for index, sentence in enumerate(sentences):
        for run in runs(sentence, lexicon):
            for at in range(len(run.words)):
                for end in _ends(at, len(run.words)):
                    _count(candidates, run, at, end, index)
    return candidates


def _ends(at: int, length: int) -> range:
    return range(at + 1, min(at + _MAX_WORDS, length) + 1)


def _count(candidates: dict[Key, _Candidate], run: Run, at: int, end: int, sentence: int) -> None:
    words = run.words[at:end]
    if run.lexicon.is_weak(words[0].text) or run.lexicon.is_weak(words[-1].text):
        return
    key = tuple(word_key(word.text) for word in words)
    candidate = candidates.setdefault(key, _Candidate(first=sentence))
    candidate.count += 1
    candidate.noun_places += run.is_noun_place(at, end)
    if run.opener and at == 0:
        candidate.whole_runs += end == len(run.words)
        candidate.openers.add(run.opener)
    starts = words[0].start == 0 and words[0].is_capitalised
    candidate.names += not starts and run.lexicon.language != "deu" and all(word.is_capitalised for word in words)
    # At the start of a sentence the capital says nothing: such a form counts only when there is no other.
    candidate.forms[" ".join(word.text for word in words)] += 1 if starts else _INNER_WEIGHT


def _usual_form(candidate: _Candidate) -> str:
    form, weight = candidate.forms.most_common(1)[0]
    form = form.removesuffix("'s").removesuffix("\u2019s")
    is_only_a_start = weight < _INNER_WEIGHT and not form.isupper()
    return form[0].lower() + form[1:] if is_only_a_start else form


def _is_phrase(key: Key, candidates: dict[Key, _Candidate], boosted: set[Key]) -> bool:
    """Several words are a term when the text stresses them, writes them as a name, or uses them again as a noun.

    Words used together once are one when each of them comes again elsewhere.
    """
    candidate = candidates[key]
    if len(set(key)) < len(key):
        return False
    if key in boosted or candidate.names:
        return True
    parts = [candidates.get((word,)) for word in key]
    again = candidate.count > 1 or all(part is not None and part.count > 1 for part in parts)
    return again and candidate.noun_places > 0 and (candidate.count > 1 or candidate.whole_runs > 0)


def _inner_keys(key: Key) -> list[Key]:
    return [key[at:end] for at in range(len(key)) for end in range(at + 1, len(key) + 1) if end - at < len(key)]


def _score(key: Key, found: _Candidate, counts: dict[str, int], boosted: bool, lexicon: Lexicon) -> float:
    own = found.count - _NESTED * found.nested
    frequency = log2(1 + max(own, 0.3))
    words = sum(log2(1 + counts.get(word, 1)) for word in key) / len(key)
    gain = 1 + _PHRASE_GAIN * (len(key) - 1)
    early = 1 + _EARLY / (1 + found.first / _EARLY_SENTENCES)
    noun = 1.0 if found.noun_places or found.names or not lexicon.openers else _UNPROVEN
    return frequency * (1 + words) * gain * early * noun * (_BOOST if boosted else 1.0)
