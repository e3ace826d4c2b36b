"""Ranking sentences by how well they stand for the text they come from."""

from collections import Counter
from collections.abc import Sequence
from math import log2, pow

from penstock.ai.offline.lexicon import Lexicon
from penstock.ai.offline.words import tokens, word_key

_SHORT, _LONG = 8, 32
"""Words between which a sentence is neither too thin nor too long to be quoted."""
_LEAD_GAIN = 0.5
"""For the first sentence; half of it for the second, a third for the next …"""
_TOPIC_GAIN = 1.5
_LEANING = 0.45
_OPEN_END = 0.1
_ODD_LENGTH = 0.7
_LENGTH_EXPONENT = 0.7
"""Between 0 (long sentences win) and 1 (those with only common words win)."""

# A sentence that begins so leans on the one before it and reads badly alone.
_LEANING_STARTS = {
    "eng": """
        it its this that these those they them their he she his her such both neither here there then so but and or also
        however moreover therefore thus instead otherwise besides furthermore still yet another others what
    """,
    "spa": """
        este esta estos estas ese esa esos esas esto eso aquel ello él ella ellos ellas su sus pero y así también sin
    """,
    "fra": """
        ce cet cette ces cela il elle ils elles son sa ses leur leurs mais et ainsi aussi donc or puis celui celle
    """,
    "deu": """
        er sie es dies diese dieser dieses sein seine ihr ihre aber und so auch daher doch dabei damit dann dort jedoch
    """,
    "por": """
        este esta estes estas esse essa isso isto ele ela eles elas seu sua seus suas mas e assim também
    """,
    "ita": """
        questo questa questi queste quello quella ciò esso essa essi suo sua ma e così anche quindi inoltre tuttavia
    """,
}
_LEANING_WORDS = {language: frozenset(words.split()) for language, words in _LEANING_STARTS.items()}

_EARLY = 4
# These lean also when another word stands before them: "In winter it freezes."
_PRONOUNS = {
    "eng": frozenset({"it", "its", "they", "their", "them", "he", "his", "she", "her", "this", "these", "those"}),
    "spa": frozenset({"esto", "ello", "él", "ellos", "ellas"}),
    "fra": frozenset({"il", "ils", "elle", "elles", "cela"}),
    "deu": frozenset({"er", "sie", "dies", "diese"}),
    "por": frozenset({"isto", "isso", "ele", "ela", "eles", "elas"}),
    "ita": frozenset({"esso", "essa", "essi", "ciò"}),
}


def leans_back(sentence: str, lexicon: Lexicon) -> bool:
    """Whether `sentence` needs the one before it: a pronoun or connective begins or ends it, or one comes early."""
    found = tokens(sentence)
    leaning = _LEANING_WORDS.get(lexicon.language or "", frozenset())
    if not found or found[0].text.casefold() in leaning or found[-1].text.casefold() in leaning:
        return bool(found)
    pronouns = _PRONOUNS.get(lexicon.language or "", frozenset())
    return any(token.text.casefold() in pronouns for token in found[1:_EARLY])


def rank_sentences(sentences: Sequence[str], lexicon: Lexicon, *, topic: str = "") -> list[float]:
    """A score for each of `sentences`: nearness to the text's commonest content words, more for the leading ones.

    Sentences with a content word of `topic` (a heading) gain. Those that lean on their neighbours, ask, announce a
    list, or are very short or long lose.
    """
    keys = [_content_keys(sentence, lexicon) for sentence in sentences]
    named = frozenset(_content_keys(topic, lexicon))
    counts = Counter(key for found in keys for key in set(found))
    return [
        _centrality(found, counts) * _form(sentence, lexicon) * _place(at, found, named)
        for at, (sentence, found) in enumerate(zip(sentences, keys, strict=True))
    ]


def best_sentences(sentences: Sequence[str], lexicon: Lexicon, limit: int, *, topic: str = "") -> list[str]:
    """The `limit` best different sentences in the order of the text."""
    scores = rank_sentences(sentences, lexicon, topic=topic)
    ranked = sorted(range(len(sentences)), key=lambda at: (-scores[at], at))
    chosen: dict[str, int] = {}
    for at in ranked:
        if len(chosen) < limit and scores[at] > 0:
            chosen.setdefault(sentences[at], at)
    return sorted(chosen, key=chosen.__getitem__)


def _content_keys(sentence: str, lexicon: Lexicon) -> list[str]:
    return [
        word_key(token.text)
        for token in tokens(sentence)
        if not token.is_number and not lexicon.is_stop(token.text) and not lexicon.is_weak(token.text)
    ]


def _centrality(keys: Sequence[str], counts: Counter[str]) -> float:
    if not keys:
        return 0.0
    distinct = set(keys)
    weight = sum(log2(1 + counts[key]) for key in sorted(distinct))
    return weight / pow(len(distinct) + 2, _LENGTH_EXPONENT)


def _place(at: int, keys: Sequence[str], named: frozenset[str]) -> float:
    return (1 + _LEAD_GAIN / (1 + at)) * (1.0 if named.isdisjoint(keys) else _TOPIC_GAIN)


def _form(sentence: str, lexicon: Lexicon) -> float:
    length = len(tokens(sentence))
    factor = 1.0 if _SHORT <= length <= _LONG else _ODD_LENGTH
    if leans_back(sentence, lexicon):
        factor *= _LEANING
    if sentence.rstrip().endswith((":", "?", ";", ",")):
        factor *= _OPEN_END
    return factor
