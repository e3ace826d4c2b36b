"""Tags of a note: three to five short names."""

from collections import Counter
from collections.abc import Sequence

from systems.study_notes.domain.text import collapse, letter_words

MIN_TAGS = 3
MAX_TAGS = 5
TAG_CHARS = 50
# Shorter words are mostly grammar; a text in any language has longer ones among its subjects.
_FILL_LETTERS = 6


def chosen_tags(suggested: Sequence[str], text: str) -> list[str]:
    """Three to five distinct tags (case does not tell them apart): the suggested ones, filled up with the most
    frequent longer words of `text`. Only a text of very few words gets fewer."""
    frequent = [word for word, _ in Counter(letter_words(text, _FILL_LETTERS)).most_common(MIN_TAGS + MAX_TAGS)]
    tags = _distinct(suggested)[:MAX_TAGS]
    return tags if len(tags) >= MIN_TAGS else _distinct([*tags, *frequent])[:MIN_TAGS]


def _distinct(names: Sequence[str]) -> list[str]:
    tidy = (collapse(name.strip().lstrip("#"))[:TAG_CHARS].strip() for name in names)
    return list({name.casefold(): name for name in reversed([name for name in tidy if name])}.values())[::-1]
