"""Drains with very many other rows in the table, finished ones or waiting ones."""

from penstock.app import Penstock
from penstock.bench.drains import Drain, drain, enqueue_bulk, nothings
from penstock.bench.jobs import Nothing, Unknown
from penstock.bench.parts.drain import middle, one_drain, rates
from penstock.bench.parts.part import Part, Setting
from penstock.bench.place import Ground
from penstock.bench.report import Bar, BenchError, Figure
from penstock.bench.workers import crew
from penstock.domain.states import JobState
from penstock.store.programs.read import rows_of

_STEADY = Bar(least=0.9, of_ratio=True)


async def _finished(setting: Setting) -> list[Figure]:
    async with setting.database.ground() as ground, crew(ground.url) as workers:
        handle = await ground.engine.enqueue(Nothing(n=0))
        await workers.go()
        await workers.until_completed(1)
        await workers.stop()
        setting.say(f"{setting.sizes.backlog:,} finished rows")
        await ground.probe.copy(handle.id, setting.sizes.backlog)
        return await _drains(setting, ground, "finished")


async def _waiting(setting: Setting) -> list[Figure]:
    """Half of them of a kind that the worker does not know, half of its own kind behind all others."""
    async with setting.database.ground() as ground:
        unknown = await ground.engine.enqueue(Unknown(n=-1))
        later = await ground.engine.enqueue(Nothing(n=-1), priority="low")
        setting.say(f"{setting.sizes.backlog:,} waiting rows")
        for handle in (unknown, later):
            await ground.probe.copy(handle.id, setting.sizes.backlog // 2)
        return await _drains(setting, ground, "waiting")


async def _drains(setting: Setting, ground: Ground, what: str) -> list[Figure]:
    """The first drain just after the rows came, before any statistics know of them; the others beside fresh ones."""
    setting.say(f"drain with {what} rows, no statistics yet")
    unprepared = await _drain_in(setting, ground)
    await ground.probe.settle()
    fresh: list[Drain] = []
    deep: list[Drain] = []
    for _ in setting.turns(f"drain with {what} rows"):
        fresh.append(await one_drain(setting))
        deep.append(await _drain_in(setting, ground))
    rows = f"drain with {setting.sizes.backlog:,} {what} rows"
    return [
        Figure(rows, "jobs/s", rates(deep), "the drain of a new table", rates(fresh), _STEADY, middle(deep)),
        Figure(
            f"the first, {what} rows just in", "jobs/s", rates([unprepared]), "the drain of a new table", rates(fresh)
        ),
    ]


async def _drain_in(setting: Setting, ground: Ground) -> Drain:
    before = await _completed(ground.engine)

    async def verify(engine: Penstock, count: int) -> None:
        done = await _completed(engine) - before
        if done < count:
            raise BenchError(f"of {count} jobs the store says that {done} are completed")

    await enqueue_bulk(ground.engine, nothings(setting.sizes.jobs))
    return await drain(ground, setting.sizes.jobs, verify=verify)


async def _completed(engine: Penstock) -> int:
    rows = await engine.store.read(rows_of("count_jobs"))
    return sum(count for _, state, count in rows if state == JobState.COMPLETED)


DEPTHS = (
    Part("finished-rows", "drains with 1,000,000 finished rows in the table", 75, _finished),
    Part("waiting-rows", "drains with 1,000,000 waiting rows: an unknown kind, and a lower priority", 75, _waiting),
)
