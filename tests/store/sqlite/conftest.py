"""A store with a table of things."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.store.sqlite.store import SqliteStore
from tests.store.sqlite.things import make_store, make_table


@pytest.fixture
def things_path(sqlite_path: Path) -> Path:
    """A file with an empty table of things."""
    make_table(sqlite_path)
    return sqlite_path


@pytest.fixture
async def store(things_path: Path) -> AsyncIterator[SqliteStore]:
    """An open store on a file with an empty table of things."""
    store = make_store(things_path)
    await store.open()
    yield store
    await store.close()
