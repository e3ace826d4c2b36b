"""A clock that tests move."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""A Monday noon; nothing depends on the day."""


class MovableClock:
    """A `penstock.clock.Clock` that stands still until it is moved."""

    def __init__(self, start: datetime = START) -> None:
        self._now = int(start.timestamp()) * 1_000_000

    def now(self) -> int:
        """The time now, in µs since 1970 UTC."""
        return self._now

    @property
    def moment(self) -> datetime:
        """The time now as an aware datetime."""
        return datetime.fromtimestamp(self._now // 1_000_000, UTC) + timedelta(microseconds=self._now % 1_000_000)

    def advance(self, by: timedelta | float) -> None:
        """Move it on by a timedelta or seconds (also back, as machine clocks do)."""
        span = by if isinstance(by, timedelta) else timedelta(seconds=by)
        self._now += span // timedelta(microseconds=1)

    def move_to(self, moment: datetime) -> None:
        """Set it to a moment."""
        self._now = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
