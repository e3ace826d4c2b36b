"""A worker process that is measured: `python -m penstock.bench.child`, told what to do on its standard input.

It reads lines: a specification as JSON, `go`, `stop`. It writes lines of JSON: that it is ready; then, as often as
something has changed, how many jobs have completed and failed; at the end, which jobs it ran.
"""

import asyncio
import json
import sys
import time
from typing import Any

from penstock.app import Penstock
from penstock.bench.counting import Counted
from penstock.bench.jobs import Handlers, queues
from penstock.bench.machine import own_cpu_s, own_peak_mib, own_written
from penstock.bench.models import FAR_ABOVE, Models
from penstock.worker import Worker
from penstock.worker.logs import configure
from penstock.worker.process import run_process

_LOOK_S = 0.01


def say(message: dict[str, Any]) -> None:
    """To the parent."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def spent() -> dict[str, float]:
    """What this process has used so far: seconds of CPU, bytes written, and when that was."""
    return {"at": time.perf_counter(), "cpu_s": own_cpu_s(), "written": own_written()}


async def work() -> int:
    """Be a worker until told to stop, or until whoever tells is gone."""
    orders = await _orders()
    specification = json.loads(await orders.readline())
    handlers = Handlers()
    async with Penstock(specification["url"], limits=[FAR_ABOVE]) as engine:
        models = Models(engine, handlers)
        counted = Counted()
        if specification["count_statements"]:
            counted.watch(engine.store)
        worker = Worker(
            engine, [*handlers.all, models.asking], queues=queues(specification["concurrency"]), name="bench",
            handle_signals=False,
        )  # fmt: skip
        say({"ready": True})
        if (await orders.readline()).strip() != b"go":
            return 1
        say({"completed": 0, "failed": 0, **spent()})
        await worker.start()
        telling = asyncio.create_task(_tell(worker))
        await orders.readline()
        telling.cancel()
        await worker.stop(grace_s=5)
    last = {"polls": worker.get_stats().polls, "peak_mib": own_peak_mib(), "statements": counted.total}
    say({"began": handlers.began, "unguarded": handlers.unguarded, **last})
    return 0


async def _tell(worker: Worker) -> None:
    told = (0, 0)
    while True:
        stats = worker.get_stats()
        if (stats.completed, stats.failed) != told:
            told = stats.completed, stats.failed
            say({"completed": stats.completed, "failed": stats.failed, **spent()})
        await asyncio.sleep(_LOOK_S)


async def _orders() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


if __name__ == "__main__":
    configure("json", "critical")
    sys.exit(run_process(work))
