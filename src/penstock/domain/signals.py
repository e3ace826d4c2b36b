"""What a handler may raise to say how its run ends. Any other exception is retried by the job's policy."""

from datetime import datetime, timedelta


class Signal(Exception):
    """Base of the four signals."""


class Retry(Signal):
    """Try again after `after` (timedelta or seconds); counts as a failed attempt. None: by the job's policy."""

    def __init__(self, reason: str = "", *, after: timedelta | float | None = None) -> None:
        super().__init__(reason or "the handler asked for a retry")
        self.after_s = after.total_seconds() if isinstance(after, timedelta) else after


class Permanent(Signal):
    """Fail now, whatever attempts are left."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class Snooze(Signal):
    """Run again at `until` (aware datetime), or after a timedelta or seconds; spends no attempt."""

    def __init__(self, until: datetime | timedelta | float, reason: str = "") -> None:
        super().__init__(reason or "the handler asked for later")
        if isinstance(until, datetime) and until.tzinfo is None:
            raise ValueError("Snooze needs an aware datetime (with a time zone), a timedelta or seconds")
        self.until = until


class Cancel(Signal):
    """End the job as cancelled, with a reason."""

    def __init__(self, reason: str = "the handler cancelled its job") -> None:
        super().__init__(reason)
