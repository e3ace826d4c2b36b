"""Real worker processes, started together and listened to."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from penstock.bench.jobs import CONCURRENCY
from penstock.bench.report import BenchError

STALL_S = 30.0
_START_S = 60.0
_STOP_S = 30.0
_LINE = 1 << 26
"""Bytes of a line at most: the last one names every job that ran."""


class Told(NamedTuple):
    """What a worker process last said: jobs ended, when (performance counter), CPU seconds, bytes written."""

    completed: int
    failed: int
    at: float
    cpu_s: float
    written: int


class Spent(NamedTuple):
    """What worker processes used together from the start to a moment: seconds of CPU, bytes written."""

    cpu_s: float
    written: int


class WorkerProcess:
    """One of them, seen from its parent."""

    def __init__(self, process: Process, changed: asyncio.Event) -> None:
        self._process = process
        self._changed = changed
        self.started = Told(0, 0, 0.0, 0.0, 0)
        self.last = self.started
        self.began: list[tuple[int, float]] = []
        self.unguarded = 0
        self.polls = 0
        self.statements = 0
        self.peak_mib = 0.0
        self._listening: asyncio.Task[None] | None = None

    @property
    def is_gone(self) -> bool:
        """Whether it has said its last."""
        return self._listening is not None and self._listening.done()

    async def order(self, text: str) -> None:
        """Tell it something."""
        if self._process.stdin is None:
            raise BenchError("a worker process has no standard input")
        self._process.stdin.write(text.encode() + b"\n")
        await self._process.stdin.drain()

    async def become_ready(self) -> None:
        """Wait until it has opened the database. Raises BenchError when it ends instead."""
        async with asyncio.timeout(_START_S):
            if not (await self._line()).get("ready"):
                raise BenchError("a worker process did not start; it said why on standard error")

    async def go(self) -> None:
        """Let it work."""
        await self.order("go")
        self._listening = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Let it stop and say what it ran."""
        await self.order("stop")
        async with asyncio.timeout(_STOP_S):
            if self._listening is not None:
                await self._listening
            await self._process.wait()

    async def end(self) -> None:
        """Make sure that it has ended."""
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _listen(self) -> None:
        while message := await self._line():
            if "completed" in message:
                self.last = Told(**message)
                if not self.started.at:
                    self.started = self.last
            else:
                self.began = [(n, at) for n, at in message["began"]]
                self.unguarded, self.polls = message["unguarded"], message["polls"]
                self.statements, self.peak_mib = message["statements"], message["peak_mib"]
            self._changed.set()
        self._changed.set()

    async def _line(self) -> dict[str, Any]:
        if self._process.stdout is None:
            raise BenchError("a worker process has no standard output")
        line = await self._process.stdout.readline()
        found: dict[str, Any] = json.loads(line) if line else {}
        return found


class Crew:
    """Some worker processes on one database."""

    def __init__(self, workers: list[WorkerProcess], changed: asyncio.Event) -> None:
        self.workers = workers
        self._changed = changed

    async def go(self) -> None:
        """Let all begin, together."""
        for worker in self.workers:
            await worker.go()

    @property
    def completed(self) -> int:
        """Jobs that all together have completed."""
        return sum(worker.last.completed for worker in self.workers)

    async def until_completed(self, total: int) -> float:
        """Wait for that many completions; answers when the last came. Raises BenchError when none comes any more."""
        while (done := self.completed) < total:
            if any(worker.is_gone for worker in self.workers):
                raise BenchError(f"a worker process ended by itself; {done} of {total} jobs were completed")
            if failed := sum(worker.last.failed for worker in self.workers):
                raise BenchError(f"{failed} jobs failed")
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), STALL_S)
            except TimeoutError:
                raise BenchError(f"{done} of {total} jobs completed, then none for {STALL_S:g} s") from None
        return max(worker.last.at for worker in self.workers)

    @property
    def spent(self) -> Spent:
        """What they used since they were let go."""
        return Spent(
            sum(worker.last.cpu_s - worker.started.cpu_s for worker in self.workers),
            sum(worker.last.written - worker.started.written for worker in self.workers),
        )

    async def stop(self) -> None:
        """Let all stop; what they ran is then known."""
        await asyncio.gather(*(worker.stop() for worker in self.workers))
        if unguarded := sum(worker.unguarded for worker in self.workers):
            raise BenchError(f"{unguarded} jobs ran without their typed data or without a timeout")

    @property
    def began(self) -> list[tuple[int, float]]:
        """Numbers of the jobs that ran, and when each began (performance counter)."""
        return [one for worker in self.workers for one in worker.began]


@asynccontextmanager
async def crew(
    url: str, processes: int = 1, *, concurrency: int = CONCURRENCY, count_statements: bool = False
) -> AsyncIterator[Crew]:
    """Worker processes that are ready and wait to be let go; they are ended with the context."""
    specification = {"url": url, "concurrency": concurrency, "count_statements": count_statements}
    workers: list[WorkerProcess] = []
    changed = asyncio.Event()
    try:
        for _ in range(processes):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "penstock.bench.child", stdin=PIPE, stdout=PIPE, limit=_LINE
            )
            workers.append(WorkerProcess(process, changed))
            await workers[-1].order(json.dumps(specification))
        for worker in workers:
            await worker.become_ready()
        yield Crew(workers, changed)
    finally:
        for worker in workers:
            await worker.end()
