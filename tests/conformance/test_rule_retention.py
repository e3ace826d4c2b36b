"""Retention: separate by state, by age, count and bytes, per queue; nothing that is still needed goes."""

from datetime import timedelta

import pytest

from penstock import Event, NotFound, Penstock, Queue, Retention, Unique
from penstock.domain.outcomes import Completed, ErrorRecord, Failed
from penstock.store.programs.change import put_queue
from penstock.store.programs.upkeep import prune
from tests.conformance.databases import Database
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOTHING = Retention(completed=None, failed=None, cancelled=None)


class Kept(Event, type="kept"):
    pass


async def set_up(engine: Penstock, retention: Retention, queue: str = "default") -> None:
    """Give a queue its retention."""
    await engine.store.run(put_queue(queue, Queue(retention=retention)))


async def prune_now(engine: Penstock) -> int:
    """What a leader does."""
    return await engine.store.run(prune(engine.store.clock.now()))


async def end_three(engine: Penstock, worker: HandWorker, queue: str = "default") -> dict[str, str]:
    """One job of each final state: state -> id."""
    handles = await engine.enqueue_many([Work(), Work(), Work()], queue=queue)
    first, second = await worker.claim(2, queue=queue)
    await worker.settle(first, Completed(b'"result"'))
    await worker.fail(second)
    await engine.cancel(handles[2].id)
    return {"completed": first.id, "failed": second.id, "cancelled": handles[2].id}


async def left(engine: Penstock) -> set[str]:
    """Ids of all jobs."""
    return {view.id for view in await engine.jobs.list()}


async def test_each_state_has_its_own_age(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await set_up(engine, Retention(completed=HOUR, failed=3 * HOUR, cancelled=2 * HOUR))
    ids = await end_three(engine, worker)
    gone: set[str] = set()
    for state in ("completed", "cancelled", "failed"):
        clock.advance(HOUR - timedelta(microseconds=1))
        assert await prune_now(engine) == 0
        clock.advance(timedelta(microseconds=1))
        assert await prune_now(engine) == 1
        gone.add(ids[state])
        assert await left(engine) == set(ids.values()) - gone
    with pytest.raises(NotFound):
        await engine.get(ids["completed"])


async def test_without_settings_completed_go_after_a_week_and_failed_stay(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    ids = await end_three(engine, worker)
    clock.advance(7 * DAY)
    assert await prune_now(engine) == 1
    clock.advance(365 * DAY)
    await prune_now(engine)
    assert await left(engine) == {ids["failed"]}


async def test_queues_are_kept_apart(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await set_up(engine, Retention(completed=HOUR, failed=HOUR, cancelled=HOUR), "short")
    await set_up(engine, NOTHING, "long")
    await end_three(engine, worker, "short")
    ids = await end_three(engine, worker, "long")
    clock.advance(400 * DAY)
    assert await prune_now(engine) == 3
    assert await left(engine) == set(ids.values())


async def test_a_job_of_its_own_retention_goes_then(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await set_up(engine, NOTHING)
    brief = await engine.enqueue(Work(), retention=HOUR)
    kept = await engine.enqueue(Work())
    await worker.finish_all()
    clock.advance(HOUR)
    assert await prune_now(engine) == 1
    assert await left(engine) == {kept.id}
    assert brief.id != kept.id


async def test_by_count_the_newest_stay(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await set_up(engine, Retention(completed=None, failed=None, cancelled=None, max_completed=2, max_failed=1))
    ids = []
    for n in range(6):
        await engine.enqueue(Work(n=n))
        job = await worker.claim_one()
        await worker.settle(job, Completed() if n % 2 else Failed(ErrorRecord("E", "m"), permanent=True))
        ids.append(job.id)
        clock.advance(1)
    assert await prune_now(engine) == 3
    assert await left(engine) == {ids[3], ids[4], ids[5]}


async def test_by_bytes_the_newest_stay(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await set_up(engine, Retention(completed=None, failed=None, cancelled=None, max_bytes=2_500))
    ids = []
    for n in range(4):
        await engine.enqueue(Work(n=n))
        job = await worker.claim_one()
        await worker.complete(job, "x" * 1_000)
        ids.append(job.id)
        clock.advance(1)
    assert await prune_now(engine) == 2
    assert await left(engine) == {ids[2], ids[3]}


async def test_everything_of_a_job_goes_with_it(
    database: Database, engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await set_up(engine, Retention(completed=HOUR, failed=HOUR, cancelled=HOUR))
    async with engine.transaction() as tx:
        flow = tx.flow("f")
        a = await tx.enqueue(Work(), flow=flow, unique=Unique("k", period=timedelta(minutes=1)))
        await tx.enqueue(Work(), after=a)
    await worker.fail(await worker.claim_one(), permanent=False)
    clock.advance(60)
    await worker.fall_due()
    await worker.finish_all()
    await engine.publish(Kept())
    clock.advance(2 * DAY)
    assert await prune_now(engine) == 2
    for table in ("jobs", "results", "progress", "errors", "edges", "unique_keys", "flows"):
        assert database.select(f"SELECT count(*) FROM ~{table}") == [(0,)], table  # noqa: S608 - a list of our own
    if database.name == "sqlite":
        assert database.select("SELECT count(*) FROM ~job_data") == [(0,)]
    assert len(await engine.events.read()) == 1


async def test_a_job_stays_while_one_after_it_is_open(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await set_up(engine, Retention(completed=HOUR, max_completed=0, max_bytes=0))
    parent = await engine.enqueue(Work())
    other = await engine.enqueue(Work(), queue="other")
    child = await engine.enqueue(Work(), after=[parent, other])
    await worker.complete(await worker.claim_one(), "needed")
    clock.advance(DAY)
    assert await prune_now(engine) == 0
    await worker.complete(await worker.claim_one(queue="other"))
    job = await worker.claim_one()
    clock.advance(DAY)
    assert await prune_now(engine) == 0
    assert job.id == child.id
    await worker.complete(job)
    clock.advance(DAY)
    await prune_now(engine)
    assert parent.id not in await left(engine)


async def test_a_job_stays_while_its_flow_is_open(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await set_up(engine, Retention(completed=HOUR, max_completed=0, max_bytes=0))
    flow = await engine.flow("f")
    await engine.enqueue(Work(), flow=flow)
    await engine.enqueue(Work(), flow=flow, queue="other")
    await worker.finish_all()
    clock.advance(DAY)
    assert await prune_now(engine) == 0
    await worker.finish_all(queue="other")
    assert await prune_now(engine) == 1


async def test_open_jobs_are_never_pruned(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await set_up(engine, Retention(completed=HOUR, failed=HOUR, cancelled=HOUR, max_completed=0, max_bytes=0))
    ready, scheduled = await engine.enqueue(Work()), await engine.enqueue(Work(), delay=10**6)
    blocked = await engine.enqueue(Work(), after=ready)
    running = await engine.enqueue(Work(), priority="high")
    await worker.claim(1)
    clock.advance(400 * DAY)
    assert await prune_now(engine) == 0
    assert await left(engine) == {ready.id, scheduled.id, blocked.id, running.id}


async def test_much_is_pruned_in_bounded_bites(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await engine.enqueue_many([Work(n=n) for n in range(250)])
    await worker.finish_all()
    clock.advance(8 * DAY)
    bites = [await engine.store.run(prune(clock.now(), 100)) for _ in range(4)]
    assert bites == [100, 100, 50, 0]
