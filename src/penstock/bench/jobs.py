"""The jobs that are measured, and the draining of them by a real worker."""

import asyncio
import time
from collections import Counter
from typing import Any

from penstock.app import Penstock
from penstock.bench.place import PAYLOAD
from penstock.bench.report import BenchError
from penstock.context import Job
from penstock.domain.job import JobData
from penstock.domain.queue import Queue
from penstock.store.programs.read import rows_of
from penstock.worker import Worker

CONCURRENCY = 100
_LOOK_S = 0.002
_STALL_S = 60.0


class Nothing(JobData, kind="bench_nothing", queue="bench"):
    """About 100 bytes of JSON."""

    n: int
    text: str = PAYLOAD


class Collect(JobData, kind="bench_collect", queue="bench"):
    """What comes after all jobs of a flow."""


class Handlers:
    """Does nothing but remember which job ran when (seconds of the performance counter)."""

    def __init__(self) -> None:
        self.began: dict[int, float] = {}
        self.runs: Counter[int] = Counter()
        self.collected = 0

    async def nothing(self, job: Job[Nothing]) -> None:
        """Remember."""
        number = job.data.n
        self.began[number] = time.perf_counter()
        self.runs[number] += 1

    async def collect(self, job: Job[Collect]) -> None:
        """Count."""
        self.collected += 1

    @property
    def all(self) -> list[Any]:
        """For a `Worker`."""
        return [self.nothing, self.collect]

    def worker(self, engine: Penstock) -> Worker:
        """A worker that runs them."""
        queues = {"bench": Queue(concurrency=CONCURRENCY)}
        return Worker(engine, self.all, queues=queues, name="bench", handle_signals=False)

    def check(self, count: int) -> None:
        """Raise BenchError unless jobs 0 to `count - 1` have each run exactly once."""
        twice = [n for n, runs in self.runs.items() if runs != 1]
        if twice:
            raise BenchError(f"{len(twice)} jobs ran more than once, job {twice[0]} {self.runs[twice[0]]} times")
        if self.runs.keys() != set(range(count)):
            raise BenchError(f"{len(self.runs)} of {count} jobs ran")


async def drain(engine: Penstock, handlers: Handlers, total: int) -> tuple[float, float]:
    """Run a worker until the store says that `total` jobs are completed.

    Answers the performance counter at the start of the first handler and at the end. Raises BenchError when nothing
    completes any more.
    """
    worker = handlers.worker(engine)
    await worker.start()
    try:
        await _until_completed(worker, total)
        ended = time.perf_counter()
        stored = {row[1]: row[2] for row in await engine.store.read(rows_of("count_jobs"))}
        if stored != {"completed": total}:
            raise BenchError(f"of {total} jobs the store says: {stored}")
    finally:
        await worker.stop(grace_s=5)
    return min(handlers.began.values()), ended


async def _until_completed(worker: Worker, total: int) -> None:
    seen, since = -1, time.monotonic()
    while (done := worker.get_stats().completed) < total:
        if done != seen:
            seen, since = done, time.monotonic()
        elif time.monotonic() - since > _STALL_S:
            raise BenchError(f"{done} of {total} jobs completed, then none for {_STALL_S:g} s")
        await asyncio.sleep(_LOOK_S)
