"""How long curation may take, not counting what nobody can help."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta


class TimeBudget:
    """Working time, from now on. It stands still while every task that is under way only waits for its turn at a limit.

    `now` is the clock; `ends_by` a moment at which it is spent in any case, None when there is none.
    """

    def __init__(self, allowed: timedelta, now: Callable[[], datetime], ends_by: datetime | None = None) -> None:
        self._allowed = allowed
        self._now = now
        self._ends_by = ends_by
        self._used = timedelta()
        self._seen = now()
        self._working = 0
        self._waiting = 0

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be begun."""
        self._charge()
        return self._used >= self._allowed or (self._ends_by is not None and self._now() >= self._ends_by)

    @property
    def seconds_to_end(self) -> float | None:
        """Seconds to `ends_by`, not negative; None when there is no such moment."""
        return None if self._ends_by is None else max(0.0, (self._ends_by - self._now()).total_seconds())

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around one task."""
        self._charge()
        self._working += 1
        try:
            yield
        finally:
            self._charge()
            self._working -= 1

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around a wait of one task for its turn; a task has one at a time."""
        self._charge()
        self._waiting += 1
        try:
            yield
        finally:
            self._charge()
            self._waiting -= 1

    def _charge(self) -> None:
        now = self._now()
        if self._waiting == 0 or self._waiting < self._working:
            self._used += now - self._seen
        self._seen = now
