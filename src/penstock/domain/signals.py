"""What a handler may raise to say how its run ends. Any other exception is retried by the job's policy."""

from datetime import datetime, timedelta

from penstock.domain.retry import LONGEST_S


class Signal(Exception):
    """Base of the four signals."""


class Retry(Signal):
    """Try again after `after` (timedelta or seconds); counts as a failed attempt. None: by the job's policy.

    Raises ValueError for less than none and for more than a century.
    """

    def __init__(self, reason: str = "", *, after: timedelta | float | None = None) -> None:
        super().__init__(reason or "the handler asked for a retry")
        self.after_s = None if after is None else _seconds("Retry(after=)", after)


class Permanent(Signal):
    """Fail now, whatever attempts are left."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class Snooze(Signal):
    """Run again at `until` (aware datetime), or after a timedelta or seconds; spends no attempt.

    Raises ValueError for a datetime without a time zone, and for a duration as `Retry`.
    """

    def __init__(self, until: datetime | timedelta | float, reason: str = "") -> None:
        super().__init__(reason or "the handler asked for later")
        if isinstance(until, datetime) and until.tzinfo is None:
            raise ValueError("Snooze needs an aware datetime (with a time zone), a timedelta or seconds")
        self.until = until if isinstance(until, datetime) else _seconds("Snooze", until)


def _seconds(what: str, given: timedelta | float) -> float:
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError(f"{what} must be a timedelta or seconds from 0 to {LONGEST_S // 86_400} days, not {given!r}")
    return seconds


class Cancel(Signal):
    """End the job as cancelled, with a reason."""

    def __init__(self, reason: str = "the handler cancelled its job") -> None:
        super().__init__(reason)
