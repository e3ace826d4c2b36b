"""When calls to a service may start that wants them some time apart, and only so many a day."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

# A turn farther away than this was given by a clock that has been set back since.
FARTHEST = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class CallStarts:
    """What has been given out: `count` starts on `day` (UTC), and the next one not before `next_at`."""

    day: date
    count: int
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """A start, seconds from now, and what has been given out with it."""

    wait_s: float
    given: CallStarts


def next_turn(given: CallStarts | None, now: datetime, spacing: timedelta, daily_limit: int) -> Turn | None:
    """The next start, None when the day's calls are used up. `given` None: nothing ever was. A start counts for the
    day on which it is asked for."""
    today = now.date()
    count = given.count if given is not None and given.day == today else 0
    if count >= daily_limit:
        return None
    at = now if given is None or given.next_at - now > FARTHEST else max(now, given.next_at)
    return Turn((at - now).total_seconds(), CallStarts(today, count + 1, at + spacing))
