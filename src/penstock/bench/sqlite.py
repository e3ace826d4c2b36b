"""SQLite: a file in a temporary folder, and the floor on it."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from penstock import codec
from penstock.bench.place import PAYLOAD, Floor
from penstock.store.base import Store
from penstock.store.sqlite import SqliteStore
from penstock.store.sqlite.connection import connect, set_synchronous

_TABLE = """CREATE TABLE floor (
    id integer PRIMARY KEY, state integer NOT NULL, claim integer, finished_at integer, data text NOT NULL)"""
_INDEX = "CREATE INDEX floor_ready ON floor (id) WHERE state = 0"
_INSERT = "INSERT INTO floor (id, state, data) VALUES (?, 0, ?)"
_CLAIM = """UPDATE floor SET state = 1, claim = ?
WHERE id IN (SELECT id FROM floor WHERE state = 0 ORDER BY id LIMIT ?) RETURNING id, data"""
_COMPLETE = """UPDATE floor SET state = 2, finished_at = ?
WHERE id IN (SELECT value FROM json_each(?)) AND claim = ?"""


class SqliteFloor:
    """On one connection. A claim does not wait for the disk, as the engine's does not."""

    def __init__(self, path: Path) -> None:
        self._connection: Any = connect(path)
        self._connection.execute(_TABLE)
        self._connection.execute(_INDEX)
        self._claim = 0

    async def insert(self, first: int, count: int) -> None:
        """Insert."""
        with self._transaction():
            self._connection.executemany(_INSERT, [(id_, PAYLOAD) for id_ in range(first, first + count)])

    async def work(self, batch: int) -> int:
        """Claim and complete."""
        self._claim += 1
        set_synchronous(self._connection, "NORMAL")
        with self._transaction():
            rows = self._connection.execute(_CLAIM, (self._claim, batch)).fetchall()
        set_synchronous(self._connection, "FULL")
        if rows:
            with self._transaction():
                ids = codec.ids([row[0] for row in rows]).decode()
                self._connection.execute(_COMPLETE, (time.time_ns() // 1_000, ids, self._claim))
        return len(rows)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        yield
        self._connection.execute("COMMIT")


class Sqlite:
    """Files in the system's temporary folder: its disk is what is measured."""

    store = "sqlite"

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
            connection = connect(Path(folder) / "version.db")
            version = connection.execute("SELECT sqlite_version()").fetchone()[0]
            connection.close()
        self.place = f"SQLite {version}, synchronous=FULL, in {tempfile.gettempdir()}"

    @asynccontextmanager
    async def empty_store(self) -> AsyncIterator[Store]:
        """A store with the engine's defaults."""
        async with _folder() as folder:
            store = SqliteStore(folder / "bench.db")
            await store.open()
            try:
                yield store
            finally:
                await store.close()

    @asynccontextmanager
    async def empty_floor(self) -> AsyncIterator[Floor]:
        """A floor with the same settings of the file."""
        async with _folder() as folder:
            floor = SqliteFloor(folder / "floor.db")
            try:
                yield floor
            finally:
                floor.close()


@asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="penstock-bench-")
    try:
        yield Path(folder.name)
    finally:
        await asyncio.to_thread(folder.cleanup)
