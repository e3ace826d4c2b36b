"""On PostgreSQL, step by step: one transaction stays open while another meets it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import psycopg
import pytest

from penstock.store.postgres import PostgresStore
from penstock.store.program import Program
from tests.conformance.databases import PostgresDatabase
from tests.support.clock import MovableClock

R = TypeVar("R")
Open = Callable[[Program[R]], Coroutine[Any, Any, tuple[R, psycopg.AsyncConnection[Any]]]]
UntilStuck = Callable[["asyncio.Task[Any]"], Awaitable[bool]]


@pytest.fixture
def database(migrated_postgres: PostgresDatabase) -> PostgresDatabase:
    """The PostgreSQL database, emptied."""
    migrated_postgres.empty()
    return migrated_postgres


@pytest.fixture
async def store(database: PostgresDatabase, clock: MovableClock) -> AsyncIterator[PostgresStore]:
    """An open store."""
    store = PostgresStore(database.url, clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def open_transaction(database: PostgresDatabase, store: PostgresStore) -> AsyncIterator[Open[Any]]:
    """Runs a program in a transaction that stays open: answers its result and the connection to commit."""
    async with AsyncExitStack() as stack:

        async def run(program: Program[Any]) -> tuple[Any, psycopg.AsyncConnection[Any]]:
            connection = await psycopg.AsyncConnection.connect(database.url)
            await stack.enter_async_context(connection)
            return await store.run_on(connection, program), connection

        yield run


@pytest.fixture
def until_stuck(database: PostgresDatabase) -> Callable[["asyncio.Task[Any]"], Awaitable[bool]]:
    """Waits until a task is done (False) or a statement of this database waits for a lock (True)."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
        "AND state = 'active'"
    )

    async def wait(task: "asyncio.Task[Any]") -> bool:
        async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:
            while not task.done():
                rows = await (await connection.execute(query)).fetchall()
                if rows[0][0]:
                    return True
                await asyncio.sleep(0.002)
        return False

    return wait
