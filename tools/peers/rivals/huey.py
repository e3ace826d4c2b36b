"""huey on SQLite or Redis: `workers` threads of one consumer, which takes and finishes one job at a time.

It keeps no record of finished jobs, and a job that is taken is gone from the store: what its worker holds is lost
with the worker.
"""

import asyncio
import threading

from huey import RedisHuey, SqliteHuey
from huey.consumer import Consumer

from tools.peers.protocol import TASKS, Driver, payload, serve


class Huey(Driver):
    """Without results, which nobody reads here."""

    async def open(self) -> None:
        if self.url.startswith("redis:"):
            self._huey = RedisHuey("peers", results=False, url=self.url)
        else:
            path = self.url.removeprefix("sqlite:///")
            self._huey = SqliteHuey("peers", results=False, filename=path, fsync=self.settings["fsync"])

        @self._huey.task(name="nothing")
        def nothing(n: int, text: str) -> None:
            self.runs(n)

        self._nothing = nothing

    async def enqueue(self, n: int) -> None:
        self._nothing(**payload(n))

    async def enqueue_at_once(self, jobs: int) -> None:
        # It has no asynchronous calls: threads are its tasks.
        numbers = iter(range(jobs))

        def produce() -> None:
            for n in numbers:
                self._nothing(**payload(n))

        threads = [threading.Thread(target=produce) for _ in range(TASKS)]
        for thread in threads:
            thread.start()
        await asyncio.gather(*[asyncio.to_thread(thread.join) for thread in threads])

    async def start(self) -> None:
        workers = self.settings["workers"]
        self._consumer = Consumer(
            self._huey, workers=workers, periodic=False, initial_delay=0.01, backoff=1.0, max_delay=0.01
        )
        self._consumer.start()

    async def stop(self) -> None:
        self._consumer.stop(graceful=True)

    async def remaining(self, jobs: int) -> int:
        return self._huey.storage.queue_size()


serve(Huey)
