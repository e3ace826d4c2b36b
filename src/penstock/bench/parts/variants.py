"""Working jobs off that cost more than plain ones: with results, progress, a step, unique keys, mixed priorities."""

from dataclasses import dataclass
from functools import partial

from penstock.app import Penstock
from penstock.bench.drains import BULK, Drain, check_history, enqueue_bulk
from penstock.bench.jobs import QUEUE, Answering, Nothing, Stepping, Telling
from penstock.bench.models import Asking, Provider
from penstock.bench.parts.drain import Enqueue, Verify, middle, one_drain, rates
from penstock.bench.parts.part import Part, Setting
from penstock.bench.report import Bar, BenchError, Figure
from penstock.domain.order import Priority
from penstock.store.programs.read import JobFilter

_SAMPLE = 100
_LEVELS = tuple(Priority)


@dataclass(frozen=True, slots=True)
class _Variant:
    """A drain of jobs that are not plain: how they are enqueued, and what is to be seen of it afterwards."""

    name: str
    enqueue: Enqueue
    verify: Verify = check_history


async def _variants(setting: Setting) -> list[Figure]:
    plain: list[Drain] = []
    drains: dict[str, list[Drain]] = {variant.name: [] for variant in _VARIANTS}
    for _ in setting.turns("drains that cost more"):
        plain.append(await one_drain(setting))
        for variant in _VARIANTS:
            drains[variant.name].append(await one_drain(setting, variant.enqueue, verify=variant.verify))
    return [
        Figure(f"drain {name}", "jobs/s", rates(found), "the plain drain", rates(plain), profile=middle(found))
        for name, found in drains.items()
    ]


async def _enqueue_answering(engine: Penstock, count: int) -> None:
    await enqueue_bulk(engine, [Answering(n=n) for n in range(count)])


async def _enqueue_telling(engine: Penstock, count: int) -> None:
    await enqueue_bulk(engine, [Telling(n=n) for n in range(count)])


async def _enqueue_stepping(engine: Penstock, count: int) -> None:
    await enqueue_bulk(engine, [Stepping(n=n) for n in range(count)])


async def _limits(setting: Setting) -> list[Figure]:
    """Jobs that each ask a model which answers at once: with limits that are never reached, and without any."""
    drains: dict[Provider, list[Drain]] = {"free": [], "limited": []}
    for _ in setting.turns("drains of model calls"):
        for provider, found in drains.items():
            found.append(await one_drain(setting, partial(_enqueue_asking, provider), verify=_verify_calls))
    free, limited = drains["free"], drains["limited"]
    bar = Bar(least=0.9, of_ratio=True)
    name = "model calls under limits far above"
    return [Figure(name, "jobs/s", rates(limited), "without limits", rates(free), bar, middle(limited))]


async def _enqueue_asking(provider: Provider, engine: Penstock, count: int) -> None:
    await enqueue_bulk(engine, [Asking(n=n, provider=provider) for n in range(count)])


async def _verify_calls(engine: Penstock, count: int) -> None:
    await check_history(engine, count)
    [usage] = await engine.usage(by="kind")
    if (usage.calls, usage.open, usage.failed) != (count, 0, 0):
        raise BenchError(f"of {count} calls the ledger says: {usage}")


async def _enqueue_unique(engine: Penstock, count: int) -> None:
    for first in range(0, count, BULK):
        async with engine.transaction() as tx:
            for n in range(first, min(count, first + BULK)):
                await tx.enqueue(Nothing(n=n), unique=f"bench:{n}")


async def _enqueue_mixed(engine: Penstock, count: int) -> None:
    """Each call with all four levels."""
    for first in range(0, count, BULK):
        async with engine.transaction() as tx:
            for n in range(first, min(count, first + BULK)):
                await tx.enqueue(Nothing(n=n), priority=_LEVELS[n % len(_LEVELS)])


async def _verify_answers(engine: Penstock, count: int) -> None:
    await check_history(engine, count)
    for job in await engine.jobs.list(JobFilter(queue=QUEUE, limit=_SAMPLE)):
        data, result = await engine.jobs.payload(job.id)
        if result != {"n": data["n"]}:
            raise BenchError(f"the result of job {job.id} is {result!r}")


async def _verify_progress(engine: Penstock, count: int) -> None:
    await check_history(engine, count)
    for job in await engine.jobs.list(JobFilter(queue=QUEUE, limit=_SAMPLE)):
        if job.progress != 0.5:
            raise BenchError(f"the progress of job {job.id} is {job.progress!r}")


async def _verify_steps(engine: Penstock, count: int) -> None:
    await check_history(engine, count)
    for job in await engine.jobs.list(JobFilter(queue=QUEUE, limit=_SAMPLE)):
        data, _ = await engine.jobs.payload(job.id)
        if [step.result for step in await engine.jobs.steps(job.id)] != [data["n"]]:
            raise BenchError(f"job {job.id} has not stored its step")


async def _verify_keys(engine: Penstock, count: int) -> None:
    """The keys were held: each job carries its own, and it is free again."""
    await check_history(engine, count)
    jobs = await engine.jobs.list(JobFilter(queue=QUEUE, limit=_SAMPLE))
    if not all(job.unique_key for job in jobs):
        raise BenchError("jobs with a unique key have lost it")


_VARIANTS = (
    _Variant("with results", _enqueue_answering, _verify_answers),
    _Variant("with progress", _enqueue_telling, _verify_progress),
    _Variant("with one step", _enqueue_stepping, _verify_steps),
    _Variant("with unique keys", _enqueue_unique, _verify_keys),
    _Variant("with mixed priorities", _enqueue_mixed),
)

VARIANTS = (
    Part("variants", "drains with results, progress, a step, unique keys, mixed priorities", 120, _variants),
    Part("limits", "drains of model calls with limits that are never reached and without", 120, _limits),
)
