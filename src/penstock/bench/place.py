"""Where something is measured: an empty database, for the engine or for the floor, and what can be asked about it."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from penstock.app import Penstock

FILLER = "x" * 88


def payload(number: int) -> str:
    """A job's data as the engine stores it: about 100 bytes of JSON."""
    return f'{{"n":{number},"text":"{FILLER}"}}'


class Floor(Protocol):
    """The barest SQL that does a job's work as durably as the engine: one narrow table, no queue, no checks."""

    async def insert(self, first: int, count: int) -> None:
        """Insert jobs `first` to `first + count - 1` in one durable transaction, in the quickest way there is."""
        ...

    async def insert_together(self, count: int, tasks: int) -> None:
        """Insert jobs 0 to `count - 1`, each durable before its task goes on to the next, by so many tasks at once."""
        ...

    async def take(self) -> None:
        """Claim one job, as a worker that was woken for it."""
        ...

    async def finish(self) -> None:
        """Complete the job that `take` claimed."""
        ...

    async def drain(self, batch: int) -> int:
        """Claim and complete all jobs, `batch` at a time; answers how many. The completions are durable."""
        ...


class Probe(Protocol):
    """What is asked about the engine's database from beside it, and what is put into it. It alone knows its tables."""

    async def server_cpu(self) -> dict[int, float] | None:
        """Seconds of CPU of each server process of this database, by process id; None when it cannot be known."""
        ...

    async def log_bytes(self) -> int | None:
        """Bytes the server has written to its log so far; None where no server counts."""
        ...

    async def commits(self) -> int | None:
        """Commits in this database so far; exact once whoever made them has disconnected."""
        ...

    async def size(self) -> int:
        """Bytes of all tables and indexes, or of the file and its log."""
        ...

    async def dead_rows(self) -> int | None:
        """Dead rows that wait for the vacuum; None where there are none of that sort."""
        ...

    def hold(self) -> AbstractAsyncContextManager[None]:
        """Another connection holds a snapshot, or a read transaction, as long as the context lasts."""
        ...

    async def copy(self, job_id: str, count: int) -> None:
        """Put `count` copies of a job and all that belongs to it into the tables, one position after the other."""
        ...

    async def settle(self) -> None:
        """Let the database put away what was written so far, and know it: statistics, vacuum, checkpoint."""
        ...


@dataclass(frozen=True, slots=True)
class Ground:
    """An empty database with the engine's tables: its URL for other processes, an open engine, its probe."""

    url: str
    engine: Penstock
    probe: Probe


class Database(Protocol):
    """A kind of database on which empty ones can be made."""

    @property
    def store(self) -> str:
        """sqlite or postgres."""
        ...

    @property
    def place(self) -> str:
        """Its version, and where it runs."""
        ...

    def ground(self) -> AbstractAsyncContextManager[Ground]:
        """An engine with its defaults over a new database, dropped afterwards."""
        ...

    def floor(self) -> AbstractAsyncContextManager[Floor]:
        """A floor over a new database with the same settings, dropped afterwards."""
        ...
