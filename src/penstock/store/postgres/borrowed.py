"""The caller's own connection or session, as a wire: our statements run on the psycopg connection beneath it.

Rows then come back in the same shape whatever the caller has set up. SQLAlchemy is recognised, not imported.
"""

from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.pq import TransactionStatus

from penstock.errors import ConfigurationError
from penstock.store.postgres.wire import AsyncWire, BlockingWire


async def borrow(connection: Any) -> AsyncWire | BlockingWire:
    """A wire over a SQLAlchemy AsyncSession or AsyncConnection, a psycopg AsyncConnection, or as `borrow_blocking`.

    A SQLAlchemy session or connection begins its transaction, as it would by any statement. Raises ConfigurationError
    for anything else, another driver, and a connection in autocommit mode without an open transaction.
    """
    if not (_is_sqlalchemy(connection) and hasattr(connection, "run_sync")):
        return _async_wire(connection) if isinstance(connection, AsyncConnection) else borrow_blocking(connection)
    if not hasattr(connection, "exec_driver_sql"):
        connection = await connection.connection()
    elif not connection.in_transaction():
        await connection.begin()
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, AsyncConnection):
        raise _unsuitable(driver)
    return _async_wire(driver)


def borrow_blocking(connection: Any) -> BlockingWire:
    """A wire over a SQLAlchemy Session or Connection, or a psycopg Connection. Raises as `borrow`."""
    driver = _blocking_driver(connection) if _is_sqlalchemy(connection) else connection
    if not isinstance(driver, Connection):
        raise _unsuitable(driver)
    _check_transaction(driver)
    return BlockingWire(driver, borrowed=True)


def _blocking_driver(connection: Any) -> Any:
    if hasattr(connection, "run_sync"):
        return connection  # an async one: refused by name
    if not hasattr(connection, "exec_driver_sql"):
        if not hasattr(connection, "get_bind"):
            return connection
        connection = connection.connection()
    elif not connection.in_transaction():
        connection.begin()
    return connection.connection.driver_connection


def _async_wire(connection: AsyncConnection[Any]) -> AsyncWire:
    _check_transaction(connection)
    return AsyncWire(connection, borrowed=True)


def _is_sqlalchemy(connection: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "sqlalchemy" for base in type(connection).__mro__)


def _check_transaction(connection: AsyncConnection[Any] | Connection[Any]) -> None:
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise ConfigurationError(
            "on=: the connection is in autocommit mode and has no open transaction; begin one first, or leave on= out"
        )


def _unsuitable(connection: Any) -> ConfigurationError:
    kind = f"{type(connection).__module__}.{type(connection).__qualname__}"
    return ConfigurationError(
        f"on=: {kind} cannot carry Penstock's statements here; pass a psycopg 3 connection, or a SQLAlchemy session or "
        "connection whose engine is made with postgresql+psycopg:// (an async one only where await is possible)"
    )
