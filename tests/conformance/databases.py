"""The two databases, as the conformance suite sees them: where they are, how to look inside, how to open a store."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg.types.string import TextLoader

from penstock.clock import Clock
from penstock.store.base import Store
from penstock.store.postgres import PostgresStore
from penstock.store.sqlite import SqliteStore

Select = Callable[..., list[tuple[Any, ...]]]


class Database(Protocol):
    """A fresh, migrated database of one test."""

    name: str

    def new_store(self, clock: Clock, **options: Any) -> Store:
        """A store on it, not yet open."""
        ...

    def select(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of a query that names tables as `~jobs` and values as `?`; ids come as text."""
        ...

    def execute(self, sql: str) -> None:
        """Run SQL that names tables as `~jobs`; statements apart by semicolons."""
        ...

    def looking(self) -> AbstractContextManager[Select]:
        """`select` over one connection that is kept."""
        ...

    def alchemy_url(self, *, is_async: bool) -> str:
        """Its URL for SQLAlchemy."""
        ...


@dataclass(slots=True)
class SqliteDatabase:
    """A file."""

    path: Path
    name: str = "sqlite"

    def new_store(self, clock: Clock, **options: Any) -> Store:
        """NORMAL: tests lose no power."""
        return SqliteStore(self.path, clock=clock, synchronous="NORMAL", **options)

    def select(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """See `Database`."""
        with self.looking() as select:
            return select(sql, *values)

    @contextmanager
    def looking(self) -> Iterator[Select]:
        """See `Database`."""
        with closing(sqlite3.connect(self.path, timeout=5)) as connection:
            yield lambda sql, *values: connection.execute(sql.replace("~", "penstock_"), values).fetchall()

    def execute(self, sql: str) -> None:
        """See `Database`."""
        connection = sqlite3.connect(self.path, timeout=5)
        try:
            connection.executescript(sql.replace("~", "penstock_"))
        finally:
            connection.close()

    def alchemy_url(self, *, is_async: bool) -> str:
        """See `Database`."""
        return f"sqlite{'+aiosqlite' if is_async else ''}:///{self.path}"


@dataclass(slots=True)
class PostgresDatabase:
    """A database on the tests' server."""

    url: str
    name: str = "postgres"

    def new_store(self, clock: Clock, **options: Any) -> Store:
        """See `Database`."""
        return PostgresStore(self.url, clock=clock, **options)

    def select(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """See `Database`."""
        with self.looking() as select:
            return select(sql, *values)

    @contextmanager
    def looking(self) -> Iterator[Select]:
        """See `Database`."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.adapters.register_loader("uuid", TextLoader)

            def select(sql: str, *values: Any) -> list[tuple[Any, ...]]:
                query = sql.replace("~", "penstock.").replace("?", "%s").encode()
                return connection.execute(query, values or None).fetchall()

            yield select

    def execute(self, sql: str) -> None:
        """See `Database`."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.replace("~", "penstock.").encode())

    def empty(self) -> None:
        """Make it as it was after its migration, and drop the tests' own table."""
        tables = self.select(
            "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables "
            "WHERE schemaname = 'penstock' AND tablename NOT IN ('meta', 'log_head')"
        )
        self.execute(f"TRUNCATE {tables[0][0]} RESTART IDENTITY")
        self.execute("UPDATE ~log_head SET position = 0; DROP TABLE IF EXISTS notes")

    def alchemy_url(self, *, is_async: bool) -> str:
        """See `Database`; psycopg serves both."""
        return self.url.replace("postgresql://", "postgresql+psycopg://")
