"""What a search found for a task, and which of it is attached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

MIN_RESOURCE_SCORE = 0.6
MAX_RESULTS = 3


class ResourceType(StrEnum):
    """Where a resource comes from."""

    YOUTUBE = "youtube"
    DOC = "doc"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A link that was found, with its score and relevance (both 0 to 1) for the task it was searched for.

    `url` is an http or https address, `domain` its host.
    """

    type: ResourceType
    url: str
    title: str
    domain: str
    score: float
    relevance: float
    author: str | None = None
    duration_minutes: int | None = None


def suitable(candidates: Iterable[Candidate], cutoff: float) -> list[Candidate]:
    """Those that may be attached, best first (by score, then by address), each address once.

    What has no word in common with the query is never attached, whatever its score.
    """
    ranked = sorted(
        (found for found in candidates if found.score >= cutoff and found.relevance > 0),
        key=lambda found: (-found.score, found.url),
    )
    return list({found.url: found for found in reversed(ranked)}.values())[::-1]


def select_top(candidates: Iterable[Candidate], cutoff: float, limit: int) -> list[Candidate]:
    """At most `limit` of the suitable candidates, in the order they are attached in.

    The source with most of them gives all when it alone has enough; otherwise each source gives its best, and the
    best of the rest follow.
    """
    ranked = suitable(candidates, cutoff)
    by_source: dict[ResourceType, list[Candidate]] = {}
    for found in ranked:
        by_source.setdefault(found.type, []).append(found)
    largest = max(by_source.values(), key=len, default=[])
    if len(by_source) <= 1 or len(largest) >= limit:
        return largest[:limit]
    return _mixed(ranked, limit)


def _mixed(ranked: Sequence[Candidate], limit: int) -> list[Candidate]:
    best: dict[ResourceType, Candidate] = {}
    for found in ranked:
        best.setdefault(found.type, found)
    rest = [found for found in ranked if best[found.type] is not found]
    return [*best.values(), *rest][:limit]
