"""Putting jobs in: one by one, by 50 tasks, and in bulk."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from penstock.bench.drains import enqueue_bulk, nothings
from penstock.bench.parts.part import Part, Setting
from penstock.bench.place import Floor, Ground
from penstock.bench.report import Bar, BenchError, Figure, Spread
from penstock.store.programs.read import rows_of

TASKS = 50
_AT_LEAST_60 = Bar(least=0.6, of_ratio=True)
_AT_LEAST_50 = Bar(least=0.5, of_ratio=True)


async def _one_by_one(setting: Setting) -> list[Figure]:
    async def engine(ground: Ground, count: int) -> None:
        for job in nothings(count):
            await ground.engine.enqueue(job)

    async def floor(floor: Floor, count: int) -> None:
        for n in range(count):
            await floor.insert(n, 1)

    beside = "SQL by hand, a commit each"
    return [await _beside(setting, "enqueue one by one", setting.sizes.singles, engine, floor, beside)]


async def _by_tasks(setting: Setting) -> list[Figure]:
    async def engine(ground: Ground, count: int) -> None:
        jobs = iter(nothings(count))

        async def enqueue_some() -> None:
            for job in jobs:
                await ground.engine.enqueue(job)

        await asyncio.gather(*(enqueue_some() for _ in range(TASKS)))

    async def floor(floor: Floor, count: int) -> None:
        await floor.insert_together(count, TASKS)

    sqlite = setting.is_sqlite
    return [
        await _beside(
            setting, f"enqueue by {TASKS} tasks", setting.sizes.shared, engine, floor,
            "tasks, futures and a writer thread by hand" if sqlite else "tasks, futures and two writers by hand",
            _AT_LEAST_50 if sqlite else None,
        )
    ]  # fmt: skip


async def _bulk(setting: Setting) -> list[Figure]:
    return [await _in_bulk(setting, bulk) for bulk in (1_000, 10_000)]


async def _in_bulk(setting: Setting, bulk: int) -> Figure:
    async def engine(ground: Ground, count: int) -> None:
        await enqueue_bulk(ground.engine, nothings(count), bulk)

    async def floor(floor: Floor, count: int) -> None:
        for first in range(0, count, bulk):
            await floor.insert(first, min(bulk, count - first))

    sqlite = setting.is_sqlite
    beside = f"{'INSERT' if sqlite else 'COPY'} by hand, {bulk:,} a transaction"
    bar = None if sqlite else _AT_LEAST_60
    return await _beside(setting, f"enqueue {bulk:,} a call", setting.sizes.jobs, engine, floor, beside, bar)


async def _beside(
    setting: Setting,
    name: str,
    count: int,
    by_engine: Callable[[Ground, int], Awaitable[None]],
    by_floor: Callable[[Floor, int], Awaitable[None]],
    beside: str,
    bar: Bar | None = None,
) -> Figure:
    """Both in turns, each on a database of its own. Raises BenchError when not all jobs are stored."""
    engine_rates: list[float] = []
    floor_rates: list[float] = []
    for _ in setting.turns(name):
        async with setting.database.ground() as ground:
            began = time.perf_counter()
            await by_engine(ground, count)
            engine_rates.append(count / (time.perf_counter() - began))
            stored = {row[1]: row[2] for row in await ground.engine.store.read(rows_of("count_jobs"))}
            if stored != {"ready": count}:
                raise BenchError(f"{count} jobs were enqueued, but the store says: {stored}")
        async with setting.database.floor() as floor:
            began = time.perf_counter()
            await by_floor(floor, count)
            floor_rates.append(count / (time.perf_counter() - began))
    return Figure(name, "jobs/s", Spread.of(engine_rates), beside, Spread.of(floor_rates), bar, charted=True)


ENQUEUES = (
    Part("one-by-one", "one producer, one job a call", 10, _one_by_one),
    Part("tasks", f"{TASKS} tasks of one producer, one job a call each", 15, _by_tasks),
    Part("bulk", "one producer, 1,000 and 10,000 jobs a call", 20, _bulk),
)
