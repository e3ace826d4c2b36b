"""The jobs that are measured, and their handlers."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from penstock.bench.place import FILLER
from penstock.bench.report import BenchError
from penstock.context import Job
from penstock.domain.job import JobData
from penstock.domain.queue import Queue
from penstock.errors import ClaimLost

QUEUE = "bench"
TIMEOUT_S = 60.0
"""Of the queue: each run is under it."""
CONCURRENCY = 100


class Nothing(JobData, kind="bench_nothing", queue=QUEUE):
    """About 100 bytes of JSON."""

    n: int
    text: str = FILLER


class Telling(JobData, kind="bench_telling", queue=QUEUE):
    """A job that says how far it is."""

    n: int
    text: str = FILLER


class Answering(JobData, kind="bench_answering", queue=QUEUE):
    """A job with a result."""

    n: int
    text: str = FILLER


class Stepping(JobData, kind="bench_stepping", queue=QUEUE):
    """A job that does all it does in one step."""

    n: int
    text: str = FILLER


class Sleeping(JobData, kind="bench_sleeping", queue=QUEUE):
    """A job that waits."""

    n: int
    seconds: float


class Collect(JobData, kind="bench_collect", queue=QUEUE):
    """What comes after all jobs of a flow."""

    n: int


class Unknown(JobData, kind="bench_unknown", queue=QUEUE):
    """A kind that no worker here has a handler for."""

    n: int
    text: str = FILLER


class Invalid(JobData, kind="bench_nothing", queue=QUEUE):
    """Says it is a `Nothing`, and does not hold what that must."""

    n: str = "no number"


class Endless(JobData, kind="bench_endless", queue=QUEUE, timeout=0.05, max_attempts=1):
    """Ends only because its timeout ends it."""


class Forging(JobData, kind="bench_forging", queue=QUEUE):
    """Tries to write with a claim that its run does not hold."""


class Handlers:
    """Remembers which job ran when: its number, and seconds of the clock that all processes of the machine share."""

    def __init__(self) -> None:
        self.began: list[tuple[int, float]] = []
        self.unguarded = 0

    def note(self, job: Job[Any], kind: type[JobData]) -> None:
        """A job runs."""
        self.began.append((job.data.n, time.perf_counter()))
        if type(job.data) is not kind or job.timeout_s != TIMEOUT_S:
            self.unguarded += 1

    async def nothing(self, job: Job[Nothing]) -> None:
        """Remember."""
        self.note(job, Nothing)

    async def telling(self, job: Job[Telling]) -> None:
        """Remember, and say so."""
        self.note(job, Telling)
        job.progress(0.5, "half of it")

    async def answering(self, job: Job[Answering]) -> dict[str, int]:
        """Remember, and answer."""
        self.note(job, Answering)
        return {"n": job.data.n}

    async def stepping(self, job: Job[Stepping]) -> None:
        """Remember, in a step."""
        self.note(job, Stepping)
        await job.step("the only one", self._number, job.data.n)

    async def _number(self, n: int) -> int:
        return n

    async def sleeping(self, job: Job[Sleeping]) -> None:
        """Remember, and sleep."""
        self.note(job, Sleeping)
        await asyncio.sleep(job.data.seconds)

    async def collect(self, job: Job[Collect]) -> None:
        """Remember."""
        self.note(job, Collect)

    async def endless(self, job: Job[Endless]) -> None:
        """Wait for the timeout."""
        await asyncio.Event().wait()

    async def forging(self, job: Job[Forging]) -> str:
        """Answer what became of the attempt."""
        try:
            await replace(job, claim_id=job.claim_id ^ 1).enqueue(Nothing(n=-1))
        except ClaimLost:
            return "refused"
        return "accepted"

    @property
    def all(self) -> list[Any]:
        """For a `Worker`."""
        return [
            self.nothing, self.telling, self.answering, self.stepping, self.sleeping, self.collect, self.endless,
            self.forging,
        ]  # fmt: skip


def queues(concurrency: int = CONCURRENCY) -> dict[str, Queue]:
    """For a `Worker`."""
    return {QUEUE: Queue(concurrency=concurrency, timeout=TIMEOUT_S)}


def check_once(numbers: Iterable[int], count: int) -> None:
    """Raise BenchError unless jobs 0 to `count - 1` have each run exactly once."""
    runs = Counter(numbers)
    twice = [n for n, times in runs.items() if times != 1]
    if twice:
        raise BenchError(f"{len(twice)} jobs ran more than once, job {twice[0]} {runs[twice[0]]} times")
    if runs.keys() != set(range(count)):
        raise BenchError(f"{len(runs)} of {count} jobs ran")
