"""PostgreSQL: databases of our own on a server, and the floor on them."""

import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from penstock import codec
from penstock.bench.place import PAYLOAD, Floor
from penstock.store.base import Store
from penstock.store.postgres import PostgresStore
from penstock.store.postgres.address import parse
from penstock.store.postgres.parameters import Query
from penstock.store.postgres.pools import connected
from penstock.store.postgres.wire import Wire

_PREFIX = "penstock_bench_"

_TABLE = b"""CREATE TABLE floor (
    id bigint PRIMARY KEY, state smallint NOT NULL, claim bigint, finished_at bigint, data json NOT NULL)"""
_INDEX = b"CREATE INDEX floor_ready ON floor (id) WHERE state = 0"
_INSERT = b"""INSERT INTO floor (id, state, data)
SELECT id, 0, data FROM json_to_recordset($1::json) AS r(id bigint, data json)"""
_CLAIM = b"""WITH taken AS MATERIALIZED (
    SELECT ctid AS place FROM floor WHERE state = 0 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
UPDATE floor SET state = 1, claim = $1 WHERE ctid = ANY (ARRAY(SELECT place FROM taken)) RETURNING id, data"""
_COMPLETE = b"""UPDATE floor SET state = 2, finished_at = $1
WHERE id = ANY (ARRAY(SELECT json_array_elements_text($2::json)::bigint)) AND claim = $3"""
_HASTY = Query(b"SET synchronous_commit = off", prepare=False)


class PostgresFloor:
    """On two connections: on one a commit does not wait for the disk, and it claims, as the engine does."""

    def __init__(self, durable: Wire, hasty: Wire) -> None:
        self._durable = durable
        self._hasty = hasty
        self._claim = 0

    async def insert(self, first: int, count: int) -> None:
        """Insert."""
        rows = [{"id": id_, "data": PAYLOAD} for id_ in range(first, first + count)]
        await self._durable.send((Query(_INSERT, (codec.rows(rows),)),))

    async def work(self, batch: int) -> int:
        """Claim and complete."""
        self._claim += 1
        rows = await self._hasty.send((Query(_CLAIM, (self._claim, batch)),))
        if rows:
            ids = codec.ids([row[0] for row in rows])
            await self._durable.send((Query(_COMPLETE, (time.time_ns() // 1_000, ids, self._claim)),))
        return len(rows)


class Postgres:
    """A server on which our role may create databases; `url` is that of a database that is already there."""

    store = "postgres"

    def __init__(self, url: str, place: str) -> None:
        self._url = url
        self.place = place

    @asynccontextmanager
    async def empty_store(self) -> AsyncIterator[Store]:
        """A store with the engine's defaults."""
        async with self._database() as url:
            store = PostgresStore(url, auto_migrate=True)
            await store.open()
            try:
                yield store
            finally:
                await store.close()

    @asynccontextmanager
    async def empty_floor(self) -> AsyncIterator[Floor]:
        """A floor on the same server."""
        async with self._database() as url, AsyncExitStack() as stack:
            durable, hasty = [await stack.enter_async_context(connected(parse(url))) for _ in range(2)]
            for sql in (_TABLE, _INDEX):
                await durable.send((Query(sql, prepare=False),))
            await hasty.send((_HASTY,))
            yield PostgresFloor(durable, hasty)

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[str]:
        name = _PREFIX + secrets.token_hex(8)
        await self._execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(self._url)._replace(path=f"/{name}").geturl()
        finally:
            await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _execute(self, sql: str) -> None:
        async with connected(parse(self._url)) as wire:
            await wire.send((Query(sql.encode(), prepare=False),))
