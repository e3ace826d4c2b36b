"""Pools of our own connections, async and blocking, behind one interface."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, Connection
from psycopg_pool import ConnectionPool

from penstock.errors import ConfigurationError
from penstock.store.postgres.adapters import OURS
from penstock.store.postgres.address import Address
from penstock.store.postgres.shelf import CHECKOUT_SECONDS, Shelf
from penstock.store.postgres.wire import AsyncWire, BlockingWire, Wire

_BLOCKING_SIZE = 2
# More than there are statements, times the few combinations of parameter types each is called with.
_PREPARED_MAX = 400


class Pool(Protocol):
    """Where a runner gets its connections, and how it waits."""

    def wire(self) -> AbstractAsyncContextManager[Wire]:
        """A connection for as long as the context lasts; an open transaction is rolled back when it ends in an error.

        Raises psycopg's errors.
        """
        ...

    async def pause(self, seconds: float) -> None:
        """Wait."""
        ...


class _Trust:
    """Which blocking connections are believed to be alive, by the rule of the `Shelf`."""

    def __init__(self) -> None:
        self._losses = 0
        self._proven: WeakKeyDictionary[Connection[Any], int] = WeakKeyDictionary()

    def lost(self) -> None:
        """A connection broke."""
        self._losses += 1

    def check(self, connection: Connection[Any]) -> None:
        """For the pool, before it hands out a connection. Raises when it is dead."""
        if self._proven.get(connection, 0) != self._losses:
            losses = self._losses
            ConnectionPool.check_connection(connection)
            self._proven[connection] = losses


def connect_options(address: Address) -> dict[str, Any]:
    """Keyword arguments of `connect` for connections of our own."""
    return {"autocommit": True, "context": OURS, "prepare_threshold": 0 if address.prepared else None}


@asynccontextmanager
async def connected(address: Address) -> AsyncIterator[Wire]:
    """A connection outside any pool, for the time of the context. What is wrong with connecting is said at once."""
    async with await AsyncConnection.connect(address.conninfo, **connect_options(address)) as connection:
        yield AsyncWire(connection)


@asynccontextmanager
async def connected_blocking(address: Address) -> AsyncIterator[Wire]:
    """As `connected`; never waits for a loop."""
    with Connection.connect(address.conninfo, **connect_options(address)) as connection:
        yield BlockingWire(connection)


class _Use:
    """One use of a connection from the shelf."""

    __slots__ = ("_kept", "_shelf")

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def __aenter__(self) -> Wire:
        self._kept = await self._shelf.take()
        return self._kept.wire

    async def __aexit__(self, *_: object) -> None:
        await self._shelf.give(self._kept)


class AsyncPool:
    """Connections for the running loop: up to `size` are opened as needed."""

    def __init__(self, address: Address, size: int) -> None:
        options = connect_options(address)
        self._shelf = Shelf(lambda: AsyncConnection.connect(address.conninfo, **options), size)

    async def close(self) -> None:
        """Close every connection; running programs end first, within CHECKOUT_SECONDS or on what they hold."""
        await self._shelf.close()

    def wire(self) -> AbstractAsyncContextManager[Wire]:
        """A connection."""
        return _Use(self._shelf)

    async def pause(self, seconds: float) -> None:
        """Wait, letting others run."""
        await asyncio.sleep(seconds)


class BlockingPool:
    """Up to two connections for threads, opened at the first use; its coroutines never wait for a loop."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._pool: ConnectionPool[Connection[Any]] | None = None
        self._trust = _Trust()
        self._pid = 0

    def close(self) -> None:
        """Close its connections; a later use opens it again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and self._pid == os.getpid():
            pool.close()

    @asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        """A connection."""
        with self._opened().connection() as connection:
            try:
                yield BlockingWire(connection)
            finally:
                if connection.closed:
                    self._trust.lost()

    async def pause(self, seconds: float) -> None:
        """Wait, blocking the thread."""
        time.sleep(seconds)  # noqa: ASYNC251 - no loop runs this coroutine

    def _opened(self) -> "ConnectionPool[Connection[Any]]":
        with self._lock:
            if self._pool is None:
                self._pid = os.getpid()
                self._pool = ConnectionPool(
                    self._address.conninfo,
                    kwargs=connect_options(self._address),
                    min_size=0,
                    max_size=_BLOCKING_SIZE,
                    open=True,
                    configure=_configure_blocking,
                    check=self._trust.check,
                    timeout=CHECKOUT_SECONDS,
                    num_workers=1,
                    name="penstock-blocking",
                )
            elif self._pid != os.getpid():
                raise ConfigurationError("the store was used before this process was forked; create a new one after")
            return self._pool


def _configure_blocking(connection: Connection[Any]) -> None:
    connection.prepared_max = _PREPARED_MAX
