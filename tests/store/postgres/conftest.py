"""A migrated database with a table of the tests' own, and stores that also know the tests' statements."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest

from penstock.store.postgres import PostgresStore
from penstock.store.postgres import store as store_module
from penstock.store.postgres.parameters import own_statements, prepare
from tests.store.postgres.programs import STATEMENTS, MakeStore


@pytest.fixture(autouse=True)
def _test_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    both = prepare(STATEMENTS)
    both.update(own_statements())
    monkeypatch.setattr(store_module, "own_statements", lambda: both)


@pytest.fixture
def database(postgres_url: str) -> str:
    """The URL of a database that holds the table `notes`, and no schema of ours yet."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE notes (id bigint PRIMARY KEY, text text NOT NULL)")
    return postgres_url


@pytest.fixture
async def make_store(database: str) -> AsyncIterator[MakeStore]:
    """Opens stores on this test's database; they are closed after it."""
    async with AsyncExitStack() as stack:

        async def make(**options: Any) -> PostgresStore:
            store = PostgresStore(database, auto_migrate=True, **options)
            stack.push_async_callback(store.close)
            await store.open()
            return store

        yield make


@pytest.fixture
async def store(make_store: MakeStore) -> PostgresStore:
    """An open store."""
    made: PostgresStore = await make_store()
    return made
