"""How the store knows this worker: its number, its queues; and what happens when the store no longer knows it."""

import asyncio
import os
import socket

from penstock.errors import StoreUnavailable
from penstock.registry import Registry
from penstock.store.base import Store
from penstock.store.programs.change import put_queue
from penstock.store.programs.workers import WorkerInfo, add_worker, give_back, remove_worker
from penstock.worker.logs import get_logger
from penstock.worker.options import WorkerOptions
from penstock.worker.pacing import Backoff

logger = get_logger(__name__)


class Registration:
    """Signs a worker on and off. `worker_id` is its number since `sign_on`."""

    def __init__(self, store: Store, options: WorkerOptions, registry: Registry) -> None:
        self._store = store
        self._options = options
        self._info = WorkerInfo(
            options.name,
            socket.gethostname(),
            os.getpid(),
            options.build_id,
            tuple(sorted(options.queues)),
            registry.kinds,
            int(options.lease_s * 1_000_000),
            registry.steps,
        )
        self.worker_id = 0
        self.is_valid = False

    async def sign_on(self) -> None:
        """Publish the queues' settings and register. Raises StoreUnavailable."""
        for name in sorted(self._options.queues):
            await self._store.run(put_queue(name, self._options.queues[name]))
        await self._register()

    def void(self) -> None:
        """The store no longer knows us: nothing may be claimed until we are registered again."""
        self.is_valid = False

    async def sign_on_again(self) -> None:
        """Register under a new number, however long it takes."""
        backoff = Backoff()
        while True:
            try:
                await self._register()
            except StoreUnavailable:
                await asyncio.sleep(backoff.next())
            else:
                logger.warning(
                    "this worker was declared lost and is registered again",
                    worker=self._info.name,
                    number=self.worker_id,
                )
                return

    async def sign_off(self) -> None:
        """Give back whatever the store still assigns to us, and be forgotten."""
        self.is_valid = False
        try:
            await self._store.run(give_back(self.worker_id, self._info.name, self._store.clock.now()))
            await self._store.run(remove_worker(self.worker_id))
        except StoreUnavailable as error:
            logger.warning(
                "the worker could not sign off; it will be taken for lost", worker=self._info.name, reason=str(error)
            )

    async def _register(self) -> None:
        self.worker_id = await self._store.run(add_worker(self._info, self._store.clock.now()))
        self.is_valid = True
