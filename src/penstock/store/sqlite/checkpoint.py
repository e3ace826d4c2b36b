"""When the writer copies the write-ahead log into the file.

SQLite's own rule tries again at every commit once the log is long: while a reader holds an old snapshot, each of them
looks through the whole log for nothing, which takes longer the longer the hold lasts.
"""

import logging
import sqlite3

logger = logging.getLogger(__name__)

_PAGES = 4_096
"""Of log, about, until it is copied: 16 MB, a quarter of the default's fsyncs, which readers still search quickly."""
_COMMIT_PAGES = 6
_ROWS_A_PAGE = 12
"""What a commit and a changed row add to the log, about (batches of 1 and of 500 jobs): SQLite does not say."""


class Checkpoints:
    """Counts what a connection writes, and makes checkpoints by it. For the thread that writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows = connection.total_changes
        self._pages = 0
        self._due_at = _PAGES

    def after_commit(self) -> None:
        """A group has been committed: make a checkpoint if the log has grown by enough since the last."""
        rows, self._rows = self._rows, self._connection.total_changes
        self._pages += _COMMIT_PAGES + (self._rows - rows) // _ROWS_A_PAGE
        if self._pages >= self._due_at:
            self._copy()

    def _copy(self) -> None:
        self._pages = 0
        try:
            _, log, copied = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            logger.warning("a checkpoint of the database failed: %s", error)
            return
        # A reader keeps the rest from being copied: tried again when the log is twice as long.
        self._due_at = max(_PAGES, log - copied)
