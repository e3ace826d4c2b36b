"""Where the connections of one loop lie between uses."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection

from penstock.store.postgres.parameters import Query
from penstock.store.postgres.pipeline import PipelinedWire

CHECKOUT_SECONDS = 5.0
"""How long a program waits for a connection before the store counts as unavailable."""

# After so long without use a connection has to prove itself: a firewall on the way may have forgotten it.
_QUIET_SECONDS = 60.0
# What lay unused for so long was needed for a peak only.
_SPARE_SECONDS = 600.0
# A server process keeps what it has ever planned; a new one begins small.
_LIFETIME_SECONDS = 3600.0
_RETRY_SECONDS = 0.05
_RETRY_SECONDS_MAX = 1.0
_PROOF = (Query(b"SELECT 1", prepare=False),)
_ROLLBACK = (Query(b"ROLLBACK", prepare=False),)


@dataclass(slots=True, eq=False)
class Kept:
    """A connection, when it was opened and when it was last known to be alive: seconds of the loop's clock."""

    wire: PipelinedWire
    opened_at: float
    alive_at: float


class Shelf:
    """At most `size` connections, opened one after the other as they are needed; the last used is the first taken.

    They are believed to be alive until one is lost; then each has to prove itself once. So the hot path has no round
    trip for checking, and a restarted server costs only what was running. To be made in the loop that uses it.
    """

    def __init__(self, connect: Callable[[], Awaitable[AsyncConnection[Any]]], size: int) -> None:
        self._connect = connect
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._free: deque[Kept] = deque()
        self._waiting: deque[asyncio.Future[Kept]] = deque()
        self._opening: asyncio.Task[None] | None = None
        self._refusal: psycopg.Error | None = None
        self._lost_at = float("-inf")
        self._closed = False
        self._closings: set[asyncio.Task[None]] = set()
        self._none_left = asyncio.Event()
        self._none_left.set()

    async def take(self) -> Kept:
        """A connection, to be given back. Raises psycopg.OperationalError when there is none in time."""
        deadline = self._loop.time() + CHECKOUT_SECONDS
        while True:
            kept = self._free.pop() if self._free else await self._next(deadline)
            if self._is_trusted(kept) or await self._proves_itself(kept, deadline):
                return kept
            self._drop(kept)

    async def give(self, kept: Kept) -> None:
        """Take back a connection, whatever its user has left behind."""
        try:
            if kept.wire.in_transaction:
                with suppress(psycopg.Error):
                    await kept.wire.send(_ROLLBACK)
        finally:
            now = self._loop.time()
            if kept.wire.closed or kept.wire.in_transaction:
                self._lost_at = now
                self._drop(kept)
            elif self._closed or now - kept.opened_at > _LIFETIME_SECONDS:
                self._drop(kept)
            else:
                kept.alive_at = now
                self._put(kept)

    async def close(self) -> None:
        """Close the connections. Who runs may end first, within CHECKOUT_SECONDS; who waits for one is told."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        while self._waiting:
            _refuse(self._waiting.popleft(), "the store is closed")
        while self._free:
            self._drop(self._free.pop())
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECKOUT_SECONDS):
                await self._none_left.wait()
        await asyncio.gather(*self._closings)

    def _is_trusted(self, kept: Kept) -> bool:
        needed = max(self._lost_at, self._loop.time() - _QUIET_SECONDS)
        return kept.alive_at > needed and not kept.wire.closed

    async def _proves_itself(self, kept: Kept, deadline: float) -> bool:
        try:
            async with asyncio.timeout_at(deadline):
                await kept.wire.send(_PROOF)
        except (psycopg.Error, TimeoutError):
            return False
        except BaseException:
            self._drop(kept)
            raise
        return True

    async def _next(self, deadline: float) -> Kept:
        """The next connection that is opened or given back; first come, first served."""
        if self._closed:
            raise psycopg.OperationalError("the store is closed")
        waiter: asyncio.Future[Kept] = self._loop.create_future()
        self._waiting.append(waiter)
        self._grow()
        timer = self._loop.call_at(deadline, self._give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                with suppress(ValueError):  # who passed by has thrown it away
                    self._waiting.remove(waiter)
            elif waiter.exception() is None:
                self._put(waiter.result())
            raise
        finally:
            timer.cancel()

    def _give_up(self, waiter: asyncio.Future[Kept]) -> None:
        if not waiter.done():
            self._waiting.remove(waiter)
            why = f": {self._refusal}" if self._refusal else ""
            _refuse(waiter, f"no connection within {CHECKOUT_SECONDS:g} s{why}")

    def _grow(self) -> None:
        if self._waiting and self._count < self._size and self._opening is None and not self._closed:
            self._opening = self._loop.create_task(self._open(), name="penstock-connect")

    async def _open(self) -> None:
        """Open connections as long as somebody waits for one."""
        pause = _RETRY_SECONDS
        try:
            while self._waiting and self._count < self._size:
                try:
                    wire = PipelinedWire(await self._connect())
                except psycopg.Error as error:
                    self._refusal = error
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _RETRY_SECONDS_MAX)
                else:
                    self._refusal = None
                    self._count += 1
                    self._none_left.clear()
                    now = self._loop.time()
                    self._put(Kept(wire, now, now))
        finally:
            self._opening = None

    def _put(self, kept: Kept) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(kept)
                return
        self._free.append(kept)
        if kept.alive_at - self._free[0].alive_at > _SPARE_SECONDS:
            self._drop(self._free.popleft())

    def _drop(self, kept: Kept) -> None:
        self._count -= 1
        if self._count == 0:
            self._none_left.set()
        closing = self._loop.create_task(kept.wire.close(), name="penstock-disconnect")
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)
        self._grow()


def _refuse(waiter: asyncio.Future[Kept], why: str) -> None:
    if not waiter.done():
        waiter.set_exception(psycopg.OperationalError(why))
