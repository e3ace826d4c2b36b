"""oban: psycopg, `limit` jobs at once; fetched and acknowledged in batches, history kept."""

from oban import Oban, worker
from oban.schema import install

from tools.peers.protocol import Driver, Runs, payload, serve

seen: Runs | None = None


@worker(queue="peers")
class Nothing:
    """Found by its name, so it cannot be made by the driver."""

    async def process(self, job) -> None:
        seen(job.args["n"])


class ObanDriver(Driver):
    """A client, and a server of the same name in the process that works."""

    async def open(self) -> None:
        global seen
        seen = self.runs
        self._pool = await Oban.create_pool(self.url, min_size=1, max_size=self.settings["pool"])
        self._client = Oban(pool=self._pool, name="client")

    async def prepare(self) -> None:
        await install(self._pool)

    async def enqueue(self, n: int) -> None:
        await self._client.enqueue(Nothing.new(payload(n)))

    async def enqueue_bulk(self, numbers: range) -> None:
        await self._client.enqueue_many(*[Nothing.new(payload(n)) for n in numbers])

    async def start(self) -> None:
        self._server = Oban(pool=self._pool, queues={"peers": self.settings["limit"]})
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop()

    async def remaining(self, jobs: int) -> int:
        async with self._pool.connection() as connection:
            found = await connection.execute("SELECT count(*) FROM oban_jobs WHERE state = 'completed'")
            return jobs - (await found.fetchone())[0]


serve(ObanDriver)
