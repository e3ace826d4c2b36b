"""Working plain jobs off, by one process and by two."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from penstock.app import Penstock
from penstock.bench.drains import BULK, Drain, check_history, drain, enqueue_bulk, nothings
from penstock.bench.parts.part import Part, Setting
from penstock.bench.report import Bar, BenchError, Figure, Profile, Spread

DRAIN = "drain, one process"
"""The name of the figure that both stores are compared by."""
_BATCHES = (100, 200, 500, 1_000)
_BUSY_CORES = 1.8

Enqueue = Callable[[Penstock, int], Awaitable[None]]
Verify = Callable[[Penstock, int], Awaitable[None]]


async def one_drain(
    setting: Setting, enqueue: Enqueue | None = None, processes: int = 1, verify: Verify = check_history
) -> Drain:
    """Enqueue the jobs of a drain into a new database (plain ones unless told otherwise) and work them off."""
    async with setting.database.ground() as ground:
        await (enqueue or _enqueue_plain)(ground.engine, setting.sizes.jobs)
        return await drain(ground, setting.sizes.jobs, processes=processes, verify=verify)


async def _one_process(setting: Setting) -> list[Figure]:
    """Beside the floors of four batch sizes. On SQLite the bar is that of 100, on PostgreSQL of the engine's own."""
    drains: list[Drain] = []
    floors: dict[int, list[float]] = {batch: [] for batch in _BATCHES}
    for _ in setting.turns("drain"):
        drains.append(await one_drain(setting))
        for batch, found in floors.items():
            found.append(await _floor(setting, batch))
    engine = Spread.of([one.rate for one in drains])
    mean = sum(one.batch for one in drains) / len(drains)
    judged = 100 if setting.is_sqlite else next((batch for batch in _BATCHES if batch >= mean), _BATCHES[-1])
    bar = Bar(least=0.3 if setting.is_sqlite else 0.5, of_ratio=True)
    figures = [
        Figure(f"the same beside batches of {batch}", "jobs/s", engine, _by_hand(batch, mean), Spread.of(found))
        for batch, found in floors.items()
    ]
    at = _BATCHES.index(judged)
    first = replace(figures[at], name=DRAIN, bar=bar, profile=middle(drains), charted=True)
    return [first, *figures[:at], *figures[at + 1 :]]


def _by_hand(batch: int, mean: float) -> str:
    return f"SQL by hand, {batch} a claim (ours: {mean:.0f})"


async def _floor(setting: Setting, batch: int) -> float:
    async with setting.database.floor() as floor:
        count = setting.sizes.jobs
        for first in range(0, count, BULK):
            await floor.insert(first, min(BULK, count - first))
        began = time.perf_counter()
        done = await floor.drain(batch)
        seconds = time.perf_counter() - began
    if done != count:
        raise BenchError(f"the floor worked {done} of {count} jobs")
    return count / seconds


async def _two_processes(setting: Setting) -> list[Figure]:
    one: list[Drain] = []
    two: list[Drain] = []
    for _ in setting.turns("drain by one and by two processes"):
        one.append(await one_drain(setting))
        two.append(await one_drain(setting, processes=2))
    by_two, by_one = rates(two), rates(one)
    bar = None if setting.is_sqlite else Bar(least=1.0, of_ratio=True)
    figures = [Figure("drain, two processes", "jobs/s", by_two, "one process", by_one, bar, middle(two))]
    cores = [drained.profile.cores for drained in two if drained.profile.cores is not None]
    if cores:
        busy = None if setting.is_sqlite else Bar(least=_BUSY_CORES)
        figures.append(Figure("cores busy meanwhile", "cores", Spread.of(cores), bar=busy))
    return figures


async def _enqueue_plain(engine: Penstock, count: int) -> None:
    await enqueue_bulk(engine, nothings(count))


def rates(drains: list[Drain]) -> Spread:
    """Jobs a second."""
    return Spread.of([one.rate for one in drains])


def middle(drains: list[Drain]) -> Profile:
    """The profile of the drain with the median rate."""
    return sorted(drains, key=lambda one: one.rate)[len(drains) // 2].profile


DRAINS = (
    Part("drain", "one worker process, beside floors of four batch sizes", 45, _one_process),
    Part("two-processes", "one worker process and two, in turns", 45, _two_processes),
)
