"""How often we NOTIFY: at once after a quiet time, then gathered. It takes a lock on the whole server at commit, for a

moment only, because these commits do not wait for the disk (a wake-up is a hint).
"""

import threading

from penstock.store.base import Topics

WINDOW_SECONDS = 0.005
"""At most two hundred a second per process (decision 0009)."""


class Pace:
    """Gathers topics and says when to send them; free of I/O and of time. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._planned = False
        self._next_at = float("-inf")

    def plan(self, topics: Topics, now: float) -> float | None:
        """Add topics; answers in how many seconds they are to be taken, None when that is planned already.

        `now`: monotonic seconds, here and in `take`.
        """
        with self._lock:
            self._pending |= topics
            if self._planned:
                return None
            self._planned = True
            return max(0.0, self._next_at - now)

    def take(self, now: float) -> Topics:
        """Everything gathered, to be sent now."""
        with self._lock:
            topics, self._pending = frozenset(self._pending), set()
            self._planned = False
            self._next_at = now + WINDOW_SECONDS
            return topics
