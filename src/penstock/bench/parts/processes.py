"""What one worker process bears and costs: very many jobs that only wait, and nothing at all."""

import asyncio
import os
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL
from pathlib import Path

from penstock.bench.drains import enqueue_bulk
from penstock.bench.jobs import Sleeping, check_once
from penstock.bench.machine import cpu_of, resident_mib
from penstock.bench.parts.part import Part, Setting
from penstock.bench.report import Bar, BenchError, Figure, Spread
from penstock.bench.workers import crew

_RESIDENT = {"sqlite": Bar(most=50), "postgres": Bar(most=60)}
_SETTLE_S = 2.0
"""At most; not longer than it is watched."""
_START_S = 30.0
_APP = """
from penstock import Job, JobData, Penstock, Worker

class Note(JobData, kind="note", queue="bench"):
    n: int

async def note(job: Job[Note]) -> None:
    pass

worker = Worker(Penstock(), [note])
"""


async def _sleepers(setting: Setting) -> list[Figure]:
    count, seconds = setting.sizes.sleepers, setting.sizes.sleep_s
    took: list[float] = []
    peaks: list[float] = []
    for _ in setting.turns("sleepers"):
        async with setting.database.ground() as ground, crew(ground.url, concurrency=count) as workers:
            await enqueue_bulk(ground.engine, [Sleeping(n=n, seconds=seconds) for n in range(count)])
            await workers.go()
            ended = await workers.until_completed(count)
            await workers.stop()
            check_once([n for n, _ in workers.began], count)
            took.append(ended - min(at for _, at in workers.began))
            peaks.append(workers.workers[0].peak_mib)
    return [
        Figure(f"{count:,} jobs that sleep {seconds:g} s", "s", Spread.of(took), "the sleep alone", _exactly(seconds)),
        Figure("memory meanwhile, most", "MiB", Spread.of(peaks)),
    ]


async def _idle(setting: Setting) -> list[Figure]:
    """CPU and memory of `penstock worker` as anyone starts it; statements of the same worker that counts them."""
    watched = [await _watch_idle(setting) for _ in setting.turns("idle worker")]
    statements = await _count_idle(setting)
    figures = [Figure("idle worker, statements", "a second", _exactly(statements), bar=Bar(most=10))]
    known = [one for one in watched if one is not None]
    if known:
        cpu, resident = Spread.of([one[0] for one in known]), Spread.of([one[1] for one in known])
        figures.append(Figure("idle worker, CPU", "% of a core", cpu, bar=Bar(most=1)))
        figures.append(Figure("idle worker, resident", "MiB", resident, bar=_RESIDENT[setting.database.store]))
    return figures


async def _watch_idle(setting: Setting) -> tuple[float, float] | None:
    """Percent of a core and MiB; None where the machine does not tell."""
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="penstock-bench-")
    async with setting.database.ground() as ground:
        await asyncio.to_thread((Path(folder.name) / "bench_app.py").write_text, _APP)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "penstock", "worker", "bench_app:worker", "--log-level", "error",
            stdin=DEVNULL, cwd=folder.name, env={**os.environ, "PENSTOCK_DATABASE_URL": ground.url},
        )  # fmt: skip
        try:
            async with asyncio.timeout(_START_S):
                while not await ground.engine.queues.workers():
                    if process.returncode is not None:
                        raise BenchError("the idle worker did not start; it said why on standard error")
                    await asyncio.sleep(0.05)
            await asyncio.sleep(min(_SETTLE_S, setting.sizes.idle_s))
            before, began = cpu_of(process.pid), time.perf_counter()
            await asyncio.sleep(setting.sizes.idle_s)
            after, seconds = cpu_of(process.pid), time.perf_counter() - began
            resident = resident_mib(process.pid)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            await asyncio.to_thread(folder.cleanup)
    if before is None or after is None or resident is None:
        return None
    return (after[1] - before[1]) / seconds * 100, resident


async def _count_idle(setting: Setting) -> float:
    """Statements a second, those of starting and stopping left out by watching twice as long once more."""
    totals: list[int] = []
    for seconds in (setting.sizes.idle_s, 2 * setting.sizes.idle_s):
        async with setting.database.ground() as ground, crew(ground.url, count_statements=True) as workers:
            await workers.go()
            await asyncio.sleep(seconds)
            await workers.stop()
            totals.append(workers.workers[0].statements)
    return max(0.0, (totals[1] - totals[0]) / setting.sizes.idle_s)


def _exactly(value: float) -> Spread:
    return Spread(value, value, value)


PROCESSES = (
    Part("sleepers", "10,000 jobs that each sleep 1 s, in one process", 20, _sleepers),
    Part("idle", "CPU, statements and memory of a worker without work", 135, _idle),
)
