"""One connection, async or blocking, that sends trips."""

from typing import Any, Protocol, TypeAlias

from psycopg import AsyncConnection, AsyncRawCursor, Connection, RawCursor
from psycopg.pq import ExecStatus
from psycopg.rows import tuple_row

from penstock.store.postgres import adapters
from penstock.store.postgres.parameters import Query
from penstock.store.program import Row

Trip: TypeAlias = tuple[Query, ...]
"""Queries that go to the server together: one round trip, answered with the rows of the last.

Outside a transaction they are one transaction of their own.
"""


class Wire(Protocol):
    """A connection. `send` raises psycopg's errors."""

    async def send(self, trip: Trip) -> list[Row]:
        """Run a trip; answers the rows of its last query, [] when that has none."""
        ...


class AsyncWire:
    """Over psycopg's AsyncConnection. `borrowed`: it is the caller's, whose adapters may differ from ours."""

    def __init__(self, connection: AsyncConnection[Any], *, borrowed: bool = False) -> None:
        self._connection = connection
        self._borrowed = borrowed

    async def send(self, trip: Trip) -> list[Row]:
        """Run a trip."""
        if len(trip) == 1:
            cursor = await self._execute(trip[0])
        else:
            async with self._connection.pipeline():
                for query in trip:
                    cursor = await self._execute(query)
        return await cursor.fetchall() if _has_rows(cursor) else []

    async def _execute(self, query: Query) -> AsyncRawCursor[Row]:
        cursor = AsyncRawCursor(self._connection, row_factory=tuple_row)
        if query.copy is not None:
            async with cursor.copy(query.sql) as copy:
                await copy.write(query.copy)
            return cursor
        if self._borrowed:
            adapters.register(cursor)
        return await cursor.execute(query.sql, query.values, prepare=query.prepare)


class BlockingWire:
    """Over psycopg's Connection; its coroutines never wait. `borrowed` as above."""

    def __init__(self, connection: Connection[Any], *, borrowed: bool = False) -> None:
        self._connection = connection
        self._borrowed = borrowed

    async def send(self, trip: Trip) -> list[Row]:
        """Run a trip."""
        if len(trip) == 1:
            cursor = self._execute(trip[0])
        else:
            with self._connection.pipeline():
                for query in trip:
                    cursor = self._execute(query)
        return cursor.fetchall() if _has_rows(cursor) else []

    def _execute(self, query: Query) -> RawCursor[Row]:
        cursor = RawCursor(self._connection, row_factory=tuple_row)
        if query.copy is not None:
            with cursor.copy(query.sql) as copy:
                copy.write(query.copy)
            return cursor
        if self._borrowed:
            adapters.register(cursor)
        return cursor.execute(query.sql, query.values, prepare=query.prepare)


def _has_rows(cursor: AsyncRawCursor[Row] | RawCursor[Row]) -> bool:
    return cursor.pgresult is not None and cursor.pgresult.status == ExecStatus.TUPLES_OK
