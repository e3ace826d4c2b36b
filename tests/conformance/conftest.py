"""Every test of this folder runs on both stores, each in a fresh database with a clock that stands still."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from penstock import Penstock
from penstock.store.base import Store
from penstock.store.postgres import PostgresStore
from tests.conformance.databases import Database, PostgresDatabase, SqliteDatabase
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker
from tests.support.postgres import DATABASE_PREFIX, Server, create_database, drop_database

MakeStore = Callable[..., Awaitable[Store]]


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> Iterator[str]:
    """The URL of a migrated, empty database; copies of it are quick to make."""
    url = create_database(postgres_server)
    asyncio.run(PostgresStore(url).migrate())
    yield url
    drop_database(url)


def copy_database(template: str) -> str:
    """A copy of a template database; answers its URL."""
    name = DATABASE_PREFIX + secrets.token_hex(8)
    parts = urlsplit(template)
    make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with psycopg.connect(parts._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(make.format(sql.Identifier(name), sql.Identifier(parts.path.removeprefix("/"))))
    return parts._replace(path=f"/{name}").geturl()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """This test's own database."""
    if request.param == "sqlite":
        yield SqliteDatabase(tmp_path / "test.db")
        return
    url = copy_database(request.getfixturevalue("postgres_template"))
    yield PostgresDatabase(url)
    drop_database(url)


@pytest.fixture
def clock() -> MovableClock:
    """The time of all stores of a test."""
    return MovableClock()


@pytest.fixture
async def make_store(database: Database, clock: MovableClock) -> AsyncIterator[MakeStore]:
    """Opens stores on this test's database: each is as another process would be."""
    async with AsyncExitStack() as stack:

        async def make(**options: Any) -> Store:
            store = database.new_store(clock, **options)
            await store.open()
            stack.push_async_callback(store.close)
            return store

        yield make


@pytest.fixture
async def store(make_store: MakeStore) -> Store:
    """An open store."""
    return await make_store()


@pytest.fixture
def engine(store: Store) -> Penstock:
    """An engine over that store."""
    return Penstock(store=store)


@pytest.fixture
async def worker(store: Store) -> HandWorker:
    """A worker by hand."""
    return await HandWorker.register(store)
