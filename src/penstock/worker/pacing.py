"""How long to wait: jitter for every timer, and back-off while the store is away."""

import random

JITTER = 0.1
"""Every timer is spread by this share, so that a fleet that was started together does not tick together."""


def jittered(seconds: float) -> float:
    """About this long."""
    return seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


class Backoff:
    """Waits that double from `first` to `cap` seconds, each drawn from its upper half."""

    def __init__(self, first: float = 0.05, cap: float = 5.0) -> None:
        self._first = first
        self._cap = cap
        self._next = first

    def next(self) -> float:
        """Seconds to wait now."""
        wait, self._next = self._next, min(self._cap, self._next * 2)
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def reset(self) -> None:
        """It works again."""
        self._next = self._first
