"""SQLite: files in a temporary folder, the engine or the floor on them, and what is asked about them."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from penstock.app import Penstock
from penstock.bench.floor_sqlite import SqliteFloor
from penstock.bench.place import Floor, Ground
from penstock.bench.probe_sqlite import SqliteProbe
from penstock.store.sqlite.connection import connect


class Sqlite:
    """Files in the system's temporary folder: its disk is what is measured."""

    store = "sqlite"

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
            connection = connect(Path(folder) / "version.db")
            version = connection.execute("SELECT sqlite_version()").fetchone()[0]
            connection.close()
        self.place = f"SQLite {version}, synchronous=FULL, in the temporary folder"

    @asynccontextmanager
    async def ground(self) -> AsyncIterator[Ground]:
        """An engine with its defaults over a new file."""
        async with _folder() as folder:
            path = folder / "bench.db"
            url = f"sqlite:///{path}"
            async with Penstock(url) as engine:
                yield Ground(url, engine, SqliteProbe(path))

    @asynccontextmanager
    async def floor(self) -> AsyncIterator[Floor]:
        """A floor with the same settings of the file."""
        async with _folder() as folder:
            floor = SqliteFloor(folder / "floor.db")
            try:
                yield floor
            finally:
                floor.close()


@asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="penstock-bench-", ignore_cleanup_errors=True)
    try:
        yield Path(folder.name)
    finally:
        await asyncio.to_thread(folder.cleanup)
