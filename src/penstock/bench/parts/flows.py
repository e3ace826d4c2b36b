"""Jobs that come after others: a chain, and a job after very many."""

import time
from collections.abc import Awaitable, Callable

from penstock.bench.drains import nothings
from penstock.bench.jobs import Collect, check_once
from penstock.bench.parts.part import Part, Setting
from penstock.bench.place import Ground
from penstock.bench.report import Bar, Figure, Spread
from penstock.bench.workers import crew
from penstock.producer import JobHandle

_COST = Bar(most=1.5, of_ratio=True)
_GAP_MS = Bar(most=1_000)


async def _chain(setting: Setting) -> list[Figure]:
    """Beside it as many jobs that are claimed and completed by hand one after the other."""
    count = setting.sizes.chain
    found: list[float] = []
    floors: list[float] = []
    for _ in setting.turns("chain"):
        async with setting.database.ground() as ground, crew(ground.url) as workers:
            async with ground.engine.transaction() as tx:
                flow = tx.flow("bench")
                before: list[JobHandle] = []
                for job in nothings(count):
                    before = [await tx.enqueue(job, flow=flow, after=before)]
            await workers.go()
            ended = await workers.until_completed(count)
            await workers.stop()
            check_once([n for n, _ in workers.began], count)
            found.append(count / (ended - min(at for _, at in workers.began)))
        async with setting.database.floor() as floor:
            await floor.insert(0, count)
            began = time.perf_counter()
            for _ in range(count):
                await floor.take()
                await floor.finish()
            floors.append(count / (time.perf_counter() - began))
    beside = "claim and complete by hand, one by one"
    return [Figure(f"chain of {count:,}", "jobs/s", Spread.of(found), beside, Spread.of(floors), charted=True)]


async def _fan_in(setting: Setting) -> list[Figure]:
    return [figure for width in setting.sizes.fan_in for figure in await _fan_in_of(setting, width)]


async def _fan_in_of(setting: Setting, width: int) -> list[Figure]:
    """The whole life of jobs, from before the enqueue to the end, in a flow and without one."""
    in_flow: list[float] = []
    bare: list[float] = []
    gaps: list[float] = []
    for _ in setting.turns(f"fan-in of {width:,}"):
        async with setting.database.ground() as ground:
            seconds, began = await _life(ground, _put_flow, width, width + 1)
            in_flow.append(seconds / width * 1e6)
            child = began.pop(width)
            gaps.append((child - max(began.values())) * 1_000)
        async with setting.database.ground() as ground:
            seconds, _ = await _life(ground, _put_bare, width, width)
            bare.append(seconds / width * 1e6)
    return [
        Figure(
            f"job in a fan-in of {width:,}", "µs a job", Spread.of(in_flow), "the same jobs without a flow",
            Spread.of(bare), _COST,
        ),
        Figure(f"last of {width:,} parents to child", "ms", Spread.of(gaps), bar=_GAP_MS),
    ]  # fmt: skip


async def _life(
    ground: Ground, put: Callable[[Ground, int], Awaitable[None]], width: int, total: int
) -> tuple[float, dict[int, float]]:
    """Seconds that the jobs took to enqueue and to work off, and when each began."""
    async with crew(ground.url) as workers:
        began = time.perf_counter()
        await put(ground, width)
        seconds = time.perf_counter() - began
        await workers.go()
        ended = await workers.until_completed(total)
        await workers.stop()
    check_once([n for n, _ in workers.began], total)
    at = dict(workers.began)
    return seconds + ended - min(at.values()), at


async def _put_flow(ground: Ground, width: int) -> None:
    async with ground.engine.transaction() as tx:
        flow = tx.flow("bench")
        parents = await tx.enqueue_many(nothings(width), flow=flow)
        await tx.enqueue(Collect(n=width), flow=flow, after=parents)


async def _put_bare(ground: Ground, width: int) -> None:
    async with ground.engine.transaction() as tx:
        await tx.enqueue_many(nothings(width))


FLOWS = (
    Part("chain", "1,000 jobs, each after the one before", 30, _chain),
    Part("fan-in", "one job after 10,000 and after 50,000, beside the same jobs without a flow", 80, _fan_in),
)
