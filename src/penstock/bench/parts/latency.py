"""From before the enqueue to the handler's first line: in one process, across processes, under load."""

import asyncio
import random
import time
from collections.abc import Sequence

from penstock.bench.drains import enqueue_bulk, nothings
from penstock.bench.jobs import Handlers, Nothing, check_once, queues
from penstock.bench.parts.part import Part, Setting
from penstock.bench.place import Floor, Ground
from penstock.bench.report import Bar, Figure, Spread, percentile
from penstock.bench.workers import STALL_S, Crew, crew
from penstock.producer import JobHandle
from penstock.worker import Worker

_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_PAUSE_S = (0.02, 0.05)
_LOAD = 0.5
_LOAD_BATCH = 50
_LOAD_JOBS = 20_000
"""Of the flood that shows how much load there can be."""

Bars = dict[str, Bar]
_BARS: dict[tuple[bool, bool], Bars] = {
    # (SQLite, across processes): milliseconds
    (True, False): {"p50": Bar(most=1), "p99": Bar(most=5)},
    (True, True): {"p50": Bar(most=3), "p99": Bar(most=15)},
    (False, False): {"p50": Bar(most=2), "p99": Bar(most=10)},
    (False, True): {"p50": Bar(most=2), "p99": Bar(most=10)},
}


async def _inside(setting: Setting) -> list[Figure]:
    """Producer and worker on one loop; beside it insert and claim by hand."""
    found: list[Sequence[float]] = []
    floors: list[Sequence[float]] = []
    for _ in setting.turns("latency in one process"):
        async with setting.database.ground() as ground:
            handlers = Handlers()
            worker = Worker(ground.engine, handlers.all, queues=queues(), name="bench", handle_signals=False)
            await worker.start()
            try:
                asked, last = await _ping(ground, setting.sizes.pings)
                await last.result(STALL_S)
            finally:
                await worker.stop(grace_s=5)
            found.append(_delays(asked, handlers.began))
        async with setting.database.floor() as floor:
            floors.append(await _floor_pings(floor, setting.sizes.pings))
    return _figures("idle latency", found, floors, _BARS[setting.is_sqlite, False])


async def _across(setting: Setting) -> list[Figure]:
    found: list[Sequence[float]] = []
    for _ in setting.turns("latency across processes"):
        async with setting.database.ground() as ground, crew(ground.url) as workers:
            await workers.go()
            asked, _ = await _ping(ground, setting.sizes.pings)
            await workers.until_completed(len(asked))
            await workers.stop()
            found.append(_delays(asked, workers.began))
    return _figures("idle latency across processes", found, [], _BARS[setting.is_sqlite, True])


async def _under_load(setting: Setting) -> list[Figure]:
    """Across processes, while half of what the engine can take in and work off at once comes in small batches."""
    found: list[Sequence[float]] = []
    loads: list[float] = []
    for _ in setting.turns("latency at half load"):
        async with setting.database.ground() as ground, crew(ground.url) as workers:
            await workers.go()
            flood = min(_LOAD_JOBS, setting.sizes.jobs)
            rate = _LOAD * await _most(ground, workers, flood)
            enough = asyncio.Event()
            load = asyncio.create_task(_load(ground, rate, flood, enough))
            asked, _ = await _ping(ground, setting.sizes.pings, first=-setting.sizes.pings)
            enough.set()
            sent = await load
            await workers.until_completed(flood + sent + len(asked))
            await workers.stop()
            check_once([n for n, _ in workers.began if n >= 0], flood + sent)
            loads.append(rate)
            found.append(_delays(asked, [(n, at) for n, at in workers.began if n < 0]))
    return [*_figures("latency at half load", found, [], {}), Figure("the load", "jobs/s", Spread.of(loads))]


async def _most(ground: Ground, workers: Crew, count: int) -> float:
    """Jobs a second when a producer and a worker go as fast as they can together."""
    began = time.perf_counter()
    await enqueue_bulk(ground.engine, nothings(count), _LOAD_BATCH)
    return count / (await workers.until_completed(count) - began)


async def _load(ground: Ground, rate: float, first: int, enough: asyncio.Event) -> int:
    """Enqueue batches at this rate until it is enough; answers how many jobs."""
    sent = 0
    began = time.perf_counter()
    while not enough.is_set():
        await asyncio.sleep(max(0.0, began + sent / rate - time.perf_counter()))
        await ground.engine.enqueue_many([Nothing(n=first + sent + n) for n in range(_LOAD_BATCH)])
        sent += _LOAD_BATCH
    return sent


async def _ping(ground: Ground, count: int, first: int = 0) -> tuple[dict[int, float], JobHandle]:
    """Enqueue singles some time apart; answers when each was asked for, and the last one's handle."""
    asked: dict[int, float] = {}
    for n in range(first, first + count):
        await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - no secret
        job = Nothing(n=n)
        asked[n] = time.perf_counter()
        handle = await ground.engine.enqueue(job)
    return asked, handle


def _delays(asked: dict[int, float], began: Sequence[tuple[int, float]]) -> list[float]:
    """Milliseconds. Raises BenchError when one did not run exactly once."""
    check_once([n - min(asked) for n, _ in began], len(asked))
    return [(at - asked[n]) * 1_000 for n, at in began]


async def _floor_pings(floor: Floor, count: int) -> list[float]:
    took: list[float] = []
    for n in range(count):
        await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - no secret
        began = time.perf_counter()
        await floor.insert(n, 1)
        await floor.take()
        took.append((time.perf_counter() - began) * 1_000)
        await floor.finish()
    return took


def _figures(
    name: str, found: Sequence[Sequence[float]], floors: Sequence[Sequence[float]], bars: Bars
) -> list[Figure]:
    return [
        Figure(
            f"{name}, {quantile}", "ms", Spread.of([percentile(values, share) for values in found]),
            "insert and claim by hand" if floors else "",
            Spread.of([percentile(values, share) for values in floors]) if floors else None,
            bars.get(quantile),
        )
        for quantile, share in _QUANTILES.items()
    ]  # fmt: skip


LATENCIES = (
    Part("latency", "idle worker, singles 20 to 50 ms apart, producer and worker in one process", 110, _inside),
    Part("latency-across", "the same with the worker in another process", 60, _across),
    Part("latency-load", "the same while half of what can be taken comes in batches of 50", 75, _under_load),
)
