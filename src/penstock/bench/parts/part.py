"""What a part of the benchmark is."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from penstock.bench.place import Database
from penstock.bench.report import Figure, Sizes


@dataclass(frozen=True, slots=True)
class Setting:
    """What a part measures on: a kind of database, how much, and whom to tell how far it is."""

    database: Database
    sizes: Sizes
    say: Callable[[str], None]

    def turns(self, what: str) -> Iterator[int]:
        """The repeats, each told of."""
        for turn in range(self.sizes.repeats):
            self.say(f"{what}, {turn + 1} of {self.sizes.repeats}")
            yield turn

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite: some bars differ."""
        return self.database.store == "sqlite"


@dataclass(frozen=True, slots=True)
class Part:
    """Measured and shown together; each repeats on fresh databases, the engine and what stands beside it in turns.

    seconds: how long it takes on one store of a machine with two slow cores.
    """

    name: str
    what: str
    seconds: int
    measure: Callable[[Setting], Awaitable[list[Figure]]]
