"""Running a program inside the transaction of a connection or session that the caller lends.

Accepted: `sqlite3.Connection`, `aiosqlite.Connection`, and SQLAlchemy's Session, Connection, AsyncSession and
AsyncConnection (also scoped ones). Neither aiosqlite nor SQLAlchemy is imported: both are recognised by their classes.

The program runs in a savepoint, so that one that raises leaves nothing behind, even if the caller commits after all.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, NamedTuple, TypeVar

from penstock.errors import ConfigurationError
from penstock.store.program import Program, Row
from penstock.store.sqlite.connection import is_locked, translated
from penstock.store.sqlite.runner import Outcome, SqlStep, Statements, as_sql

R = TypeVar("R")
Steps = Generator[SqlStep, list[Row], Outcome[R]]
Params = Mapping[str, Any]

# Any statement that could write takes the lock, also when it finds no row.
_TAKE_LOCK = "DELETE FROM penstock_meta WHERE key IS NULL"

_HOW_TO_BEGIN = (
    "begin it with BEGIN IMMEDIATE; for SQLAlchemy call penstock.begin_immediate(engine) once, where the engine is made"
)
_SESSIONS = {"Session", "scoped_session"}
_ASYNC_SESSIONS = {"AsyncSession", "async_scoped_session"}
_KNOWN = _SESSIONS | _ASYNC_SESSIONS | {"Connection", "AsyncConnection"}


class Borrowed(NamedTuple):
    """A caller's connection: how to run SQL on it, and whether a transaction is open."""

    execute: Callable[[str, Params], list[Row]]
    in_transaction: Callable[[], bool]


class AsyncBorrowed(NamedTuple):
    """As `Borrowed`; `execute` is awaited."""

    execute: Callable[[str, Params], Awaitable[list[Row]]]
    in_transaction: Callable[[], bool]


def run(borrowed: Borrowed, program: Program[R], known: Statements) -> Outcome[R]:
    """Run a program in the caller's transaction. Raises ConfigurationError when that holds no write lock."""
    steps = _guarded(program, known, borrowed.in_transaction)
    try:
        sql, params = next(steps)
        while True:
            try:
                rows = borrowed.execute(sql, params)
            except Exception as error:  # noqa: BLE001 - it goes on in the generator, which undoes and raises it
                sql, params = steps.throw(error)
            else:
                sql, params = steps.send(rows)
    except StopIteration as end:
        outcome: Outcome[R] = end.value
        return outcome
    finally:
        steps.close()


async def run_async(borrowed: AsyncBorrowed, program: Program[R], known: Statements) -> Outcome[R]:
    """As `run`. When cancelled the savepoint is left to the caller's rollback."""
    steps = _guarded(program, known, borrowed.in_transaction)
    try:
        sql, params = next(steps)
        while True:
            try:
                rows = await borrowed.execute(sql, params)
            except Exception as error:  # noqa: BLE001 - it goes on in the generator, which undoes and raises it
                sql, params = steps.throw(error)
            else:
                sql, params = steps.send(rows)
    except StopIteration as end:
        outcome: Outcome[R] = end.value
        return outcome
    finally:
        steps.close()


def _guarded(program: Program[R], known: Statements, in_transaction: Callable[[], bool]) -> Steps[R]:
    """The SQL of a program with what surrounds it on a lent connection; errors of the database are thrown in."""
    if not in_transaction():
        raise ConfigurationError(f"the connection given with on= has no open transaction; {_HOW_TO_BEGIN}")
    try:
        yield _TAKE_LOCK, {}
    except Exception as error:
        if is_locked(_driver_error(error)):
            raise ConfigurationError(f"the transaction given with on= holds no write lock; {_HOW_TO_BEGIN}") from error
        raise
    yield "SAVEPOINT penstock_program", {}
    try:
        outcome = yield from as_sql(program, known, None)
    except Exception as error:
        if in_transaction():  # disk full and the like end it
            yield "ROLLBACK TO penstock_program", {}
            yield "RELEASE penstock_program", {}
        cause = _driver_error(error)
        if isinstance(cause, sqlite3.Error) and translated(cause) is not cause:
            raise translated(cause) from error
        raise
    yield "RELEASE penstock_program", {}
    return outcome


def borrow(connection: Any) -> Borrowed | None:
    """A synchronous connection or session; None when it is none of those known."""
    if isinstance(connection, sqlite3.Connection):
        return _from_sqlite3(connection)
    kind = _alchemy_class(connection)
    if kind in _SESSIONS:
        return _from_alchemy(connection.connection())
    if kind == "Connection":
        return _from_alchemy(connection)
    return None


async def borrow_async(connection: Any) -> AsyncBorrowed | None:
    """An asynchronous connection or session; None when it is none of those known."""
    if type(connection).__module__.partition(".")[0] == "aiosqlite":
        return _from_aiosqlite(connection)
    kind = _alchemy_class(connection)
    if kind in _ASYNC_SESSIONS:
        return _from_async_alchemy(await connection.connection())
    if kind == "AsyncConnection":
        return _from_async_alchemy(connection)
    return None


def unknown(connection: Any) -> ConfigurationError:
    """The error for a connection that nothing here can use."""
    cls = type(connection)
    return ConfigurationError(
        f"on= was given {cls.__module__}.{cls.__qualname__}; the SQLite store takes a sqlite3 or aiosqlite connection, "
        "or a SQLAlchemy session or connection (the async ones in async code only)"
    )


def _alchemy_class(connection: Any) -> str | None:
    for cls in type(connection).__mro__:
        if cls.__module__.startswith("sqlalchemy.") and cls.__name__ in _KNOWN:
            return cls.__name__
    return None


def _driver_error(error: BaseException) -> BaseException:
    """SQLAlchemy wraps the driver's error and keeps it in `orig`."""
    return getattr(error, "orig", None) or error


def _check_dialect(connection: Any) -> None:
    if connection.dialect.name != "sqlite":
        raise ConfigurationError(
            f"on= was given a session on {connection.dialect.name}, but this store is SQLite; both must be one database"
        )


def _rows(result: Any) -> list[Row]:
    return [tuple(row) for row in result.fetchall()] if result.returns_rows else []


def _from_alchemy(connection: Any) -> Borrowed:
    _check_dialect(connection)
    driver = connection.connection.driver_connection
    return Borrowed(lambda sql, params: _rows(connection.exec_driver_sql(sql, params)), lambda: driver.in_transaction)


def _from_async_alchemy(connection: Any) -> AsyncBorrowed:
    _check_dialect(connection)
    driver = connection.sync_connection.connection.driver_connection

    async def execute(sql: str, params: Params) -> list[Row]:
        return _rows(await connection.exec_driver_sql(sql, params))

    return AsyncBorrowed(execute, lambda: driver.in_transaction)


def _from_sqlite3(connection: sqlite3.Connection) -> Borrowed:
    def execute(sql: str, params: Params) -> list[Row]:
        cursor = connection.cursor()
        cursor.row_factory = None  # the caller's rows may be of another shape
        return cursor.execute(sql, params).fetchall()

    return Borrowed(execute, lambda: connection.in_transaction)


def _from_aiosqlite(connection: Any) -> AsyncBorrowed:
    async def execute(sql: str, params: Params) -> list[Row]:
        cursor = await connection.cursor()
        cursor.row_factory = None
        await cursor.execute(sql, params)
        return list(await cursor.fetchall())

    return AsyncBorrowed(execute, lambda: connection.in_transaction)
