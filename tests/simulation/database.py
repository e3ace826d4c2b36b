"""The engine's SQLite schema in memory: the real statements, run on one connection without threads.

The atom of a schedule is a program: SQLite lets one transaction write at a time, so that nothing comes between the
statements of one program. What interleaves is everything around the programs.
"""

import sqlite3
from datetime import timedelta
from typing import Any, TypeVar

from penstock import Queue
from penstock.domain.queue import Retention
from penstock.store import migrations
from penstock.store.program import Program
from penstock.store.programs.change import put_queue
from penstock.store.sqlite.migrate import split
from penstock.store.sqlite.runner import Statements, run_inline
from tests.conformance.model_ground import AGING, KEPT, SECOND
from tests.conformance.tables import Reader

R = TypeVar("R")
TOTALS = {"aged": 3}
"""How many jobs of a queue may run at once, over all workers."""


class Database(Reader):
    """One for many schedules: emptying it keeps what SQLite has prepared."""

    def __init__(self, statements: Statements) -> None:
        self._prefix, self._extra = "penstock_", ()
        self._statements = statements
        self._connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512)
        for migration in migrations.load("penstock.store.sqlite.migrations"):
            for statement in split(migration):
                self._connection.execute(statement)
        named = self._rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%'")
        self._tables = [name for (name,) in named]

    def empty(self) -> None:
        """As it was after its migration, with the two queues; also the numbers that SQLite gives begin anew."""
        for table in self._tables:
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of the schema
        for name in AGING:
            self.run(put_queue(name, _queue(name)))

    @property
    def changes(self) -> int:
        """How many rows have been written so far."""
        return self._connection.total_changes

    def run(self, program: Program[R]) -> R:
        """Run a program whole, in a transaction of its own. Raises what it or SQLite raises; nothing stays then."""
        return run_inline(self._connection, program, self._statements)[0]


def _queue(name: str) -> Queue:
    kept = {str(state): timedelta(microseconds=age) for state, age in KEPT[name].items()}
    ages: dict[str, Any] = {"completed": None, "failed": None, "cancelled": None} | kept
    aging = AGING[name]
    return Queue(
        aging=None if aging is None else aging / SECOND,
        total_concurrency=TOTALS.get(name),
        retention=Retention(**ages),
    )
