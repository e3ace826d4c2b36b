"""awa-pg: a core in Rust, handlers in Python; storage in append-only queues, many jobs enqueued by COPY."""

from dataclasses import dataclass

import awa

from tools.peers.protocol import Driver, payload, serve


@dataclass
class Nothing:
    """About 100 bytes of JSON."""

    n: int
    text: str


class Awa(Driver):
    """One client a process."""

    async def open(self) -> None:
        self._client = awa.AsyncClient(self.url, max_connections=self.settings["connections"])

    async def prepare(self) -> None:
        await awa.migrate(self.url)
        await self._client.install_queue_storage()

    async def enqueue(self, n: int) -> None:
        await self._client.insert(Nothing(**payload(n)), queue="peers")

    async def enqueue_bulk(self, numbers: range) -> None:
        await self._client.enqueue_many_copy([Nothing(**payload(n)) for n in numbers], queue="peers")

    async def start(self) -> None:
        @self._client.task(Nothing, queue="peers")
        async def nothing(job) -> None:
            self.runs(job.args.n)

        await self._client.start([("peers", self.settings["workers"])])

    async def stop(self) -> None:
        await self._client.shutdown()

    async def remaining(self, jobs: int) -> int:
        counts = [stats for stats in await self._client.queue_stats() if stats.queue == "peers"]
        return sum(stats.available + stats.running + stats.scheduled for stats in counts)


serve(Awa)
