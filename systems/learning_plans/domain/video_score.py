"""How good a video is for a task. Weights and limits are those of the curation rules."""

import math

POPULARITY_WEIGHT = 0.45
RECENCY_WEIGHT = 0.25
RELEVANCE_WEIGHT = 0.25
SUITABILITY_WEIGHT = 0.05

# Ten million views count as the most popular there is.
_MOST_POPULAR_LOG10 = 7
_RECENCY_DAYS = 365
# Digits after which scores are rounded, so that a cut-off is met exactly where it is met on paper.
DIGITS = 9


def popularity(views: int) -> float:
    """0 to 1, by the logarithm of the views (not negative)."""
    return min(1.0, math.log10(views + 1) / _MOST_POPULAR_LOG10)


def recency(age_days: float) -> float:
    """1 for what is new, or dated in the future, falling to 1/e within a year."""
    return math.exp(-max(0.0, age_days) / _RECENCY_DAYS)


def suitability(minutes: float) -> float:
    """How well a length fits one task: 5 to 30 minutes are best."""
    if minutes < 2:
        return 0.3
    if minutes < 5:
        return 0.8
    if minutes <= 30:
        return 1.0
    if minutes <= 60:
        return 0.8
    return 0.6 if minutes <= 120 else 0.4


def video_score(*, views: int, age_days: float, relevance: float, minutes: float) -> float:
    """0 to 1."""
    return round(
        POPULARITY_WEIGHT * popularity(views)
        + RECENCY_WEIGHT * recency(age_days)
        + RELEVANCE_WEIGHT * relevance
        + SUITABILITY_WEIGHT * suitability(minutes),
        DIGITS,
    )
