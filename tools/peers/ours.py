"""Penstock as a user has it: public names, default settings but for the number of handlers at once."""

from penstock import Job, JobData, Penstock, Queue, Worker
from tools.peers.protocol import TEXT, Driver, serve


class Nothing(JobData, kind="nothing", queue="peers"):
    """About 100 bytes of JSON."""

    n: int
    text: str = TEXT


class Ours(Driver):
    """One engine in each process."""

    async def open(self) -> None:
        """Connect at the first use, as the engine does."""
        self._engine = Penstock(self.url)

    async def prepare(self) -> None:
        """Migrate."""
        await self._engine.store.migrate()

    async def enqueue(self, n: int) -> None:
        """One."""
        await self._engine.enqueue(Nothing(n=n))

    async def enqueue_bulk(self, numbers: range) -> None:
        """Many in one call."""
        await self._engine.enqueue_many([Nothing(n=n) for n in numbers])

    async def start(self) -> None:
        """A worker."""

        async def nothing(job: Job[Nothing]) -> None:
            self.runs(job.data.n)

        queues = {"peers": Queue(concurrency=self.settings["concurrency"])}
        self._worker = Worker(self._engine, [nothing], queues=queues, handle_signals=False)
        await self._worker.start()

    async def stop(self) -> None:
        """Stop it."""
        await self._worker.stop()

    async def remaining(self, jobs: int) -> int:
        """By the states the store counts."""
        completed = sum(queue.counts.get("completed", 0) for queue in await self._engine.queues.list())
        return jobs - completed


if __name__ == "__main__":
    serve(Ours)
