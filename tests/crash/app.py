"""A worker to be killed: each run writes a line to a log of side effects before and after its work.

Run as `python -m tests.crash.app URL LOG`; the tests import the kinds.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from penstock import Job, JobData, Penstock, Queue, Worker

LEASE_S = 1.0


class Piece(JobData, kind="piece", queue="crash", max_attempts=20):
    """One of many jobs; some block the loop for a moment so that a kill finds them in the middle."""

    number: int


class Collect(JobData, kind="collect", queue="crash", max_attempts=20):
    """The fan-in of a flow."""

    flow: str


class SideEffects:
    """Lines appended by O_APPEND, whole or not at all, also by a process that is killed right after."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, what: str, job: Job[Piece] | Job[Collect]) -> None:
        os.write(self._file, f"{what} {job.kind} {job.id} {job.attempt} {os.getpid()} {time.time_ns()}\n".encode())


class PieceHandler:
    """Does a little work."""

    handles = Piece

    def __init__(self, effects: SideEffects) -> None:
        self._effects = effects

    async def process_job(self, job: Job[Piece]) -> int:
        self._effects.write("begin", job)
        await asyncio.sleep(0.002 * (job.data.number % 5))
        self._effects.write("end", job)
        return job.data.number


class CollectHandler:
    """Counts what its parents returned."""

    handles = Collect

    def __init__(self, effects: SideEffects) -> None:
        self._effects = effects

    async def process_job(self, job: Job[Collect]) -> int:
        self._effects.write("begin", job)
        results = await job.parent_results()
        self._effects.write("end", job)
        return len([value for value in results.values() if value is not None])


async def main(url: str, log: str) -> int:
    """Work until a signal."""
    effects = SideEffects(Path(log))
    async with Penstock(url, lease_s=LEASE_S, poll_s=0.2, prefetch=50) as penstock:
        handlers = [PieceHandler(effects), CollectHandler(effects)]
        return await Worker(penstock, handlers, queues={"crash": Queue(concurrency=20)}).run()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
