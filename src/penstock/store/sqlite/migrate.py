"""Bringing a file's schema up to this code: each migration whole or not at all, one process at a time."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from penstock.errors import ConfigurationError, SchemaError
from penstock.store.migrations import Migration, SchemaState, pending
from penstock.store.sqlite.connection import connect, patiently


def migrate(path: Path, migrations: list[Migration], synchronous: str = "FULL") -> list[int]:
    """Apply what is missing; answers the numbers applied now.

    Raises SchemaError when the schema needs newer code, or when a migration fails (the ones before it stay).
    """
    connection = connect(path, synchronous=synchronous)
    try:
        done: list[int] = []
        while pending(migrations, _state(connection)):
            patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
            done += _apply_next(connection, migrations)
        return done
    finally:
        connection.close()


def _state(connection: sqlite3.Connection) -> SchemaState:
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'penstock_meta'").fetchall():
        return SchemaState(0, 1)
    found = dict(connection.execute("SELECT key, value FROM penstock_meta").fetchall())
    return SchemaState(int(found["schema_version"]), int(found["compatible_from"]))


def _apply_next(connection: sqlite3.Connection, migrations: list[Migration]) -> list[int]:
    """Under the lock: look again, since another process may have applied it, then apply one."""
    try:
        waiting = pending(migrations, _state(connection))
        if waiting:
            _apply(connection, waiting[0])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return [migration.number for migration in waiting[:1]]


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    for statement in split(migration):
        try:
            connection.execute(statement)
        except sqlite3.Error as error:
            raise SchemaError(
                f"migration {migration.number:04}_{migration.name} failed and was undone: {error}; {statement[:200]}"
            ) from error
    connection.execute("CREATE TABLE IF NOT EXISTS penstock_meta (key text PRIMARY KEY, value text NOT NULL)")
    connection.executemany(
        "INSERT INTO penstock_meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [("schema_version", str(migration.number)), ("compatible_from", str(migration.compatible_from))],
    )


def split(migration: Migration) -> Iterator[str]:
    """The statements of a migration. `executescript` would commit before it begins, so they are run one by one."""
    part = ""
    for line in migration.sql.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            yield part.strip()
            part = ""
    if any(line.strip() and not line.lstrip().startswith("--") for line in part.splitlines()):
        raise ConfigurationError(f"migration {migration.number:04}_{migration.name} ends inside a statement; add ';'")
