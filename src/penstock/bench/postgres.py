"""PostgreSQL: databases of our own on a server, and the engine or the floor on them."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from penstock.app import Penstock
from penstock.bench.floor_postgres import floor_on
from penstock.bench.place import Floor, Ground
from penstock.bench.probe_postgres import PostgresProbe
from penstock.store.postgres import PostgresStore
from penstock.store.postgres.address import parse
from penstock.store.postgres.parameters import Query
from penstock.store.postgres.pools import connected

_PREFIX = "penstock_bench_"


class Postgres:
    """A server on which our role may create databases; `url` is that of a database that is already there."""

    store = "postgres"

    def __init__(self, url: str, place: str) -> None:
        self._url = url
        self.place = place

    @asynccontextmanager
    async def ground(self) -> AsyncIterator[Ground]:
        """An engine with its defaults over a new database."""
        async with (
            self._database() as url,
            connected(parse(url)) as wire,
            Penstock(store=PostgresStore(url, auto_migrate=True)) as engine,
        ):
            yield Ground(url, engine, PostgresProbe(url, wire))

    @asynccontextmanager
    async def floor(self) -> AsyncIterator[Floor]:
        """A floor on the same server."""
        async with self._database() as url, floor_on(url) as floor:
            yield floor

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
