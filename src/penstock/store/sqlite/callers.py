"""Transactions of callers (`run_on`): what is to be announced when they end, and who holds the lock for long.

SQLite cannot carry a wake-up with a commit, and nobody tells us when the caller commits. But a caller in whose
transaction a program has run holds the file's only write lock. So as soon as another connection's commit is seen, or
the lock can be had, that transaction is over. (After a rollback the wake-up is needless, which is harmless.)
"""

import inspect
import logging
import time
from dataclasses import dataclass, field

from penstock.store.base import Topics

logger = logging.getLogger(__name__)

LONG_LOCK_SECONDS = 1.0
"""A write lock held longer is logged with its opener."""

_YOUNG_SECONDS = 0.005
_OLD_SECONDS = 0.2

_NOT_OPENERS = ("penstock", "sqlalchemy", "aiosqlite", "greenlet", "contextlib", "asyncio")


@dataclass(slots=True)
class CallerTransaction:
    """A program has run in a caller's transaction. `opener`: the place in the caller's code; `since`: monotonic s."""

    topics: Topics
    opener: str
    since: float = field(default_factory=time.monotonic)


class Callers:
    """The caller's transaction that was last seen open; there is at most one, since it holds the write lock."""

    def __init__(self) -> None:
        self._open: CallerTransaction | None = None
        self._probed = False
        self._logged = False

    def __bool__(self) -> bool:
        return self._open is not None

    def add(self, transaction: CallerTransaction) -> None:
        """One more program has run: in the same transaction, or in a new one after the old one was rolled back."""
        if self._open is None:
            self._open, self._probed, self._logged = transaction, False, False
        else:
            self._open.topics |= transaction.topics
            self._probed = False

    def ended(self) -> Topics:
        """The transaction is over; answers its topics."""
        topics = self._open.topics if self._open else frozenset()
        self._open = None
        return topics

    def patience(self) -> float:
        """Seconds until the next look."""
        return _OLD_SECONDS if self._age() > LONG_LOCK_SECONDS else _YOUNG_SECONDS

    def wants_probe(self) -> bool:
        """Whether to try the lock: at first sight, since it may have ended already, and when it takes long."""
        first, self._probed = not self._probed, True
        return first or self._age() > LONG_LOCK_SECONDS

    def still_held(self) -> None:
        """The lock could not be had; after a second that is logged, once."""
        if self._open and not self._logged and self._age() > LONG_LOCK_SECONDS:
            self._logged = True
            logger.warning(
                "a transaction has held the write lock of the database for over %g s; it was last used at %s",
                LONG_LOCK_SECONDS,
                self._open.opener,
            )

    def _age(self) -> float:
        return time.monotonic() - self._open.since if self._open else 0.0


def opener() -> str:
    """Where the calling code stands outside the libraries: `file:line in function`."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _NOT_OPENERS:
            return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return "an unknown place"
