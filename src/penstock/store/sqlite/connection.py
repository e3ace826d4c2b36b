"""Opening the file: its address, the settings of a connection, and what a database error means."""

import os
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from penstock.errors import ConfigurationError, PenstockError, StoreUnavailable

R = TypeVar("R")

OLDEST_SQLITE = (3, 35, 0)
"""The first with RETURNING."""

BUSY_SECONDS = 5.0
"""How long a write waits for the other writers of the file."""

_PRAGMAS = (
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",  # KiB a connection
    # Reads only: SQLite writes through the file. Beyond it a page costs a call: a million rows take 600 MB.
    "PRAGMA mmap_size = 1073741824",
    "PRAGMA wal_autocheckpoint = 0",  # `Checkpoints` makes them
    "PRAGMA journal_size_limit = 67108864",
)

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_NOT_NOW = _BUSY | {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


def database_path(path_or_url: str | os.PathLike[str]) -> Path:
    """The absolute real path of the file: of a path, or of a URL as SQLAlchemy writes it (`sqlite:///relative.db`).

    Raises ConfigurationError for another scheme, for options in the URL and for a database in memory.
    """
    text = os.fspath(path_or_url)
    scheme, mark, rest = text.partition("://")
    if mark:
        if scheme.partition("+")[0] != "sqlite":
            raise ConfigurationError(f"database URL {text!r}: the SQLite store takes sqlite:///file.db")
        if not rest.startswith("/") or "?" in rest:
            raise ConfigurationError(f"database URL {text!r}: write sqlite:///file.db or sqlite:////folder/file.db")
        text = rest[1:]
    if text in ("", ":memory:"):
        raise ConfigurationError("the SQLite store needs a file: a database in memory has no write-ahead log")
    return Path(os.path.realpath(text))


def check_version() -> None:
    """Raise ConfigurationError when the SQLite library of this Python is too old."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: Penstock needs {needed} or newer")


def connect(
    path: Path, *, synchronous: str = "FULL", query_only: bool = False, wait: float = BUSY_SECONDS
) -> sqlite3.Connection:
    """A connection in autocommit (transactions are begun by hand), in WAL mode, usable from any one thread at a time.

    `wait`: seconds a statement waits for a lock. Raises ConfigurationError when the file cannot be opened or cannot
    have a write-ahead log, StoreUnavailable when it stays locked.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=wait, isolation_level=None, check_same_thread=False, cached_statements=512
        )
    except sqlite3.OperationalError as error:
        raise ConfigurationError(f"cannot open the database file {path}: {error}; does its folder exist?") from error
    try:
        mode = patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        if mode != "wal":
            raise ConfigurationError(f"{path} cannot have a write-ahead log (journal mode {mode!r}); use a local disk")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        set_synchronous(connection, synchronous)
        connection.execute(f"PRAGMA query_only = {int(query_only)}")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise ConfigurationError(f"cannot use the database file {path}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def set_synchronous(connection: sqlite3.Connection, level: str) -> None:
    """Set how far a commit reaches: NORMAL (the operating system), FULL or EXTRA (the disk). Not in a transaction."""
    connection.execute(f"PRAGMA synchronous = {level}")


def patiently(attempt: Callable[[], R], seconds: float = BUSY_SECONDS) -> R:
    """Call until the file is not locked; raises StoreUnavailable after `seconds`, or at once for other trouble.

    The pauses are short and random: SQLite's own waiting backs off to 100 ms, by which one of two busy processes
    starves.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if not is_locked(error):
                raise translated(error) from error
            if time.monotonic() >= until:
                raise StoreUnavailable(
                    f"the database file stayed locked for {seconds:g} s; is a transaction of this program open? "
                    "Pass its connection with on="
                ) from error
        time.sleep(random.uniform(0.000_2, 0.002))  # noqa: S311 - jitter, no secret


def is_locked(error: BaseException) -> bool:
    """Whether this error of the database says that another connection holds the lock."""
    return _primary_code(error) in _BUSY


def translated(error: sqlite3.Error) -> sqlite3.Error | PenstockError:
    """StoreUnavailable for what means "not now" (locked, full, unreadable), else the error itself."""
    if _primary_code(error) in _NOT_NOW:
        return StoreUnavailable(f"SQLite cannot work just now: {error} ({getattr(error, 'sqlite_errorname', '?')})")
    return error


def _primary_code(error: BaseException) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
