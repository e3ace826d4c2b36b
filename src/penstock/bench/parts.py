"""The parts of the benchmark. Each repeats on fresh databases, the engine and what stands beside it in turns."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from penstock.app import Penstock
from penstock.bench.jobs import Collect, Handlers, Nothing, drain
from penstock.bench.place import Database, Floor
from penstock.bench.report import BATCH, BULK, BenchError, Figure, Sizes, Spread, percentile

_FLOOR = f"SQL by hand, {BULK} a transaction"
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_PAUSE_S = (0.02, 0.05)


async def measure(database: Database, sizes: Sizes) -> tuple[Figure, ...]:
    """All parts on one kind of database, in a stable order. Raises BenchError."""
    return (
        *await _enqueue_and_drain(database, sizes),
        await _one_by_one(database, sizes),
        *await _latency(database, sizes),
        await _flow(database, sizes),
    )


@asynccontextmanager
async def _engine(database: Database) -> AsyncIterator[Penstock]:
    async with database.empty_store() as store:
        yield Penstock(store=store)


async def _enqueue_and_drain(database: Database, sizes: Sizes) -> list[Figure]:
    count = sizes.jobs
    engine_in: list[float] = []
    engine_out: list[float] = []
    floor_in: list[float] = []
    floor_out: list[float] = []
    for _ in range(sizes.repeats):
        async with _engine(database) as engine:
            handlers = Handlers()
            jobs = [Nothing(n=n) for n in range(count)]
            began = time.perf_counter()
            for first in range(0, count, BULK):
                await engine.enqueue_many(jobs[first : first + BULK])
            engine_in.append(count / (time.perf_counter() - began))
            first_run, ended = await drain(engine, handlers, count)
            engine_out.append(count / (ended - first_run))
            handlers.check(count)
        async with database.empty_floor() as floor:
            floor_in.append(count / await _insert(floor, count))
            floor_out.append(count / await _work(floor, count, BATCH))
    return [
        Figure("bulk enqueue", "jobs/s", Spread.of(engine_in), _FLOOR, Spread.of(floor_in)),
        Figure("drain", "jobs/s", Spread.of(engine_out), f"SQL by hand, {BATCH} a claim", Spread.of(floor_out)),
    ]


async def _insert(floor: Floor, count: int) -> float:
    began = time.perf_counter()
    for first in range(0, count, BULK):
        await floor.insert(first, min(BULK, count - first))
    return time.perf_counter() - began


async def _work(floor: Floor, count: int, batch: int) -> float:
    began = time.perf_counter()
    done = 0
    while worked := await floor.work(batch):
        done += worked
    if done != count:
        raise BenchError(f"the floor worked {done} of {count} jobs")
    return time.perf_counter() - began


async def _one_by_one(database: Database, sizes: Sizes) -> Figure:
    by_engine: list[float] = []
    by_floor: list[float] = []
    for _ in range(sizes.repeats):
        async with _engine(database) as engine:
            began = time.perf_counter()
            for n in range(sizes.singles):
                await engine.enqueue(Nothing(n=n))
            by_engine.append(sizes.singles / (time.perf_counter() - began))
        async with database.empty_floor() as floor:
            began = time.perf_counter()
            for n in range(sizes.singles):
                await floor.insert(n, 1)
            by_floor.append(sizes.singles / (time.perf_counter() - began))
    beside = "SQL by hand, one a transaction"
    return Figure("enqueue one by one", "jobs/s", Spread.of(by_engine), beside, Spread.of(by_floor))


async def _latency(database: Database, sizes: Sizes) -> list[Figure]:
    """From before the enqueue to the start of the handler in an idle worker of the same process."""
    by_engine: list[Sequence[float]] = []
    by_floor: list[Sequence[float]] = []
    for _ in range(sizes.repeats):
        async with _engine(database) as engine:
            by_engine.append(await _pings(engine, sizes.pings))
        async with database.empty_floor() as floor:
            by_floor.append(await _floor_pings(floor, sizes.pings))
    beside = "insert, claim and complete by hand"
    return [
        Figure(
            f"idle latency {name}", "ms",
            Spread.of([percentile(values, share) for values in by_engine]),
            beside,
            Spread.of([percentile(values, share) for values in by_floor]),
        )
        for name, share in _QUANTILES.items()
    ]  # fmt: skip


async def _pings(engine: Penstock, count: int) -> list[float]:
    handlers = Handlers()
    asked: dict[int, float] = {}
    worker = handlers.worker(engine)
    await worker.start()
    try:
        for n in range(count):
            await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - no secret
            asked[n] = time.perf_counter()
            handle = await engine.enqueue(Nothing(n=n))
            await handle.result(timeout=30)
    finally:
        await worker.stop(grace_s=5)
    handlers.check(count)
    return [(handlers.began[n] - asked[n]) * 1_000 for n in range(count)]


async def _floor_pings(floor: Floor, count: int) -> list[float]:
    took: list[float] = []
    for n in range(count):
        await asyncio.sleep(random.uniform(*_PAUSE_S))  # noqa: S311 - no secret
        began = time.perf_counter()
        await floor.insert(n, 1)
        await floor.work(1)
        took.append((time.perf_counter() - began) * 1_000)
    return took


async def _flow(database: Database, sizes: Sizes) -> Figure:
    """The whole life of jobs, enqueue to completion, in a flow with one job after all of them, and without a flow."""
    in_flow: list[float] = []
    bare: list[float] = []
    for _ in range(sizes.repeats):
        in_flow.append(await _life(database, sizes.flow, flow=True))
        bare.append(await _life(database, sizes.flow, flow=False))
    return Figure(
        "life in a flow (fan-in)", "jobs/s", Spread.of(in_flow), "the same jobs without a flow", Spread.of(bare)
    )


async def _life(database: Database, count: int, *, flow: bool) -> float:
    async with _engine(database) as engine:
        handlers = Handlers()
        jobs = [Nothing(n=n) for n in range(count)]
        began = time.perf_counter()
        async with engine.transaction() as tx:
            if flow:
                ref = tx.flow("bench")
                handles = await tx.enqueue_many(jobs, flow=ref)
                await tx.enqueue(Collect(), flow=ref, after=handles)
            else:
                await tx.enqueue_many(jobs)
        _, ended = await drain(engine, handlers, count + flow)
    handlers.check(count)
    if handlers.collected != flow:
        raise BenchError(f"the job after all others ran {handlers.collected} times")
    return count / (ended - began)
