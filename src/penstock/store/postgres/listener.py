"""Hearing wake-ups: one connection that listens, makes sure that it still hears, and comes back when it was lost."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import AsyncConnection

from penstock.store.base import Topics
from penstock.store.postgres.address import Address
from penstock.store.postgres.notify import EVERYTHING, LISTEN, ping_query, received
from penstock.store.postgres.pools import connect_options
from penstock.store.postgres.wire import AsyncWire

logger = logging.getLogger(__name__)

PING_SECONDS = 10.0
MAX_MISSED = 3
_SEND_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0


class Deaf(Exception):
    """The connection lives, but our own notifications no longer come back (a pooler, a half-dead server)."""


class Listener:
    """Calls `on_wake` for every notification, except those that bear our own mark, whose listeners know already.

    After each connection made `on_wake` gets the empty set: what was sent before is unknown. `on_wake` must not raise.
    """

    def __init__(
        self, address: Address, mark: str, on_wake: Callable[[Topics], None], *, ping_seconds: float = PING_SECONDS
    ) -> None:
        self._address = address
        self._mark = mark
        self._on_wake = on_wake
        self._ping_seconds = ping_seconds
        self._missed = 0
        self._failures = 0

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError, Deaf) as error:
                logger.warning("listening for wake-ups is interrupted, polling goes on: %s", error)
            await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        self._failures += 1
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures, 10))
        return random.uniform(_FIRST_PAUSE, longest)  # noqa: S311 - jitter, no secret

    async def _listen(self) -> None:
        connection = await AsyncConnection.connect(self._address.conninfo, **connect_options(self._address))
        try:
            await AsyncWire(connection).send((LISTEN,))
            self._missed = self._failures = 0
            self._on_wake(EVERYTHING)
            while self._missed < MAX_MISSED:
                await self._hear(connection)
                await self._ping(connection)
        finally:
            await connection.close()
        raise Deaf(f"{MAX_MISSED} notifications to ourselves did not come back")

    async def _hear(self, connection: AsyncConnection[Any]) -> None:
        """Hand on what comes, for about as long as lies between two pings."""
        seconds = self._ping_seconds * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, no secret
        async for notification in connection.notifies(timeout=seconds):
            self._missed = 0
            said = received(notification.payload)
            if not said.ping and said.sender != self._mark:
                self._on_wake(said.topics)

    async def _ping(self, connection: AsyncConnection[Any]) -> None:
        self._missed += 1
        async with asyncio.timeout(_SEND_SECONDS):
            await AsyncWire(connection).send((ping_query(self._mark),))
