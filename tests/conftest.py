"""Fixtures for all tests: a PostgreSQL server, and fresh databases of both kinds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Server, create_database, drop_database, running_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server; with several test processes an embedded one is started by each that needs it."""
    with running_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """The libpq URL of an empty PostgreSQL database of this test's own."""
    url = create_database(postgres_server)
    yield url
    drop_database(url)


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """Where this test may create its SQLite file; nothing is there yet."""
    return tmp_path / "test.db"
