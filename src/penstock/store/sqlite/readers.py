"""Read connections beside the writer: a few threads, each with its own."""

import logging
import sqlite3
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from penstock.errors import StoreUnavailable
from penstock.store.program import Program
from penstock.store.sqlite.connection import connect, translated
from penstock.store.sqlite.runner import Statements, execute

logger = logging.getLogger(__name__)

R = TypeVar("R")


class Readers:
    """Runs programs that only read, each on one snapshot of the file. Its methods may be called from any thread."""

    def __init__(self, path: Path, statements: Statements, size: int) -> None:
        self._path = path
        self._statements = statements
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="penstock-reader")

    def submit(self, program: Program[R]) -> "Future[R]":
        """Run it in one of the threads. Raises StoreUnavailable when closed."""
        try:
            return self._threads.submit(self._read, program)
        except RuntimeError as error:
            raise StoreUnavailable("the store is closed: call `await store.open()` first") from error

    def close(self) -> None:
        """Let running reads end, then close the connections. Blocks."""
        self._threads.shutdown()
        while self._connections:
            self._connections.pop().close()

    def _read(self, program: Program[R]) -> R:
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return execute(connection, program, self._statements).result
            finally:
                connection.execute("ROLLBACK")  # nothing was written; it only ends the snapshot
        except sqlite3.Error as error:
            raise translated(error) from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, query_only=True)
            self._connections.append(connection)
        return connection
