"""What only the leader does."""

import asyncio
from datetime import timedelta

from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.states import JobState
from penstock.store.base import Store
from penstock.store.programs.workers import read_leader
from penstock.worker import Duty, Worker
from penstock.worker.leader import LEFT, ROW
from tests.worker.working import Note, reached, until, working


async def nothing(job: Job[Note]) -> None:
    """A handler."""


async def test_a_job_whose_deadline_passes_while_it_waits_fails(any_engine: Penstock):
    handle = await any_engine.enqueue(Note(), deadline=timedelta(milliseconds=100), delay=3600)
    async with working(any_engine, nothing):
        view = await reached(any_engine, handle.id, JobState.FAILED)
    assert view.attempt == 0


async def test_of_two_workers_one_does_the_duties_and_the_other_follows_when_it_stops(any_engine: Penstock):
    done: list[str] = []

    def worker(name: str) -> Worker:
        async def duty(store: Store, now: int) -> None:
            done.append(name)

        return Worker(any_engine, [nothing], duties=[Duty("note", 0.05, duty)], lease_s=1.5)

    first, second = worker("first"), worker("second")
    await first.start()
    await until(lambda: len(done) > 2)
    await second.start()
    await until(lambda: len(done) > 5)
    assert set(done) == {"first"}
    await first.stop()
    left = await any_engine.store.read(read_leader(ROW))
    assert left is not None
    assert left.beats == LEFT
    await until(lambda: "second" in done)
    await second.stop()


async def test_a_duty_that_fails_is_tried_again_and_ends_nothing(engine: Penstock):
    turns: list[int] = []

    async def failing(store: Store, now: int) -> None:
        turns.append(now)
        raise ValueError("a fault")

    async with working(engine, nothing, duties=[Duty("failing", 0.05, failing)]):
        await until(lambda: len(turns) > 2)
        handle = await engine.enqueue(Note())
        await reached(engine, handle.id, JobState.COMPLETED)


async def test_an_idle_worker_runs_few_statements(engine: Penstock, monkeypatch):
    programs: list[str] = []
    run, read = engine.store.run, engine.store.read

    async def counted_run(program, *, durable=True):
        programs.append(program.name)
        return await run(program, durable=durable)

    async def counted_read(program):
        programs.append(program.name)
        return await read(program)

    async with working(engine, nothing, lease_s=30) as worker:
        await until(lambda: worker.get_stats().polls > 0)
        monkeypatch.setattr(engine.store, "run", counted_run)
        monkeypatch.setattr(engine.store, "read", counted_read)
        start = asyncio.get_running_loop().time()
        await until(lambda: programs.count("fall_due") >= 3)
        seconds = asyncio.get_running_loop().time() - start
    # This engine polls five times as often as the default; each fall_due is two statements.
    budget = (10 + 4) * seconds
    assert len(programs) + programs.count("fall_due") < budget, programs
