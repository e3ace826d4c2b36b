"""Races that only PostgreSQL has, each step by step: one transaction stays open while another meets it.

SQLite has one writer; there the parametrised tests say all there is to say.
"""

import asyncio
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from penstock import Event, FlowEnded, JobHandle, NotFound, Penstock, Queue, QueueFull, Retention, Schedule
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Completed, ErrorRecord, Failed
from penstock.store.postgres import PostgresStore
from penstock.store.program import Program
from penstock.store.programs.change import put_queue
from penstock.store.programs.claim import ClaimRequest, admit, claim
from penstock.store.programs.events import number_events
from penstock.store.programs.settle import settle
from penstock.store.programs.upkeep import declare_schedules, prune, tick
from tests.conformance.databases import PostgresDatabase
from tests.conformance.races.conftest import Open, UntilStuck
from tests.conformance.streaming import text_now, text_of, write
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work, run_of


class Said(Event, type="said"):
    n: int


def completing(worker: HandWorker, job: Any) -> Program[Any]:
    """The end of a run, not yet written."""
    return settle([worker.end_of(job, Completed())], worker.store.clock.now(), "w")


async def test_a_child_enqueued_while_its_parent_ends_is_not_forgotten(
    engine: Penstock, worker: HandWorker, open_transaction: Open[Any], until_stuck: UntilStuck
):
    parent = await engine.enqueue(Work())
    _, ending = await open_transaction(completing(worker, await worker.claim_one()))
    task = asyncio.create_task(engine.enqueue(Work(), after=parent))
    assert await until_stuck(task)
    await ending.commit()
    child = await task
    assert [job.id for job in await worker.claim()] == [child.id]


async def test_a_parent_that_ends_while_its_child_is_enqueued_starts_it(
    database: PostgresDatabase, engine: Penstock, worker: HandWorker, until_stuck: UntilStuck
):
    parent = await engine.enqueue(Work())
    job = await worker.claim_one()
    async with await psycopg.AsyncConnection.connect(database.url) as producer:
        child = await engine.enqueue(Work(), after=parent, on=producer)
        task = asyncio.create_task(worker.complete(job))
        assert await until_stuck(task)
        await producer.commit()
    assert await task == "completed"
    assert [job.id for job in await worker.claim()] == [child.id]


async def test_a_fan_in_counts_two_parents_that_end_at_the_same_time(
    engine: Penstock, worker: HandWorker, open_transaction: Open[Any], until_stuck: UntilStuck
):
    parents = await engine.enqueue_many([Work(), Work()])
    child = await engine.enqueue(Work(), after=parents)
    first, second = await worker.claim()
    _, ending = await open_transaction(completing(worker, first))
    task = asyncio.create_task(worker.complete(second))
    assert await until_stuck(task)
    await ending.commit()
    await task
    assert [job.id for job in await worker.claim()] == [child.id]


async def test_a_retry_waits_for_the_end_of_another_parent(
    engine: Penstock, worker: HandWorker, open_transaction: Open[Any], until_stuck: UntilStuck
):
    a, b = await engine.enqueue_many([Work(), Work()])
    child = await engine.enqueue(Work(), after=[a, b])
    first, second = await worker.claim()
    await worker.settle(first, Failed(ErrorRecord("E", "m"), permanent=True))
    _, ending = await open_transaction(completing(worker, second))
    task = asyncio.create_task(engine.jobs.retry(a.id))
    await until_stuck(task)
    await ending.commit()
    await task
    assert await worker.finish_all() == [a.id, child.id]


async def test_the_first_uses_of_a_concurrency_key_take_turns(
    engine: Penstock, worker: HandWorker, open_transaction: Open[Any], until_stuck: UntilStuck
):
    await engine.enqueue_many([Work() for _ in range(6)], concurrency_key="k", concurrency_limit=2)
    now = engine.store.clock.now()

    async def claimed(number: int) -> list[ClaimedJob]:
        request = ClaimRequest("default", (), 1, number, worker.id, any_kind=True)
        return (await engine.store.run(claim(request, now))).jobs

    jobs = [await claimed(number) for number in (1, 2, 3)]
    one, first = await open_transaction(admit(1, jobs[0]))
    second_task = asyncio.create_task(open_transaction(admit(2, jobs[1])))
    assert await until_stuck(second_task)
    await first.commit()
    two, second = await second_task
    third_task = asyncio.create_task(open_transaction(admit(3, jobs[2])))
    await until_stuck(third_task)
    await second.commit()
    three, third = await third_task
    await third.commit()
    assert len(one.jobs) + len(two.jobs) + len(three.jobs) == 2


