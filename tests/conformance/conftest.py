"""Every test of this folder runs on both stores, each in an empty database with a clock that stands still."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from penstock import Penstock
from penstock.store.base import Store
from penstock.store.postgres import PostgresStore
from tests.conformance.databases import Database, PostgresDatabase, SqliteDatabase
from tests.conformance.ears import Ear
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker
from tests.support.postgres import Server, create_database, drop_database

MakeStore = Callable[..., Awaitable[Store]]


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: Server) -> Iterator[PostgresDatabase]:
    """One migrated database for all tests: emptying it is several times quicker than making another."""
    url = create_database(postgres_server)
    asyncio.run(PostgresStore(url).migrate())
    yield PostgresDatabase(url)
    drop_database(url)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A migrated database with nothing in it."""
    if request.param == "sqlite":
        return SqliteDatabase(tmp_path / "test.db")
    database: PostgresDatabase = request.getfixturevalue("migrated_postgres")
    database.empty()
    return database


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
async def ear(database: Database, make_store: MakeStore) -> AsyncIterator[Ear]:
    """An ear at another store, as in another process."""
    ear = Ear()
    subscription = (await make_store()).subscribe(ear.told.put_nowait)
    if database.name == "postgres":
        # "Look at everything": now the line is up, and nothing is lost any more.
        assert await ear.told.get() == frozenset()
    yield ear
    subscription.close()


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
