"""procrastinate: psycopg, `concurrency` jobs at once; each is fetched and finished on its own."""

import asyncio

from procrastinate import App, PsycopgConnector

from tools.peers.protocol import Driver, payload, serve


class Procrastinate(Driver):
    """The worker listens for notifications, as it does by default."""

    async def open(self) -> None:
        self._app = App(connector=PsycopgConnector(conninfo=self.url, min_size=4, max_size=self.settings["pool"]))
        await self._app.open_async()

        @self._app.task(name="nothing", queue="peers", pass_context=False)
        async def nothing(n: int, text: str) -> None:
            self.runs(n)

        self._nothing = nothing

    async def prepare(self) -> None:
        await self._app.schema_manager.apply_schema_async()

    async def enqueue(self, n: int) -> None:
        await self._nothing.defer_async(**payload(n))

    async def enqueue_bulk(self, numbers: range) -> None:
        await self._nothing.batch_defer_async(*[payload(n) for n in numbers])

    async def start(self) -> None:
        worker = self._app.run_worker_async(
            queues=["peers"], concurrency=self.settings["concurrency"], install_signal_handlers=False
        )
        self._task = asyncio.create_task(worker)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def remaining(self, jobs: int) -> int:
        sql = "SELECT count(*) AS done FROM procrastinate_jobs WHERE status = 'succeeded'"
        return jobs - (await self._app.connector.execute_query_one_async(sql))["done"]


serve(Procrastinate)
