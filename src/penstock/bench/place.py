"""Where something is measured: an empty database, for the engine or for the floor."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from penstock.store.base import Store


class Floor(Protocol):
    """The barest SQL that does a job's work as durably as the engine: one narrow table, no queue, no checks."""

    async def insert(self, first: int, count: int) -> None:
        """Insert jobs `first` to `first + count - 1` in one durable transaction."""
        ...

    async def work(self, batch: int) -> int:
        """Claim up to `batch` jobs in one transaction, complete them in a second, durable one; answers how many."""
        ...


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

    def empty_store(self) -> AbstractAsyncContextManager[Store]:
        """An open store over a new database, dropped afterwards."""
        ...

    def empty_floor(self) -> AbstractAsyncContextManager[Floor]:
        """A floor over a new database, dropped afterwards."""
        ...


PAYLOAD = "x" * 88
"""With its name and number about 100 bytes of JSON."""
