"""The store on PostgreSQL 13 and newer."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any, TypeVar

from penstock.clock import Clock, SteadyClock
from penstock.errors import StoreUnavailable
from penstock.store import migrations
from penstock.store.base import OnWake, Store, Subscription, Topics
from penstock.store.lanes import LaneCache
from penstock.store.postgres import schema
from penstock.store.postgres.address import parse
from penstock.store.postgres.blocking import run_blocking
from penstock.store.postgres.borrowed import borrow, borrow_blocking
from penstock.store.postgres.failures import translated
from penstock.store.postgres.listener import Listener
from penstock.store.postgres.notifier import BlockingNotifier, Notifier
from penstock.store.postgres.notify import notify_query
from penstock.store.postgres.parameters import Query, own_statements
from penstock.store.postgres.pools import AsyncPool, BlockingPool, Pool, connected, connected_blocking
from penstock.store.postgres.runner import Runner
from penstock.store.postgres.transaction import DURABLE, HASTE, HASTY, SNAPSHOT, Frame
from penstock.store.postgres.wakeups import Wakeups
from penstock.store.postgres.wire import Wire
from penstock.store.program import Program

R = TypeVar("R")

_NOW = Query(b"SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


@dataclass(frozen=True, slots=True)
class _Opened:
    """What belongs to the loop that opened the store."""

    loop: asyncio.AbstractEventLoop
    pool: AsyncPool
    runner: Runner
    notifier: Notifier
    wakeups: Wakeups


class PostgresStore(Store):
    """Runs programs on PostgreSQL.

    When a connection breaks while a commit is under way, StoreUnavailable is raised though the commit may have
    happened: what is run again must be fenced or have ids of its own, as all of the engine's programs do.

    The `_sync` methods need no `open()`: the first use checks the schema; end with `close_sync()`. They share two
    connections of their own.
    """

    side_by_side = True

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        pool_size: int = 8,
        listen_url: str | None = None,
        auto_migrate: bool = False,
    ) -> None:
        """`url` as `address.parse` reads it.

        clock: instead of the database's own time. pool_size: connections of the loop at most. listen_url: a direct
        way to the server for LISTEN, when `url` leads to a pooler. auto_migrate: bring the schema up to date when
        opening, instead of refusing. Raises ConfigurationError for a bad URL.
        """
        self._address = parse(url)
        self._listen_address = parse(listen_url) if listen_url else self._address
        self._pool_size = pool_size
        self._auto_migrate = auto_migrate
        steady = SteadyClock()
        self.clock: Clock = steady if clock is None else clock
        self._steady = steady if clock is None else None
        self._statements = own_statements()
        self._migrations = migrations.load("penstock.store.postgres.migrations")
        self._lanes = LaneCache()
        self._mark = secrets.token_hex(4)
        self._checked = False
        self._opened: _Opened | None = None
        self._opening = asyncio.Lock()
        self._closed = False
        self._blocking_pool = BlockingPool(self._address)
        self._blocking_runner = Runner(self._blocking_pool, self._statements, self._lanes)
        self._blocking_notifier = BlockingNotifier(lambda topics: self._notify(self._blocking_runner, topics))

    async def open(self) -> None:
        """Connect, check server, schema and clock. Raises StoreUnavailable, SchemaError, ConfigurationError."""
        self._closed = False
        await self._ready()

    async def _connected(self) -> _Opened:
        pool = AsyncPool(self._address, self._pool_size)
        with translated():
            async with connected(self._address) as wire:
                await self._check(wire)
        runner = Runner(pool, self._statements, self._lanes)
        return _Opened(
            loop=asyncio.get_running_loop(),
            pool=pool,
            runner=runner,
            notifier=Notifier(lambda topics: self._notify(runner, topics)),
            wakeups=Wakeups(Listener(self._listen_address, self._mark, self._deliver)),
        )

    async def close(self) -> None:
        """Let running transactions end and close every connection. The store can be opened again."""
        self._closed = True
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.wakeups.close()
            await opened.notifier.close()
            await opened.pool.close()
        await asyncio.to_thread(self.close_sync)

    def close_sync(self) -> None:
        """Close the connections of the `_sync` methods; a later call opens them again."""
        self._blocking_notifier.close()
        self._blocking_pool.close()

    async def migrate(self) -> list[int]:
        """Bring the schema up to this code, on a connection of its own; also before `open()`.

        Answers the numbers applied now. Raises SchemaError, StoreUnavailable, ConfigurationError.
        """
        with translated():
            async with connected(self._address) as wire:
                return await schema.migrate(wire, self._migrations)

    async def run(self, program: Program[R], *, durable: bool = True) -> R:
        """Run a program in one transaction; after a deadlock again, up to five times."""
        opened = await self._ready()
        result, topics = await opened.runner.run(program, DURABLE if durable else HASTY)
        if topics:
            self._announce(opened, topics)
        return result

    async def read(self, program: Program[R]) -> R:
        """Run a program that only reads, on one snapshot."""
        result, _ = await (await self._ready()).runner.run(program, SNAPSHOT)
        return result

    async def run_on(self, connection: Any, program: Program[R]) -> R:
        """Run a program inside the caller's open transaction; its wake-ups travel with the caller's commit.

        When it raises, nothing of it stays in the transaction, which can go on.
        """
        runner = (await self._ready()).runner
        with translated():
            wire = await borrow(connection)
        return await runner.run_inside(wire, program)

    def run_sync(self, program: Program[R], *, durable: bool = True) -> R:
        """As `run`, blocking."""
        result, topics = run_blocking(self._blocking(program, DURABLE if durable else HASTY))
        if topics:
            self._announce_from_thread(topics)
        return result

    def read_sync(self, program: Program[R]) -> R:
        """As `read`, blocking."""
        return run_blocking(self._blocking(program, SNAPSHOT))[0]

    def run_on_sync(self, connection: Any, program: Program[R]) -> R:
        """As `run_on`, blocking."""
        with translated():
            wire = borrow_blocking(connection)
        return run_blocking(self._blocking_runner.run_inside(wire, program))

    def subscribe(self, on_wake: OnWake) -> Subscription:
        """Call `on_wake(topics)` for each wake-up; the first subscriber starts the listening connection."""
        return self._require().wakeups.add(on_wake)

    async def measure_clock(self) -> None:
        """Set the clock by the database's; nothing happens with a clock that was given. Raises StoreUnavailable."""
        await self._measure_over((await self._ready()).pool)

    def measure_clock_sync(self) -> None:
        """As `measure_clock`, blocking."""
        run_blocking(self._measure_over(self._blocking_pool))

    @property
    def newest_migration(self) -> int:
        """The number of the newest migration this code has."""
        return len(self._migrations)

    async def _measure_over(self, pool: Pool) -> None:
        with translated():
            async with pool.wire() as wire:
                await self._measure(wire)

    async def _measure(self, wire: Wire) -> None:
        if self._steady is not None:
            asked_at = time.monotonic_ns() // 1_000
            rows = await wire.send((_NOW,))
            self._steady.measured(rows[0][0], asked_at, time.monotonic_ns() // 1_000)

    async def _check(self, wire: Wire) -> None:
        if self._auto_migrate:
            await schema.migrate(wire, self._migrations)
        else:
            await schema.check_schema(wire, self._migrations)
        await self._measure(wire)
        self._checked = True

    async def _blocking(self, program: Program[R], frame: Frame) -> tuple[R, Topics]:
        if not self._checked:
            with translated():
                async with connected_blocking(self._address) as wire:
                    await self._check(wire)
        return await self._blocking_runner.run(program, frame)

    async def _ready(self) -> _Opened:
        if self._opened is None:
            async with self._opening:
                if self._closed:
                    raise StoreUnavailable("the store is closed: call `await store.open()` to use it again")
                if self._opened is None:  # another task may have been quicker
                    self._opened = await self._connected()
        return self._require()

    def _require(self) -> _Opened:
        if self._opened is None:
            raise StoreUnavailable("the store is not open: call open() first")
        return self._opened

    def _announce(self, opened: _Opened, topics: Topics) -> None:
        opened.wakeups.deliver(topics)
        opened.notifier.announce(topics, heard_here=opened.wakeups.has_subscribers)

    def _announce_from_thread(self, topics: Topics) -> None:
        opened = self._opened
        if opened is None or opened.loop.is_closed():
            self._blocking_notifier.announce(topics)
        else:
            opened.loop.call_soon_threadsafe(self._announce, opened, topics)

    def _deliver(self, topics: Topics) -> None:
        if self._opened is not None:
            self._opened.wakeups.deliver(topics)

    async def _notify(self, runner: Runner, topics: Topics) -> None:
        await runner.send((HASTE, notify_query(topics, self._mark)))