async def test_a_claim_passes_over_what_another_is_taking(
    engine: Penstock, worker: HandWorker, open_transaction: Open[Any]
):
    handles = await engine.enqueue_many([Work(n=n) for n in range(6)])
    now = engine.store.clock.now()
    taken, claiming = await open_transaction(claim(ClaimRequest("default", (), 2, 1, 9, any_kind=True), now))
    assert [job.id for job in taken.jobs] == [handle.id for handle in handles[:2]]
    assert [job.id for job in await worker.claim(2)] == [handle.id for handle in handles[2:4]]
    await claiming.rollback()
    assert [job.id for job in await worker.claim()] == [handles[n].id for n in (0, 1, 4, 5)]


async def test_a_job_that_commits_below_the_claim_position_is_found(
    database: PostgresDatabase, engine: Penstock, worker: HandWorker, clock: MovableClock
):
    async with await psycopg.AsyncConnection.connect(database.url) as producer:
        late = await engine.enqueue(Work(), on=producer)
        clock.advance(1)
        await engine.enqueue(Work())
        [job] = await worker.claim()
        await producer.commit()
    assert await worker.claim(after={job.lane_id: job.position}) == []
    assert [job.id for job in await worker.claim()] == [late.id]


async def test_of_two_that_number_events_the_second_goes_on_where_the_first_ended(
    engine: Penstock, open_transaction: Open[Any], until_stuck: UntilStuck
):
    for n in range(3):
        await engine.publish(Said(n=n))
    numbered, numbering = await open_transaction(number_events())
    await engine.publish(Said(n=3))
    task = asyncio.create_task(engine.events.read())
    assert await until_stuck(task)
    await numbering.commit()
    assert numbered == 3
    assert [(event.position, event.data["n"]) for event in await task] == [(1, 0), (2, 1), (3, 2), (4, 3)]


@pytest.mark.parametrize("how", ["commit", "rollback"])
async def test_a_unique_key_waits_for_the_producer_that_is_taking_it(
    database: PostgresDatabase, engine: Penstock, until_stuck: UntilStuck, how: str
):
    async with await psycopg.AsyncConnection.connect(database.url) as producer:
        first = await engine.enqueue(Work(), unique="k", on=producer)
        task = asyncio.create_task(engine.enqueue(Work(), unique="k"))
        assert await until_stuck(task)
        await getattr(producer, how)()
    second = await task
    assert second.created == (how == "rollback")
    assert (second.id == first.id) == (how == "commit")


async def test_a_caller_given_id_waits_for_the_producer_that_is_taking_it(
    database: PostgresDatabase, engine: Penstock, worker: HandWorker, until_stuck: UntilStuck
):
    given = uuid4()

    async def parent_and_child() -> JobHandle:
        async with engine.transaction() as tx:
            parent = await tx.enqueue(Work(), id=given)
            return await tx.enqueue(Work(), after=parent)

    async with await psycopg.AsyncConnection.connect(database.url) as producer:
        await engine.enqueue(Work(), id=given, on=producer)
        task = asyncio.create_task(parent_and_child())
        assert await until_stuck(task)
        await producer.commit()
    child = await task
    assert await worker.finish_all() == [str(given), child.id]


async def test_producers_of_a_bounded_queue_take_turns(
    database: PostgresDatabase, engine: Penstock, store: PostgresStore, until_stuck: UntilStuck
):
    await store.run(put_queue("default", Queue(max_length=3)))
    async with await psycopg.AsyncConnection.connect(database.url) as producer:
        await engine.enqueue_many([Work(), Work()], on=producer)
        task = asyncio.create_task(engine.enqueue_many([Work(), Work()]))
        assert await until_stuck(task)
        await producer.commit()
    with pytest.raises(QueueFull, match="holds 2 ready jobs"):
        await task


