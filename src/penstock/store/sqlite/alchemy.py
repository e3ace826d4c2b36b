"""Setting a SQLAlchemy engine up for sharing its file, and its transactions, with the engine."""

import time
from typing import Any

from penstock.errors import ConfigurationError
from penstock.store.sqlite.connection import BUSY_SECONDS, is_locked, patiently

# SQLite's own waiting backs off to 100 ms, by which it starves beside a busy writer: wait this long, again and again.
_TRY_MS = 25

READ_ONLY = "penstock_read_only"
"""The execution option of sessions that only read."""


def begin_immediate(engine: Any) -> None:
    """Make this engine's transactions begin IMMEDIATE, in WAL mode, waiting up to 5 s for the write lock.

    `engine`: SQLAlchemy's Engine or AsyncEngine on SQLite, before its first connection. Needed for `on=`: a transaction
    that reads first and writes later cannot wait for the lock, it fails ("database is locked"). What only reads should
    not take it: give such sessions `engine.execution_options(penstock_read_only=True)`.
    Raises ConfigurationError for an engine of another database.
    """
    # SQLAlchemy is an optional extra: who has an engine has it installed.
    from sqlalchemy import event  # noqa: PLC0415

    engine = getattr(engine, "sync_engine", engine)
    if engine.dialect.name != "sqlite":
        raise ConfigurationError(f"begin_immediate() was given an engine on {engine.dialect.name}; it is for SQLite")
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing of its own
    cursor = connection.cursor()
    # The first to open a new file makes its log, which nobody else waits for by himself.
    patiently(lambda: cursor.execute("PRAGMA journal_mode = WAL"))
    cursor.execute(f"PRAGMA busy_timeout = {_TRY_MS}")
    cursor.close()


def _begin(connection: Any) -> None:
    if connection.get_execution_options().get(READ_ONLY, False):
        connection.exec_driver_sql("BEGIN")
        return
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except Exception as error:
            if time.monotonic() >= until or not is_locked(getattr(error, "orig", error)):
                raise
        else:
            return
