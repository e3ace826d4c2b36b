"""A system in one process: opened and closed once, with a worker in it or without, and run until all is done."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Generic, Protocol, TypeVar

from fastapi import FastAPI

from penstock import Penstock
from systems.common.database.connections import Database

_IDLE_POLL_S = 0.02
_OPEN_STATES = ("ready", "running", "scheduled", "blocked")


class SystemWorker(Protocol):
    """What runs a system's jobs."""

    async def start(self) -> None: ...

    async def stop(self) -> int: ...


W = TypeVar("W", bound=SystemWorker)


class SystemProcess(ABC, Generic[W]):
    """`open` is enough for a process that only takes requests; `start` also runs jobs here. `queues`: the system's."""

    def __init__(self, engine: Penstock, database: Database, queues: Collection[str]) -> None:
        self.engine = engine
        self.database = database
        self._queues = frozenset(queues)
        self._worker: W | None = None
        self._is_open = False

    @abstractmethod
    def worker(self) -> W:
        """A worker for the system's queues."""

    @abstractmethod
    async def _make_tables(self) -> None:
        """Make or migrate the system's own tables."""

    @abstractmethod
    async def _let_go(self) -> None:
        """Close what is neither the engine's nor the database's."""

    def _is_waited_for(self, queue: str, state: str) -> bool:
        """Whether `run_until_idle` waits for jobs of a queue in a state."""
        return True

    async def open(self) -> None:
        """Make or migrate the tables and connect. Doing it twice is no error."""
        if self._is_open:
            return
        await self._make_tables()
        await self.engine.store.migrate()
        await self.engine.open()
        self._is_open = True

    async def close(self) -> None:
        """Close all connections."""
        if not self._is_open:
            return
        self._is_open = False
        await self.engine.close()
        await self.database.close()
        await self._let_go()

    async def start(self) -> None:
        """Open, and run jobs in this process."""
        await self.open()
        if self._worker is None:
            self._worker = self.worker()
            await self._worker.start()

    async def stop(self) -> int:
        """Let running jobs finish within the grace, and close; the worker's exit code (0 when there was none)."""
        worker, self._worker = self._worker, None
        code = await worker.stop() if worker is not None else 0
        await self.close()
        return code

    async def run_until_idle(self, timeout_s: float = 30) -> None:
        """Run jobs until none is waiting or running; with a worker of its own unless `start` made one.

        Retries are waited for. Raises TimeoutError, saying what is left, after `timeout_s` seconds.
        """
        await self.open()
        own = None if self._worker is not None else self.worker()
        if own is not None:
            await own.start()
        try:
            await self._idle(time.monotonic() + timeout_s)
        finally:
            if own is not None:
                await own.stop()

    async def _idle(self, until: float) -> None:
        while left := await self._open_jobs():
            if time.monotonic() >= until:
                raise TimeoutError(f"jobs are left: {left}")
            await asyncio.sleep(_IDLE_POLL_S)

    async def _open_jobs(self) -> dict[str, int]:
        return {
            f"{queue.name}: {state}": queue.counts[state]
            for queue in await self.engine.queues.list()
            for state in _OPEN_STATES
            if queue.name in self._queues and queue.counts.get(state) and self._is_waited_for(queue.name, state)
        }

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        # Whoever opened it before the server began also closes it, after the server has ended.
        opened_here = not self._is_open
        await self.open()
        try:
            yield
        finally:
            if opened_here:
                await self.close()
