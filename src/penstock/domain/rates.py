"""At most n starts per period, over any window of that length, shared by all workers of a queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from penstock.domain.job import is_count, seconds_of
from penstock.errors import ConfigurationError

MAX_LIMIT = 1_000_000_000
_BINS = 50
"""Starts are remembered in bins of a fiftieth of the period, so the memory of a rate is bounded."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`limit` starts per `per` (timedelta or seconds)."""

    limit: int
    per: timedelta | float = 1.0

    def __post_init__(self) -> None:
        if not is_count(self.limit, MAX_LIMIT):
            raise ConfigurationError(f"Rate.limit must be an integer from 1 to {MAX_LIMIT}, not {self.limit!r}")
        seconds_of("Rate.per", self.per)
        if self.period_us < _BINS:
            raise ConfigurationError(f"Rate.per must be at least {_BINS} microseconds, not {self.per!r}")

    @property
    def period_us(self) -> int:
        """The period in µs."""
        seconds = self.per.total_seconds() if isinstance(self.per, timedelta) else self.per
        return int(seconds * 1_000_000)


Starts = Sequence[tuple[int, int]]
"""(end of a bin in µs, starts in it), oldest first."""


def allowance(rate: Rate, starts: Starts, now: int) -> tuple[int, int | None]:
    """How many may start now, and when (µs) the next one may if none can."""
    live = [(end, n) for end, n in starts if end + rate.period_us > now]
    free = rate.limit - sum(n for _, n in live)
    return (free, None) if free > 0 else (0, live[0][0] + rate.period_us)


def record(rate: Rate, starts: Starts, now: int, started: int) -> list[tuple[int, int]]:
    """`starts` with `started` more at `now`, forgetting what no window can hold any more.

    A bin counts from its end, so a window never holds more than the limit.
    """
    width = rate.period_us // _BINS
    end = (now // width + 1) * width
    kept = [(e, n) for e, n in starts if e + rate.period_us > now]
    if kept and kept[-1][0] == end:
        kept[-1] = (end, kept[-1][1] + started)
    else:
        kept.append((end, started))
    return kept
