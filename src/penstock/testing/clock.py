"""A clock that stands still until a test moves it."""

import threading
from datetime import UTC, datetime, timedelta

from penstock.domain.options import micros, moment_of


class MovableClock:
    """A clock for stores in tests: `SqliteStore(path, clock=MovableClock())`.

    start: aware datetime, or µs since 1970 UTC; by default the time now, to the second. It may be read and moved from
    any thread.

        clock = MovableClock(datetime(2026, 1, 1, tzinfo=UTC))
        clock.move(timedelta(hours=2))
        clock.move_to(datetime(2026, 1, 2, tzinfo=UTC))
    """

    def __init__(self, start: datetime | int | None = None) -> None:
        self._lock = threading.Lock()
        self._now = _micros(datetime.now(UTC).replace(microsecond=0) if start is None else start)

    def now(self) -> int:
        """The time it shows, in µs."""
        return self._now

    @property
    def moment(self) -> datetime:
        """The time it shows, as an aware datetime in UTC."""
        return moment_of(self._now)

    def move(self, by: timedelta | float) -> int:
        """Move it by a timedelta or seconds, forwards or backwards; answers the time it shows then, in µs."""
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        with self._lock:
            self._now += step // timedelta(microseconds=1)
            return self._now

    def move_to(self, time: datetime | int) -> int:
        """Set it to an aware datetime, or µs; answers the time it shows then, in µs."""
        with self._lock:
            self._now = _micros(time)
            return self._now


def _micros(time: datetime | int) -> int:
    return time if isinstance(time, int) else micros("time", time)
