"""Finding where a text says what something is."""

import re
from dataclasses import dataclass

from penstock.ai.offline.lexicon import Lexicon
from penstock.ai.offline.words import phrase_key, tokens, word_key

_MAX_TERM_WORDS = 5
_MAX_TERM_CHARS = 60
_MIN_MEANING_WORDS = 4
_MIN_CONTENT_WORDS = 2

_ARTICLE = re.compile(
    r"^(?:an?|the|el|la|los|las|una?|unos|unas|le|les|une|des|l['\u2019]|die|der|das|ein|eine|o|os|as|uma?|il|lo|gli|uno)\s*"
    r"(?<=[\s'\u2019])",
    re.IGNORECASE,
)
# "X is a …" defines; "X is the …" does when the noun is told apart by what follows it.
_COPULAS = {
    "eng": (
        r"(?:is|was) (?:an? |any |one of the |the (?:[\w'-]+ ){1,3}?(?=(?:of|that|which|who|by|between|in which)\b))"
        r"|(?:are|were) (?=(?:[\w'-]+ ){1,4}(?:that|which|who|used) )"
    ),
    "spa": (
        r"(?:es|era) (?:una? |(?:el|la) (?:\w+ ){1,2}?(?=(?:de|del|que|por|entre|en)\b))"
        r"|son (?:unos |unas )?(?=(?:\w+ ){1,3}que )"
    ),
    "fra": (
        r"(?:est|était) (?:une? |(?:le |la |l['\u2019])(?:\w+ ){1,2}?(?=(?:de|du|des|qui|par|entre)\b|d['\u2019]))"
        r"|sont (?=des (?:\w+ ){1,3}qui )"
    ),
    "deu": (
        r"(?:ist|war) (?:eine? |(?:der|die|das) (?:\w+ ){1,2}?(?=(?:der|des|von|zwischen)\b))"
        r"|sind (?=\w+(?: \w+){0,2}, die )"
    ),
    "por": (
        r"(?:é|era) (?:uma? |(?:o|a) (?:\w+ ){1,2}?(?=(?:de|do|da|que|por|entre|em)\b))"
        r"|são (?=(?:\w+ ){1,3}que )"
    ),
    "ita": (
        r"(?:è|era) (?:una? |uno |(?:il |la |lo |l['\u2019])(?:\w+ ){1,2}?(?=(?:di|del|della|che|tra|per|in)\b))"
        r"|sono (?=(?:\w+ ){1,3}che )"
    ),
}
_MEANS = {
    "eng": r"means|refers to|is defined as|stands for|denotes|describes",
    "spa": r"significa|se refiere a|se define como|consiste en",
    "fra": r"signifie|désigne|se définit comme|consiste à",
    "deu": r"bedeutet|bezeichnet|heißt",
    "por": r"significa|refere-se a|define-se como|consiste em",
    "ita": r"significa|si riferisce a|si definisce come|consiste in",
}
_CALLED = {
    "eng": r"called|known as|termed|referred to as|named",
    "spa": r"llamad[oa]s?|conocid[oa]s? como|denominad[oa]s?|se llaman?|se denominan?",
    "fra": r"appelée?s?|nommée?s?|connue?s? sous le nom de|dite?s?",
    "deu": r"genannt|sogenannte[rnms]?|bekannt als",
    "por": r"chamad[oa]s?|conhecid[oa]s? como|denominad[oa]s?|chama-se",
    "ita": r"chiamat[oaie]|dett[oaie]|not[oaie] come|denominat[oaie]|si chiama",
}
_LABEL = re.compile(r"^(?P<term>[^:\u2013—.!?;,]{2,60}?)(?::\s+|\s+[\u2013—-]\s+)(?P<meaning>\S.*)$")
_QUOTES = "\"'“”\u2018\u2019«» "
_LABEL_WORDS = """
    answer attention beispiel bemerkung caution ejemplo esempio example exemple exemplo figure hinweis important
    importante key nota note observación question remember remarque respuesta result rule source summary table task tip
    warning wichtig
"""
_NOT_TERMS = frozenset(_LABEL_WORDS.split())
# Function words that a term may hold inside: "centre of mass", "ciclo del agua".
_LINKING_WORDS = "of and for de del la el los las du des le d'un y et di della delle do da e von für der des und"
_LINKING = frozenset(_LINKING_WORDS.split())


