"""The store contract: what runs programs. SQLite and PostgreSQL implement it, and nothing above knows which it has."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from penstock.clock import Clock
from penstock.store.migrations import check
from penstock.store.program import Program
from penstock.store.programs.read import schema_state

R = TypeVar("R")

Topics = frozenset[str]
OnWake = Callable[[Topics], None]


class Subscription(ABC):
    """A held interest in wake-ups."""

    @abstractmethod
    def close(self) -> None:
        """End it; no call follows."""


class Store(ABC):
    """A database that runs programs, each in one transaction.

    All methods may be called from any task of the loop that opened the store; the `_sync` ones from any thread.
    Errors of the database that mean "not now" are raised as `StoreUnavailable` and nothing was written; a deadlock
    or a serialisation failure is run again, up to a few times.
    """

    clock: Clock
    side_by_side: ClassVar[bool] = False
    """Whether write transactions run at the same time; else a second one only waits for the first."""

    @abstractmethod
    async def open(self) -> None:
        """Connect and check the schema; the first use does it, if nobody has. Raises SchemaError when the schema is

        missing, older or not compatible. SQLite migrates itself here.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let running transactions end and close every connection. The store can be opened again."""

    @abstractmethod
    async def migrate(self) -> list[int]:
        """Bring the schema up to this code, under a lock; answers the numbers of the migrations applied now."""

    @abstractmethod
    async def run(self, program: Program[R], *, durable: bool = True) -> R:
        """Run a program in one transaction.

        `durable=False`: the commit need not reach the disk before this returns (claims: losing one only means that
        the job runs again).
        """

    @abstractmethod
    async def read(self, program: Program[R]) -> R:
        """Run a program that only reads, beside the writers."""

    @abstractmethod
    async def run_on(self, connection: Any, program: Program[R]) -> R:
        """Run a program inside the open transaction of the caller's connection or session.

        Accepts a SQLAlchemy AsyncSession or AsyncConnection on this database's driver, an async driver connection,
        and whatever `run_on_sync` accepts. Wake-ups travel with the caller's commit where the database can carry
        them. Raises ConfigurationError for anything else, and on SQLite for a transaction that holds no write lock.
        """

    @abstractmethod
    def run_sync(self, program: Program[R], *, durable: bool = True) -> R:
        """As `run`, blocking; from any thread, also without an event loop."""

    @abstractmethod
    def read_sync(self, program: Program[R]) -> R:
        """As `read`, blocking."""

    @abstractmethod
    def run_on_sync(self, connection: Any, program: Program[R]) -> R:
        """As `run_on` for a SQLAlchemy Session or Connection, or a driver connection."""

    @property
    @abstractmethod
    def newest_migration(self) -> int:
        """The number of the newest migration this code has."""

    @abstractmethod
    def measure_clock_sync(self) -> None:
        """Set `clock` by the database's time, where that may be another machine; blocking. Raises StoreUnavailable."""

    def recheck_sync(self) -> None:
        """What a heartbeat looks after, blocking: the clock, and whether the schema still serves this code.

        Raises SchemaError when another process has brought the schema beyond what this code may use.
        """
        self.measure_clock_sync()
        check(self.read_sync(schema_state()), self.newest_migration)

    @abstractmethod
    def subscribe(self, on_wake: OnWake) -> Subscription:
        """Call `on_wake(topics)` in the loop for each wake-up, from whatever process it comes.

        Wake-ups are hints: they may be late, merged or doubled. After the line to the database was lost and found
        again `on_wake` is called with the empty set, which means "look at everything".
        """
