"""A system's database: one engine for SQLite or PostgreSQL, a session factory for writes and one for reads.

The job engine lives in the same database and writes through the sessions made here. On SQLite its rule is that a
transaction which is going to write takes the write lock at its beginning: a deferred transaction that has read
something and then wants to write can be refused at once (SQLITE_BUSY without waiting) when another one wrote between.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from sqlalchemy import URL, MetaData, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from penstock import begin_immediate

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


@dataclass(frozen=True, slots=True)
class Database:
    """What the repositories stand on. `sessions` begin by taking the write lock (SQLite), `reads` never do."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    reads: async_sessionmaker[AsyncSession]
    tables: MetaData

    async def create_schema(self) -> None:
        """Creates the tables that are missing, in one transaction; processes that do so at once wait for each other."""
        make_folder(self.engine.url)
        async with self.engine.begin() as connection:
            await lock_schema(connection, self.tables)
            await connection.run_sync(self.tables.create_all)

    async def close(self) -> None:
        """Closes every connection of the pool."""
        await self.engine.dispose()


def open_database(url: str, tables: MetaData) -> Database:
    """A database for `tables` from an address such as `sqlite:///notes.db` or `postgresql://user@host/name`.

    Nothing is connected yet. Raises ValueError for another kind of database or an address that cannot be read.
    """
    address = async_url(url)
    if address.get_backend_name() == "sqlite":
        engine = create_async_engine(address)
        begin_immediate(engine)
        event.listen(engine.sync_engine, "connect", _keep_foreign_keys)
    else:
        # No prepared statements: behind PgBouncer in transaction mode they would be another session's.
        engine = create_async_engine(address, pool_pre_ping=True, connect_args={"prepare_threshold": None})
    return Database(
        engine=engine,
        sessions=async_sessionmaker(engine, expire_on_commit=False),
        reads=async_sessionmaker(engine.execution_options(penstock_read_only=True), expire_on_commit=False),
        tables=tables,
    )


def async_url(url: str) -> URL:
    """The address with the asynchronous driver for its database. Raises ValueError as `open_database` does."""
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise ValueError(f"DATABASE_URL: not an address: {url!r}; write sqlite:///file.db or postgresql://…") from error
    driver = _DRIVERS.get(address.drivername.partition("+")[0])
    if driver is None:
        raise ValueError(f"DATABASE_URL: {address.drivername!r} is not supported; write sqlite:///… or postgresql://…")
    if driver.startswith("sqlite") and address.database in (None, "", ":memory:"):
        raise ValueError("DATABASE_URL: SQLite needs a file, such as sqlite:///work.db")
    return address.set(drivername=driver)


def job_engine_url(url: str) -> str:
    """The same database for the job engine, which picks its drivers itself: without `+psycopg` and the like."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{mark}{rest}"


async def lock_schema(connection: AsyncConnection, tables: MetaData) -> None:
    """Within its transaction no other process changes these tables (on SQLite the write lock sees to that)."""
    if connection.dialect.name == "postgresql":
        # Any number serves that is the same in every process and another one for other tables.
        key = crc32(" ".join(sorted(tables.tables)).encode())
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def make_folder(url: URL) -> None:
    """Makes the folder of a SQLite file."""
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith("file:"):
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)


def _keep_foreign_keys(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
