"""Where a scenario takes place: an empty database with its witness, which the scenario may then harm."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from penstock import Penstock
from tests.chaos.evidence import Database
from tests.conformance.databases import PostgresDatabase, SqliteDatabase
from tests.support.cluster import Cluster
from tests.support.postgres import create_database, drop_database, running_server

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Ground:
    """store: `sqlite` or `postgres`. cluster: the server, where the scenario has one of its own."""

    store: str
    url: str
    database: Database
    cluster: Cluster | None = None

    def prepare(self) -> None:
        """Migrate, and let the database witness what is done to it."""

        async def migrate() -> None:
            penstock = Penstock(self.url)
            await penstock.store.migrate()

        asyncio.run(migrate())
        self.database.execute((_HERE / f"witness_{self.store}.sql").read_text())

    def number_events(self) -> None:
        """Give positions to what was published last, as any reader of the log does."""

        async def read() -> None:
            async with Penstock(self.url) as penstock:
                await penstock.events.head()

        asyncio.run(read())


@contextmanager
def sqlite_file(folder: Path) -> Iterator[Ground]:
    """A file in the folder."""
    path = folder / "chaos.db"
    ground = Ground("sqlite", f"sqlite:///{path}", SqliteDatabase(path))
    ground.prepare()
    yield ground


@contextmanager
def shared_server(_: Path) -> Iterator[Ground]:
    """A database on the server of the tests."""
    with running_server() as server:
        url = create_database(server)
        try:
            ground = Ground("postgres", url, PostgresDatabase(url))
            ground.prepare()
            yield ground
        finally:
            drop_database(url)


@contextmanager
def own_server(_: Path) -> Iterator[Ground]:
    """A server that the scenario may stop."""
    with Cluster() as cluster:
        ground = Ground("postgres", cluster.url, PostgresDatabase(cluster.url), cluster)
        ground.prepare()
        yield ground
