"""Draining jobs by real worker processes, and proof that nothing was switched off for it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from penstock.app import Penstock
from penstock.bench.instrument import Instrument
from penstock.bench.jobs import QUEUE, Endless, Forging, Invalid, Nothing, check_once
from penstock.bench.place import Ground
from penstock.bench.report import BenchError, Profile
from penstock.bench.workers import Crew, crew
from penstock.domain.job import JobData
from penstock.domain.states import JobState
from penstock.errors import JobFailed, ResultTimeout
from penstock.store.programs.read import JobFilter, rows_of

BULK = 1_000
"""Jobs a call."""
_SAMPLE = 1_000
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Drain:
    """One drain: jobs a second from the first handler's start to the last stored completion; jobs a claim."""

    rate: float
    batch: float
    profile: Profile


async def enqueue_bulk(engine: Penstock, jobs: Sequence[JobData], bulk: int = BULK) -> None:
    """So many a call, one call after the other."""
    for first in range(0, len(jobs), bulk):
        await engine.enqueue_many(jobs[first : first + bulk])


def nothings(count: int) -> list[Nothing]:
    """The jobs 0 to `count - 1`."""
    return [Nothing(n=n) for n in range(count)]


async def drain(
    ground: Ground,
    count: int,
    *,
    processes: int = 1,
    verify: Callable[[Penstock, int], Awaitable[None]] | None = None,
) -> Drain:
    """Work off the `count` jobs that wait, and of those with negative numbers what comes along.

    `verify` is asked about the store when they have completed.

    Raises BenchError when one did not run exactly once, when its history is not there, or when validation, fences or
    timeouts were off.
    """
    async with crew(ground.url, processes) as workers:
        instrument = Instrument(ground.probe)
        await instrument.begin()
        await workers.go()
        try:
            ended = await workers.until_completed(count)
        except BenchError as error:
            raise BenchError(f"{error}{await _first_reason(ground.engine)}") from None
        await instrument.end()
        spent = workers.spent
        await (verify or check_history)(ground.engine, count)
        await check_guards(ground.engine)
        await workers.stop()
    check_once([n for n, _ in workers.began if n >= 0], count)
    profile = await instrument.profile(count, spent)
    began = min(at for _, at in workers.began)
    return Drain(count / (ended - began), count / max(1, _polls(workers)), profile)


async def check_history(engine: Penstock, count: int) -> None:
    """Raise BenchError unless the store says that all have completed and holds a history of each (a sample is read)."""
    stored = {row[1]: row[2] for row in await engine.store.read(rows_of("count_jobs"))}
    if stored != {JobState.COMPLETED: count}:
        raise BenchError(f"of {count} jobs the store says: {stored}")
    for job in await engine.jobs.list(JobFilter(queue=QUEUE, limit=_SAMPLE)):
        moments = (job.created_at, job.claimed_at, job.started_at, job.finished_at)
        known = [moment for moment in moments if moment is not None]
        if len(known) < len(moments) or known != sorted(known) or job.attempt != 1 or job.worker_id is None:
            raise BenchError(f"the history of job {job.id} is not complete: {job}")


async def check_guards(engine: Penstock) -> None:
    """Raise BenchError unless the worker refuses wrong data, ends what outlasts its timeout, and is fenced."""
    invalid = await engine.enqueue(Invalid())
    endless = await engine.enqueue(Endless())
    forging = await engine.enqueue(Forging())
    for handle, what in ((invalid, "data that does not validate"), (endless, "a job beyond its timeout")):
        try:
            await handle.result(_PATIENCE_S)
        except JobFailed:
            continue
        except ResultTimeout:
            pass
        raise BenchError(f"{what} was let through")
    if await forging.result(_PATIENCE_S) != "refused":
        raise BenchError("a write with a claim that its run does not hold was accepted")


def _polls(workers: Crew) -> int:
    return sum(worker.polls for worker in workers.workers)


async def _first_reason(engine: Penstock) -> str:
    """Why the newest job that failed did."""
    failed = await engine.jobs.list(JobFilter(states=(JobState.FAILED,), limit=1))
    return f": {failed[0].reason}" if failed else ""
