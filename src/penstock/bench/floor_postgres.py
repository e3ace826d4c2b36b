"""The floor on PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psycopg

from penstock.bench.place import payload
from penstock.store.postgres.address import parse

_TABLE = """CREATE TABLE floor (
    id bigint PRIMARY KEY, state smallint NOT NULL, claim bigint, finished_at bigint, data text NOT NULL)"""
_INDEX = "CREATE INDEX floor_ready ON floor (id) WHERE state = 0"
_COPY = "COPY floor (id, state, data) FROM STDIN"
_INSERT = "INSERT INTO floor (id, state, data) VALUES ($1, 0, $2)"
_INSERT_MANY = (
    "INSERT INTO floor (id, state, data) SELECT id, 0, data FROM unnest($1::bigint[], $2::text[]) AS r(id, data)"
)
_CLAIM = """UPDATE floor SET state = 1, claim = $1
WHERE ctid = ANY (ARRAY(SELECT ctid FROM floor WHERE state = 0 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING id, data"""
_COMPLETE = "UPDATE floor SET state = 2, finished_at = $1 WHERE id = ANY ($2::bigint[]) AND claim = $3"


class PostgresFloor:
    """On few connections: on one a commit does not wait for the disk, and it claims, as the engine does."""

    def __init__(self, durable: Any, second: Any, hasty: Any) -> None:
        self._durable = durable
        self._second = second
        self._hasty = hasty
        self._claim = 0
        self._taken: list[Any] = []

    async def insert(self, first: int, count: int) -> None:
        """COPY, or INSERT for one job."""
        if count == 1:
            await _run(self._durable, _INSERT, first, payload(first))
            return
        lines = "".join(f"{id_}\t0\t{payload(id_)}\n" for id_ in range(first, first + count))
        async with self._durable.cursor() as cursor, cursor.copy(_COPY) as copy:
            await copy.write(lines)

    async def insert_together(self, count: int, tasks: int) -> None:
        """Two writers, a connection each: while one waits for its commit, the other takes all that has come since."""
        waiting: list[tuple[int, asyncio.Future[None]]] = []
        there = asyncio.Event()
        loop = asyncio.get_running_loop()
        numbers = iter(range(count))

        async def insert_some() -> None:
            for number in numbers:
                done = loop.create_future()
                waiting.append((number, done))
                there.set()
                await done

        async def write(connection: Any) -> None:
            while True:
                await there.wait()
                there.clear()
                group = waiting[:]
                waiting.clear()
                if group:
                    ids = [number for number, _ in group]
                    await _run(connection, _INSERT_MANY, ids, [payload(number) for number in ids])
                    for _, done in group:
                        done.set_result(None)

        writers = [asyncio.create_task(write(connection)) for connection in (self._durable, self._second)]
        await asyncio.gather(*(insert_some() for _ in range(tasks)))
        for writer in writers:
            writer.cancel()

    async def take(self) -> None:
        """Claim."""
        self._taken = await self._claimed(1)

    async def finish(self) -> None:
        """Complete."""
        await self._complete(self._taken, self._claim)

    async def drain(self, batch: int) -> int:
        """While a batch is completed the next is claimed, on the other connection."""
        await _run(self._durable, "ANALYZE floor")
        done = 0
        rows = await self._claimed(batch)
        while rows:
            claim = self._claim
            upcoming, _ = await asyncio.gather(self._claimed(batch), self._complete(rows, claim))
            done += len(rows)
            rows = upcoming
        return done

    async def _claimed(self, batch: int) -> list[Any]:
        self._claim += 1
        cursor = await _run(self._hasty, _CLAIM, self._claim, batch)
        rows: list[Any] = await cursor.fetchall()
        return rows

    async def _complete(self, rows: list[Any], claim: int) -> None:
        await _run(self._durable, _COMPLETE, time.time_ns() // 1_000, [row[0] for row in rows], claim)


@asynccontextmanager
async def floor_on(url: str) -> AsyncIterator[PostgresFloor]:
    """The floor over an empty database."""
    async with AsyncExitStack() as stack:
        durable, second, hasty = [
            await stack.enter_async_context(
                await psycopg.AsyncConnection.connect(
                    parse(url).conninfo, autocommit=True, prepare_threshold=0, cursor_factory=psycopg.AsyncRawCursor
                )
            )
            for _ in range(3)
        ]
        await durable.execute(_TABLE)
        await durable.execute(_INDEX)
        await hasty.execute("SET synchronous_commit = off")
        yield PostgresFloor(durable, second, hasty)


async def _run(connection: Any, sql: str, *values: Any) -> Any:
    cursor = connection.cursor(binary=True)
    await cursor.execute(sql, values or None)
    return cursor
