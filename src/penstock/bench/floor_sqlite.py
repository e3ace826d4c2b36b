"""The floor on SQLite."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from penstock.bench.place import payload
from penstock.store.sqlite.connection import connect, set_synchronous

_TABLE = """CREATE TABLE floor (
    id integer PRIMARY KEY, state integer NOT NULL, claim integer, finished_at integer, data text NOT NULL)"""
_INDEX = "CREATE INDEX floor_ready ON floor (id) WHERE state = 0"
_INSERT = "INSERT INTO floor (id, state, data) VALUES (?, 0, ?)"
_CLAIM = """UPDATE floor SET state = 1, claim = ?
WHERE id IN (SELECT id FROM floor WHERE state = 0 ORDER BY id LIMIT ?) RETURNING id, data"""
_COMPLETE = """UPDATE floor SET state = 2, finished_at = ?
WHERE id IN (SELECT value FROM json_each(?)) AND claim = ?"""


class _Waiting(NamedTuple):
    number: int
    future: "asyncio.Future[None]"


class SqliteFloor:
    """On one connection with the engine's settings of the file, synchronous=FULL."""

    def __init__(self, path: Path) -> None:
        self._connection: Any = connect(path)
        self._connection.execute(_TABLE)
        self._connection.execute(_INDEX)
        self._claim = 0
        self._taken: list[Any] = []

    async def insert(self, first: int, count: int) -> None:
        """One INSERT, prepared once, for each job."""
        with self._transaction():
            self._connection.executemany(_INSERT, [(id_, payload(id_)) for id_ in range(first, first + count)])

    async def insert_together(self, count: int, tasks: int) -> None:
        """A thread writes what waits in one transaction, then tells all whose job was in it."""
        inbox: SimpleQueue[_Waiting | None] = SimpleQueue()
        loop = asyncio.get_running_loop()
        writer = Thread(target=self._write_groups, args=(inbox, loop))
        writer.start()
        numbers = iter(range(count))

        async def insert_some() -> None:
            for number in numbers:
                waiting = _Waiting(number, loop.create_future())
                inbox.put(waiting)
                await waiting.future

        await asyncio.gather(*(insert_some() for _ in range(tasks)))
        inbox.put(None)
        await asyncio.to_thread(writer.join)

    async def take(self) -> None:
        """Claim; that commit need not reach the disk."""
        set_synchronous(self._connection, "NORMAL")
        with self._transaction():
            self._taken = self._claimed(1)
        set_synchronous(self._connection, "FULL")

    async def finish(self) -> None:
        """Complete."""
        with self._transaction():
            self._complete(self._taken)

    async def drain(self, batch: int) -> int:
        """One transaction completes a batch and claims the next."""
        done = 0
        rows: list[Any] = []
        while True:
            with self._transaction():
                self._complete(rows)
                done += len(rows)
                rows = self._claimed(batch)
            if not rows:
                return done

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _claimed(self, batch: int) -> list[Any]:
        self._claim += 1
        found: list[Any] = self._connection.execute(_CLAIM, (self._claim, batch)).fetchall()
        return found

    def _complete(self, rows: list[Any]) -> None:
        if rows:
            ids = json.dumps([row[0] for row in rows])
            self._connection.execute(_COMPLETE, (time.time_ns() // 1_000, ids, self._claim))

    def _write_groups(self, inbox: "SimpleQueue[_Waiting | None]", loop: asyncio.AbstractEventLoop) -> None:
        while (first := inbox.get()) is not None:
            group = [first]
            try:
                while (more := inbox.get_nowait()) is not None:
                    group.append(more)
            except Empty:
                pass
            with self._transaction():
                self._connection.executemany(_INSERT, [(one.number, payload(one.number)) for one in group])
            loop.call_soon_threadsafe(_tell, group)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        yield
        self._connection.execute("COMMIT")


def _tell(group: list[_Waiting]) -> None:
    for one in group:
        one.future.set_result(None)