@dataclass(frozen=True, slots=True)
class Definition:
    """`term` and what the text says it is; `meaning` is a part of `sentence`, or all of it."""

    term: str
    meaning: str
    sentence: str


def find_definition(sentence: str, lexicon: Lexicon) -> Definition | None:
    """The definition that `sentence` gives, if it gives one.

    Known are "X is a …", "X means …", "…, called X, …" and their like in six languages, and in any language a short
    term, a dash or colon, and its explanation.
    """
    language = lexicon.language or ""
    for find in (_labelled, _by_verb, _called):
        found = find(sentence, language)
        if found is not None and _is_term(found.term, lexicon) and _says_something(found, lexicon):
            return found
    return None


def _labelled(sentence: str, language: str) -> Definition | None:
    match = _LABEL.match(sentence)
    if match is None or sentence.rstrip().endswith(":"):
        return None
    return Definition(_bare(match["term"]), _capital(match["meaning"]), sentence)


def _by_verb(sentence: str, language: str) -> Definition | None:
    if language not in _COPULAS:
        return None
    verbs = rf"(?:(?P<is>{_COPULAS[language]})|(?:{_MEANS[language]}) )"
    copula = re.compile(rf"^(?P<term>[^,:;()]{{2,60}}?) {verbs}")
    match = copula.match(sentence)
    if match is None:
        return None
    # The article after the copula belongs to the meaning: only the verb itself is left out.
    verb = match["is"].split(" ", 1)[0] if match["is"] else None
    start = match.start("is") + len(verb) + 1 if verb else match.end()
    found = Definition(_bare(match["term"]), _capital(sentence[start:]), sentence)
    return None if _turns_in_a_circle(found) else found


def _called(sentence: str, language: str) -> Definition | None:
    if language not in _CALLED:
        return None
    end = r"(?=[,;:().]|$| (?:and|y|et|und|e) )"
    named = re.compile(rf"(?i)\b(?:{_CALLED[language]}) (?P<term>[^,;:().]{{2,50}}?){end}")
    match = named.search(sentence)
    if match is None:
        return None
    return Definition(_bare(match["term"]), sentence, sentence)


def _bare(term: str) -> str:
    stripped = _ARTICLE.sub("", term.strip(_QUOTES)).strip(_QUOTES)
    return stripped[:1].upper() + stripped[1:]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _turns_in_a_circle(found: Definition) -> bool:
    """Whether "X is a …" goes on with X itself, as in "the history of mills is a history of water"."""
    return bool(set(phrase_key(found.term)) & set(phrase_key(found.meaning)[1:2]))


def _is_term(term: str, lexicon: Lexicon) -> bool:
    found = tokens(term)
    if not 1 <= len(found) <= _MAX_TERM_WORDS or len(term) > _MAX_TERM_CHARS or found[0].is_number:
        return False
    if len(found) == 1 and (lexicon.is_weak(term) or term.casefold() in _NOT_TERMS):
        return False
    first, last = found[0].text, found[-1].text
    if any(lexicon.is_stop(token.text) and token.text.casefold() not in _LINKING for token in found[1:-1]):
        return False
    return not (lexicon.is_stop(first) or lexicon.is_stop(last) or lexicon.is_weak(first) or lexicon.is_weak(last))


def _says_something(found: Definition, lexicon: Lexicon) -> bool:
    words = [token.text for token in tokens(found.meaning)]
    term = phrase_key(found.term)
    content = [word for word in words if not (lexicon.is_stop(word) or lexicon.is_weak(word) or word_key(word) in term)]
    open_end = found.meaning.rstrip().endswith(("?", ":"))
    return len(words) >= _MIN_MEANING_WORDS and len(content) >= _MIN_CONTENT_WORDS and not open_end
