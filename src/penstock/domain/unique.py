"""Uniqueness: at most one job holds a key."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from penstock.errors import InvalidJob

MAX_KEY = 512


class UniqueScope(StrEnum):
    """How long a key is held: until the job ends, for a period, or forever."""

    ACTIVE = "active"
    PERIOD = "period"
    FOREVER = "forever"


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique key with its scope.

    `period` holds the key that long from the enqueue, whatever becomes of the job; `forever=True` for good; neither:
    while the job waits or runs. `replace=True` debounces: a holder that still waits takes the new data and time.
    """

    key: str
    period: timedelta | None = None
    forever: bool = False
    replace: bool = False

    def __post_init__(self) -> None:
        if not self.key or len(self.key) > MAX_KEY or not self.key.isprintable():
            raise InvalidJob(f"unique key must have 1 to {MAX_KEY} printable characters, not {self.key[:80]!r}")
        if self.period is not None and (self.forever or self.period <= timedelta(0)):
            raise InvalidJob("unique: give either a positive period or forever=True")

    @property
    def scope(self) -> UniqueScope:
        """The scope that the options amount to."""
        if self.forever:
            return UniqueScope.FOREVER
        return UniqueScope.PERIOD if self.period is not None else UniqueScope.ACTIVE

    def expires_at(self, now: int) -> int | None:
        """When the key falls free by time (µs); None where time does not free it."""
        return now + self.period // timedelta(microseconds=1) if self.period is not None else None
