"""dbos: each job a workflow on a queue that is polled; `workers` at once."""

import asyncio
import json
import logging

import psycopg
from dbos import DBOS, DBOSClient

from tools.peers.protocol import Driver, Runs, payload, serve

seen: Runs | None = None


@DBOS.workflow(name="nothing")
async def nothing(text: str) -> None:
    """The job."""
    seen(json.loads(text)["n"])


class Dbos(Driver):
    """The producer is a client beside the application."""

    async def open(self) -> None:
        global seen
        seen = self.runs
        logging.disable(logging.INFO)
        self._client = None

    async def prepare(self) -> None:
        self._launch()
        await asyncio.to_thread(DBOS.destroy)

    def _launch(self) -> None:
        DBOS(config={"name": "peers", "system_database_url": self.url, "application_version": "1"})
        DBOS.launch()

    def _producer(self) -> DBOSClient:
        if self._client is None:
            self._client = DBOSClient(system_database_url=self.url)
        return self._client

    async def enqueue(self, n: int) -> None:
        options = {"workflow_name": "nothing", "queue_name": "peers", "app_version": "1"}
        await self._producer().enqueue_async(options, json.dumps(payload(n)))

    async def enqueue_bulk(self, numbers: range) -> None:
        await asyncio.gather(*[self.enqueue(n) for n in numbers])

    async def start(self) -> None:
        self._launch()
        await DBOS.register_queue_async(
            "peers", worker_concurrency=self.settings["workers"], polling_interval_sec=self.settings["poll_s"]
        )

    async def stop(self) -> None:
        await asyncio.to_thread(DBOS.destroy)

    async def remaining(self, jobs: int) -> int:
        # Its own listing reads every row.
        sql = "SELECT count(*) FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING')"
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            return (await (await connection.execute(sql)).fetchone())[0]


serve(Dbos)
