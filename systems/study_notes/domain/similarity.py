"""Which found picture fits a description: likeness of the texts, and the order in which candidates are tried."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Specification of the image choice: a named source speaks for a picture, a nameless one against it.
SOURCE_BONUS = 0.05
NO_SOURCE_MALUS = 0.02
MIN_SCORE = 0.15


@dataclass(frozen=True, slots=True)
class ImageCandidate:
    """A picture that a provider found.

    `title` describes it, `page_url` is where it stands, `source_name` who publishes it, `provider` who found it.
    An `offline` picture is drawn by ourselves: it needs no score and no check of its address.
    """

    image_url: str
    title: str
    page_url: str
    provider: str
    source_name: str | None = None
    offline: bool = False


def dice(first: str, second: str) -> float:
    """Dice coefficient of the character bigrams of two texts, case-folded and without white space: 0 (nothing in
    common) to 1 (the same). Texts of fewer than two characters have no bigram and are like nothing."""
    one, other = _bigrams(first), _bigrams(second)
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def score(description: str, candidate: ImageCandidate) -> float:
    """How well a candidate fits, rounded to 9 places so that the floor is met exactly where it is met on paper."""
    named = bool(candidate.source_name and candidate.source_name.strip())
    return round(dice(description, candidate.title) + (SOURCE_BONUS if named else -NO_SOURCE_MALUS), 9)


def in_order(
    description: str, candidates: Sequence[ImageCandidate], min_score: float = MIN_SCORE
) -> list[ImageCandidate]:
    """The usable candidates, best first, equals in the provider's order; those below `min_score` are left out.
    Offline pictures are always usable and come last."""
    scored = [(score(description, found), found) for found in candidates if not found.offline]
    scored.sort(key=lambda pair: -pair[0])
    drawn = [found for found in candidates if found.offline]
    return [found for value, found in scored if value >= min_score] + drawn


def _bigrams(text: str) -> Counter[str]:
    letters = "".join(text.casefold().split())
    return Counter(letters[i : i + 2] for i in range(len(letters) - 1))
