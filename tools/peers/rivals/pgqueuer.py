"""pgqueuer: asyncpg and uvloop; jobs are claimed and their ends written `batch` at a time."""

import asyncio
import json

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from tools.peers.protocol import Driver, payload, serve


class Pgqueuer(Driver):
    """Producers and the worker have a pool, so that the writing of ends does not wait for a claim."""

    _pool: asyncpg.Pool

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(self.url)
        self._queries = Queries(AsyncpgPoolDriver(self._pool))

    async def prepare(self) -> None:
        await self._queries.install()

    async def enqueue(self, n: int) -> None:
        await self._queries.enqueue("nothing", json.dumps(payload(n)).encode())

    async def enqueue_bulk(self, numbers: range) -> None:
        payloads = [json.dumps(payload(n)).encode() for n in numbers]
        await self._queries.enqueue(["nothing"] * len(payloads), payloads, [0] * len(payloads))

    async def start(self) -> None:
        self._worker = PgQueuer.from_asyncpg_pool(self._pool)

        @self._worker.entrypoint("nothing")
        async def nothing(job: Job) -> None:
            self.runs(json.loads(job.payload)["n"])

        self._task = asyncio.create_task(self._worker.run(batch_size=self.settings["batch"]))

    async def stop(self) -> None:
        self._worker.shutdown.set()
        await self._task

    async def remaining(self, jobs: int) -> int:
        # A job that has ended leaves the queue's table for the log.
        return await self._pool.fetchval("SELECT count(*) FROM pgqueuer")


serve(Pgqueuer)
