"""Runs of content words, and where in them a noun stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from penstock.ai.offline.lexicon import Lexicon
from penstock.ai.offline.words import Token, tokens

_ROMANCE = frozenset({"spa", "fra", "por", "ita"})
_LONGEST_NOUN_PHRASE = 3
# Only English is read this way: before an article stands a verb ("the miller opens the gate"), before "of" a noun.
_ARTICLES = frozenset({"a", "an", "the", "its", "their", "his", "her", "our", "your", "my", "each", "every", "these"})
_OF = "of"


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring content words of one clause.

    `opener` is the article or preposition right before them and `follower` the word right after them, both folded, or
    empty when there is none or a sign stands between.
    """

    words: tuple[Token, ...]
    opener: str
    follower: str
    lexicon: Lexicon

    def is_noun_place(self, at: int, end: int) -> bool:
        """Whether `words[at:end]` stands where a noun or a noun phrase stands, as far as its neighbours tell."""
        language = self.lexicon.language
        if language == "deu":
            return self.words[end - 1].is_capitalised and self.words[end - 1].start > 0
        if not self.lexicon.openers:
            return True
        if not self.opener or len(self.words) > _LONGEST_NOUN_PHRASE:
            return False
        return at == 0 if language in _ROMANCE else end == self._last_noun()

    def _last_noun(self) -> int:
        """The index behind the noun, or 0 when it cannot be told from a verb."""
        length = len(self.words)
        if length == 1 or self.follower == _OF or not self.lexicon.opens_noun(self.follower):
            return length
        return length - 1 if self.follower in _ARTICLES else 0


def runs(sentence: str, lexicon: Lexicon) -> Iterator[Run]:
    """The runs of words in `sentence` that are neither numbers nor function words and that only spaces divide."""
    found = tokens(sentence)
    start = 0
    while start < len(found):
        end = start
        while end < len(found) and _is_content(found[end], lexicon) and (end == start or _touch(sentence, found, end)):
            end += 1
        if end > start:
            before = found[start - 1].text.casefold() if start and _touch(sentence, found, start) else ""
            after = found[end].text.casefold() if end < len(found) and _touch(sentence, found, end) else ""
            opener = before if lexicon.opens_noun(before) else ""
            yield Run(tuple(found[start:end]), opener, after, lexicon)
        start = max(end, start + 1)


def _is_content(token: Token, lexicon: Lexicon) -> bool:
    return not token.is_number and not lexicon.is_stop(token.text)


def _touch(sentence: str, found: list[Token], at: int) -> bool:
    """Whether nothing but white space stands before `found[at]`."""
    return sentence[found[at - 1].end : found[at].start].isspace()