async def test_a_flow_that_is_cancelled_takes_along_what_its_run_is_adding(
    database: PostgresDatabase, engine: Penstock, worker: HandWorker, until_stuck: UntilStuck
):
    flow = await engine.flow("f")
    await engine.enqueue(Work(), flow=flow)
    run = run_of(await worker.claim_one())
    async with await psycopg.AsyncConnection.connect(database.url) as handler:
        [added] = await engine.producer.enqueue_for_run(run, [Work()], {"on": handler})
        task = asyncio.create_task(engine.flows.cancel(flow.id))
        assert await until_stuck(task)
        await handler.commit()
    report = await task
    assert (report.stopping, report.cancelled) == ([run.id], [added.id])


async def test_a_flow_that_is_ending_refuses_who_comes_too_late(
    engine: Penstock, worker: HandWorker, open_transaction: Open[Any], until_stuck: UntilStuck
):
    flow = await engine.flow("f")
    await engine.enqueue(Work(), flow=flow)
    _, ending = await open_transaction(completing(worker, await worker.claim_one()))
    task = asyncio.create_task(engine.enqueue(Work(), flow=flow))
    assert await until_stuck(task)
    await ending.commit()
    with pytest.raises(FlowEnded):
        await task


async def test_leaders_that_tick_at_the_same_time_do_not_wait_for_each_other(
    engine: Penstock, store: PostgresStore, worker: HandWorker, clock: MovableClock, open_transaction: Open[Any]
):
    engine.schedule("s", Schedule(cron="0 * * * *"), Work())
    await store.run(declare_schedules(list(engine.schedules.values()), ["default"], clock.now()))
    clock.advance(3600)
    _, ticking = await open_transaction(tick(clock.now()))
    await store.run(tick(clock.now()))
    assert await worker.claim() == []
    await ticking.commit()
    assert len(await worker.claim()) == 1


async def test_a_job_is_not_pruned_while_one_is_enqueued_after_it(
    database: PostgresDatabase, engine: Penstock, store: PostgresStore, worker: HandWorker, until_stuck: UntilStuck
):
    await store.run(put_queue("default", Queue(retention=Retention(max_completed=0))))
    parent, other = await engine.enqueue_many([Work(), Work()])
    job, _ = await worker.claim()
    await worker.complete(job)
    async with await psycopg.AsyncConnection.connect(database.url) as producer:
        child = await engine.enqueue(Work(), after=[parent, other], on=producer)
        task = asyncio.create_task(store.run(prune(store.clock.now())))
        await until_stuck(task)
        await producer.commit()
    assert await task == 0
    assert (await engine.get(child.id)).state == "blocked"
    assert (await engine.get(parent.id)).state == "completed"


async def test_a_job_that_is_being_pruned_cannot_be_enqueued_after(
    engine: Penstock,
    store: PostgresStore,
    worker: HandWorker,
    open_transaction: Open[Any],
    until_stuck: UntilStuck,
):
    await store.run(put_queue("default", Queue(retention=Retention(max_completed=0))))
    parent = await engine.enqueue(Work())
    await worker.finish_all()
    gone, pruning = await open_transaction(prune(store.clock.now()))
    task = asyncio.create_task(engine.enqueue(Work(), after=parent))
    assert await until_stuck(task)
    await pruning.commit()
    assert gone == 1
    with pytest.raises(NotFound, match="pruned"):
        await task


async def test_text_that_meets_the_end_of_its_run_is_refused(
    engine: Penstock, store: PostgresStore, worker: HandWorker, open_transaction: Open[Any], until_stuck: UntilStuck
):
    """It saw the job run; it must look again once the end has committed, and neither add nor begin anything."""
    await engine.enqueue_many([Work(n=1), Work(n=2)])
    first, second = await worker.claim()
    await write(store, text_of(first, "before"))
    for job in (first, second):
        _, ending = await open_transaction(completing(worker, job))
        task = asyncio.create_task(write(store, text_of(job, " after", 6)))
        assert await until_stuck(task)
        await ending.commit()
        assert await task == [False]
    assert [await text_now(store, job.id) for job in (first, second)] == ["before", ""]
    assert await engine.jobs.streams(second.id) == []
