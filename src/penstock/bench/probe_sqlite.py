"""What is asked about the engine's file from beside it. It finds the tables by looking."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from penstock.store.sqlite.connection import connect

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'penstock_%'"
_ROWS = 50_000
"""Copies a transaction."""


class SqliteProbe:
    """Beside the engine's own connections, each time with one of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def server_cpu(self) -> None:
        """There is no server."""

    async def log_bytes(self) -> None:
        """No server counts; a worker process counts what it writes."""

    async def commits(self) -> None:
        """Not counted."""

    async def dead_rows(self) -> None:
        """There are none; the log grows instead."""

    async def size(self) -> int:
        """Bytes of the file and its log."""
        return await asyncio.to_thread(self._size)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """A read transaction that has read."""
        connection = connect(self._path, query_only=True)
        try:
            connection.execute("BEGIN")
            connection.execute(_TABLES).fetchall()
            yield
        finally:
            connection.close()

    async def copy(self, job_id: str, count: int) -> None:
        """Copy the job's rows."""
        await asyncio.to_thread(self._copy, job_id, count)

    async def settle(self) -> None:
        """Move the log into the file."""
        await asyncio.to_thread(self._checkpoint)

    def _checkpoint(self) -> None:
        connection = connect(self._path)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()

    def _size(self) -> int:
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def _copy(self, job_id: str, count: int) -> None:
        connection = connect(self._path, synchronous="NORMAL")
        try:
            inserts = [
                sql for (table,) in connection.execute(_TABLES).fetchall() if (sql := _insert(connection, table))
            ]
            series = secrets.token_hex(2)
            for first in range(0, count, _ROWS):
                rows = [(f"018f0000-{series}-7000-8000-{n:012x}", n, job_id) for n in range(first, first + _ROWS)]
                connection.execute("BEGIN IMMEDIATE")
                for sql in inserts:
                    connection.executemany(sql, rows[: count - first])
                connection.execute("COMMIT")
        finally:
            connection.close()


def _insert(connection: Any, table: str) -> str | None:
    """What copies the row of job ?3 as job ?1, ?2 positions further; None for a table that has no row for each job."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    key = "id" if table == "penstock_jobs" else "job_id"
    if key not in columns:
        return None
    if key == "job_id" and "id" in columns:
        columns.remove("id")
    values = {key: "?1", "position": "position + ?2"}
    picked = ", ".join(values.get(column, f'"{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT INTO {table} ({names}) SELECT {picked} FROM {table} WHERE {key} = ?3"  # noqa: S608 - our own names
