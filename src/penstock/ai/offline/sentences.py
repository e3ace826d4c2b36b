"""Cutting a paragraph into sentences."""

import re

from penstock.ai.offline.lexicon_data import FUNCTION_WORDS

# After these a full stop never ends a sentence: a name, a number or the rest of a phrase follows.
_BINDING_WORDS = """
    mr mrs ms dr prof sr sra srta st ste mt gen col lt sgt capt rev hon fig figs eq eqs no nos nr vol vols pp cap art ch
    sec vs cf approx ca e.g i.e z.b d.h u.a p.ej v.gr viz resp bzw dott sig mme mlle núm pág abb tab hg vgl gest geb jan
    feb mar apr jun jul aug sep sept oct nov dec
"""
_BINDING = frozenset(_BINDING_WORDS.split())
# After these it may.
_TRAILING_WORDS = "etc ecc usw inc ltd co corp jr ph.d a.m p.m al ed eds op cit"
_TRAILING = frozenset(_TRAILING_WORDS.split())
_STARTERS = frozenset(word for words in FUNCTION_WORDS.values() for word in words.split())

_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”\u2019»)\]]*(?=\s+\S|$)|[。\uff01\uff1f]+[」』”\uff09]*|[।॥](?=\s|$)")
_LAST_WORD = re.compile(r"[^\s(\[\"“«]+$")
_DOTTED_LETTERS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]$")
_FIRST_WORD = re.compile(r"[^\W_]+")
_OWN_FULL_STOPS = "。\uff01\uff1f।॥"
_OPENING = "\"'“\u2018«([¿¡—\u2013- "
_ORDINAL = re.compile(r"^\d{1,2}$")
_MONTH = re.compile(r"(?i)^(jan|feb|mär|apr|mai|jun|jul|aug|sep|okt|nov|dez)")


def split_sentences(text: str) -> list[str]:
    """The sentences of a paragraph, in order, each trimmed; white space inside is collapsed.

    Abbreviations, initials, decimals and ordinals do not end a sentence. CJK full stops and the danda do. Joined with
    single spaces the sentences give the paragraph again (CJK: without the spaces).
    """
    flat = " ".join(text.split())
    sentences = []
    start = 0
    for match in _END.finditer(flat):
        if match.end() <= start or not _ends_sentence(flat, match):
            continue
        sentences.append(flat[start : match.end()].strip())
        start = match.end()
    sentences.append(flat[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    following = text[match.end() : match.end() + 60].lstrip(_OPENING)
    if not following or text[match.start()] in _OWN_FULL_STOPS:
        return True
    if following[0].islower():
        return False
    if match.group()[0] != "." or match.group().startswith(".."):
        return True
    return _full_stop_ends(text[max(0, match.start() - 40) : match.start()], following)


def _full_stop_ends(before: str, following: str) -> bool:
    found = _LAST_WORD.search(before)
    word = found.group().casefold() if found else ""
    next_word = _FIRST_WORD.match(following)
    starts_plainly = next_word is not None and next_word.group().casefold() in _STARTERS
    if word in {"no", "nos", "fig", "art", "ch", "mar", "sec", "cap", "tab"}:
        return not following[0].isdigit()
    if word in _BINDING:
        return False
    if word in _TRAILING or _DOTTED_LETTERS.match(word):
        return starts_plainly
    if _ORDINAL.match(word):
        return not _MONTH.match(following)
    return True
