"""A job that was lost twice runs alone."""

import asyncio
import random
import time

from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.states import JobState
from penstock.store.programs.claim import ClaimRequest, claim
from penstock.store.programs.workers import WorkerInfo, add_worker, rescue
from tests.worker.working import Note, Other, reached, until, working


async def lose(engine: Penstock, job_id: str, times: int) -> None:
    """Let workers that never were claim the job and be lost."""
    for number in range(times):
        now = time.time_ns() // 1000
        worker = await engine.store.run(
            add_worker(WorkerInfo("ghost", "h", 1, None, ("default",), ("note",), 1_000_000), now)
        )
        claimed = await engine.store.run(claim(ClaimRequest("default", ("note",), 1, number + 1, worker), now))
        assert [job.id for job in claimed.jobs] == [job_id]
        await engine.store.run(rescue(worker, "ghost", now, random.Random(1)))


async def test_a_job_lost_twice_runs_with_nothing_beside_it_and_then_the_rest_goes_on(any_engine: Penstock):
    running: set[str] = set()
    beside: dict[str, set[str]] = {}

    async def watch(job: Job[Note] | Job[Other]) -> None:
        beside[job.id] = set(running)
        running.add(job.id)
        for other in running:
            beside[other] = beside[other] | running
        await asyncio.sleep(0.02)
        running.discard(job.id)

    async def note(job: Job[Note]) -> None:
        await watch(job)

    async def other(job: Job[Other]) -> None:
        await watch(job)

    poison = await any_engine.enqueue(Note())
    await lose(any_engine, poison.id, 2)
    handles = await any_engine.enqueue_many([Other(number=n) for n in range(100)])
    async with working(any_engine, note, other) as worker:
        view = await reached(any_engine, poison.id, JobState.COMPLETED)
        await until(lambda: worker.get_stats().completed == 101)
    assert view.losses == 2
    assert beside[poison.id] == {poison.id}
    assert (await any_engine.get(handles[-1].id)).state is JobState.COMPLETED
