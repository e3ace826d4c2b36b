"""The one source of time. Tests move it; on PostgreSQL it follows the database's clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time in µs since 1970 UTC."""

    def now(self) -> int:
        """The time now, in µs."""
        ...


class SystemClock:
    """This machine's wall clock."""

    def now(self) -> int:
        """The time now, in µs."""
        return time.time_ns() // 1_000


class SteadyClock:
    """Database time, carried on by this process's monotonic clock between measurements.

    A step of the machine's wall clock therefore does not move due times.
    """

    def __init__(self) -> None:
        self._offset = time.time_ns() // 1_000 - time.monotonic_ns() // 1_000

    def now(self) -> int:
        """The time now, in µs, as the database would say."""
        return time.monotonic_ns() // 1_000 + self._offset

    def measured(self, database_now: int, asked_at: int, answered_at: int) -> None:
        """Take over a measurement: database time in µs, and monotonic µs before and after the question."""
        self._offset = database_now - (asked_at + answered_at) // 2
