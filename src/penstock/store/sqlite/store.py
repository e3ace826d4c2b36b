"""`SqliteStore`: the store contract on one SQLite file."""

import asyncio
import os
from threading import Lock
from typing import Any, NamedTuple, TypeVar

from penstock.clock import Clock, SystemClock
from penstock.errors import ConfigurationError, StoreUnavailable
from penstock.store import migrations
from penstock.store.base import OnWake, Store, Subscription
from penstock.store.lanes import LaneCache
from penstock.store.program import Program, anywhere
from penstock.store.sqlite import borrowed
from penstock.store.sqlite.callers import CallerTransaction, opener
from penstock.store.sqlite.connection import check_version, database_path
from penstock.store.sqlite.migrate import migrate
from penstock.store.sqlite.readers import Readers
from penstock.store.sqlite.runner import Outcome, Statements, own_statements
from penstock.store.sqlite.wakeup import Wakeups
from penstock.store.sqlite.writer import Writer

R = TypeVar("R")

LEVELS = ("NORMAL", "FULL", "EXTRA")


class _Open(NamedTuple):
    """What an open store holds; `pid`: the process that opened it."""

    writer: Writer
    readers: Readers
    wakeups: Wakeups
    pid: int


class SqliteStore(Store):
    """Programs on one SQLite file in WAL mode.

    `path_or_url`: a path, or `sqlite:///file.db`. `synchronous`: FULL (the default) survives power loss, EXTRA also
    syncs the folder, NORMAL may lose the last commits with the power, not with the process. `readers`: reading threads.
    Raises ConfigurationError for wrong arguments and for a SQLite older than 3.35.

    Opening is not bound to an event loop: sync code may `asyncio.run(store.open())` and use the `_sync` methods.
    """

    def __init__(
        self,
        path_or_url: str | os.PathLike[str],
        *,
        clock: Clock | None = None,
        synchronous: str = "FULL",
        readers: int = 2,
    ) -> None:
        check_version()
        if synchronous not in LEVELS:
            raise ConfigurationError(f"synchronous={synchronous!r} must be one of {', '.join(LEVELS)}")
        if readers < 1:
            raise ConfigurationError(f"readers={readers} must be 1 or more")
        self.clock = clock or SystemClock()
        self.path = database_path(path_or_url)
        self._synchronous = synchronous
        self._reader_count = readers
        self._statements: Statements = own_statements()
        self._migrations = migrations.load("penstock.store.sqlite.migrations")
        self._lanes = LaneCache()
        self._opened: _Open | None = None
        self._opening = Lock()
        self._closed = False

    async def open(self) -> None:
        """Migrate and start. Raises SchemaError, ConfigurationError (the file cannot be opened), StoreUnavailable."""
        self._closed = False
        await asyncio.to_thread(self._parts)

    async def close(self) -> None:
        """Let running programs end and close every connection; nothing happens when it is not open."""
        self._closed = True
        if self._opened is None:
            return
        parts = self._parts()
        self._opened = None
        parts.wakeups.end_subscriptions()
        await asyncio.to_thread(parts.writer.close)
        await asyncio.to_thread(parts.readers.close)
        parts.wakeups.close()
        self._lanes.forget()

    async def migrate(self) -> list[int]:
        """Apply the missing migrations now; answers their numbers. `open` does the same."""
        return await asyncio.to_thread(self._migrate)

    async def run(self, program: Program[R], *, durable: bool = True) -> R:
        """Run a program with the next group of the writer. Cancelled before its turn, it is not run."""
        return await self._parts().writer.submit_from_loop(program, durable)

    async def read(self, program: Program[R]) -> R:
        """Run a program that only reads, on a snapshot."""
        return await asyncio.wrap_future(self._parts().readers.submit(program))

    async def run_on(self, connection: Any, program: Program[R]) -> R:
        """Run a program in the caller's transaction, inside a savepoint; see `Store.run_on`.

        Other processes and this one are woken when that transaction is over, a few milliseconds later.
        """
        parts = self._parts()
        lent = await borrowed.borrow_async(connection)
        if lent is None:
            return self.run_on_sync(connection, program)
        return _handed_over(parts.writer, await borrowed.run_async(lent, program, self._statements))

    def run_sync(self, program: Program[R], *, durable: bool = True) -> R:
        """As `run`, blocking."""
        return self._parts().writer.submit(program, durable).result()

    def read_sync(self, program: Program[R]) -> R:
        """As `read`, blocking."""
        return self._parts().readers.submit(program).result()

    def run_on_sync(self, connection: Any, program: Program[R]) -> R:
        """As `run_on` for a synchronous connection or session."""
        parts = self._parts()
        lent = borrowed.borrow(connection)
        if lent is None:
            raise borrowed.unknown(connection)
        return _handed_over(parts.writer, borrowed.run(lent, program, self._statements))

    def subscribe(self, on_wake: OnWake) -> Subscription:
        """Call `on_wake(topics)` in the running loop for each wake-up. All subscribers share one loop."""
        return self._parts().wakeups.subscribe(on_wake)

    def measure_clock_sync(self) -> None:
        """The file's time is this machine's: there is nothing to measure."""

    @property
    def newest_migration(self) -> int:
        """The number of the newest migration this code has."""
        return len(self._migrations)

    def _migrate(self) -> list[int]:
        return migrate(self.path, self._migrations, self._synchronous)

    def _open(self) -> _Open:
        self._migrate()
        wakeups = Wakeups(self.path, lambda on: writer.watch(on))
        writer = Writer(self.path, self._synchronous, self._statements, self._lanes, wakeups)
        readers = Readers(self.path, self._statements, self._reader_count)
        return _Open(writer, readers, wakeups, os.getpid())

    def _parts(self) -> _Open:
        """What is open; the first use opens it, which takes some milliseconds.

        Threads and connections do not survive a fork: using them would corrupt the file.
        """
        opened = self._opened
        if opened is None:
            with self._opening:
                if self._closed:
                    raise StoreUnavailable("the store is closed: call `await store.open()` to use it again")
                opened = self._opened = self._opened or self._open()
        if opened.pid != os.getpid():
            raise ConfigurationError(
                f"this store was opened in process {opened.pid}, before a fork; make and open one in each process"
            )
        return opened


def _handed_over(writer: Writer, outcome: Outcome[R]) -> R:
    """Let the writer announce the outcome's topics when the caller's transaction is over.

    Nobody knows when that is: by then others may have claimed far beyond these jobs.
    """
    writer.after_caller(CallerTransaction(frozenset(map(anywhere, outcome.topics)), opener()))
    return outcome.result
