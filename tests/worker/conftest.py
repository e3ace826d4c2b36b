"""Engines on both stores for tests of the worker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.app import Penstock
from penstock.store.postgres import PostgresStore
from penstock.store.sqlite import SqliteStore
from tests.worker.working import NO_PROFILE


@pytest.fixture
async def engine(sqlite_path: Path) -> AsyncIterator[Penstock]:
    """An engine on a SQLite file of this test's own, open."""
    async with Penstock(store=SqliteStore(sqlite_path, synchronous="NORMAL"), **NO_PROFILE) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
async def any_engine(request: pytest.FixtureRequest, sqlite_path: Path) -> AsyncIterator[Penstock]:
    """An engine on each of the two stores, open."""
    if request.param == "sqlite":
        store: SqliteStore | PostgresStore = SqliteStore(sqlite_path, synchronous="NORMAL")
    else:
        store = PostgresStore(request.getfixturevalue("postgres_url"), auto_migrate=True)
    async with Penstock(store=store, **NO_PROFILE) as opened:
        yield opened
    if isinstance(store, PostgresStore):
        store.close_sync()
