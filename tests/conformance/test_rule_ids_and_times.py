"""Caller-given ids are idempotent; time is one source; deadlines; moves; the texts of `why`."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from penstock import Conflict, InvalidJob, NotFound, Penstock, Queue, Rate, codec
from penstock.domain.outcomes import Completed
from penstock.store.programs.cancel import expire
from penstock.store.programs.change import put_queue
from penstock.store.programs.claim import fall_due
from penstock.store.programs.workers import beat
from tests.conformance.conftest import MakeStore
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work


async def test_an_id_that_exists_answers_with_its_job(engine: Penstock, worker: HandWorker):
    given = uuid4()
    first = await engine.enqueue(Work(n=1), id=given)
    second = await engine.enqueue(Work(n=2), id=str(given).upper(), delay=5, priority="high")
    assert (first.created, second.created, second.id) == (True, False, str(given))
    job = await worker.claim_one()
    assert codec.loads(job.data) == {"n": 1}
    await worker.complete(job)
    third = await engine.enqueue(Work(n=3), id=given)
    assert (third.created, await third.status()) == (False, "completed")


async def test_a_transaction_run_twice_creates_its_graph_once(engine: Penstock, worker: HandWorker):
    ids = [uuid4() for _ in range(3)]

    async def build() -> list[bool | None]:
        async with engine.transaction() as tx:
            a = await tx.enqueue(Work(n=0), id=ids[0])
            b = await tx.enqueue(Work(n=1), id=ids[1], after=a)
            c = await tx.enqueue(Work(n=2), id=ids[2], after=[a, b], unique="c")
        return [a.created, b.created, c.created]

    assert await build() == [True, True, True]
    await worker.complete(await worker.claim_one())
    assert await build() == [False, False, False]
    assert await worker.finish_all() == [str(ids[1]), str(ids[2])]
    assert await build() == [False, False, False]
    assert (await engine.enqueue(Work(), unique="c")).created


@pytest.mark.parametrize(("ended", "state"), [(Completed(), "ready"), (None, "blocked")])
async def test_a_new_job_after_a_given_id_sees_how_the_existing_one_stands(
    engine: Penstock, worker: HandWorker, ended: Completed | None, state: str
):
    given = uuid4()
    await engine.enqueue(Work(), id=given)
    job = await worker.claim_one()
    if ended:
        await worker.settle(job, ended)
    async with engine.transaction() as tx:
        flow = tx.flow("again")
        parent = await tx.enqueue(Work(), id=given, flow=flow)
        child = await tx.enqueue(Work(), after=parent, flow=flow)
        last = await tx.enqueue(Work(), after=[parent, child])
    assert (parent.created, child.created) == (False, True)
    assert (await engine.get(child.id)).state == state
    assert (await engine.flows.get(flow.id)).counts.total == 1
    await worker.complete(job)
    assert await worker.finish_all() == [child.id, last.id]


async def test_an_id_given_twice_in_one_call_is_one_job(engine: Penstock, worker: HandWorker):
    given = UUID(codec.new_id())
    flow = await engine.flow("f")
    handles = await engine.enqueue_many([Work(n=1), Work(n=2)], id=given, flow=flow)
    assert [handle.created for handle in handles] == [True, False]
    assert (await engine.flows.get(flow.id)).counts.total == 1
    assert len(await worker.finish_all()) == 1
    assert (await engine.flows.get(flow.id)).status == "completed"


async def test_one_id_enqueued_by_many_at_once_is_one_job(make_store: MakeStore):
    engines = [Penstock(store=await make_store()) for _ in range(3)]
    worker = await HandWorker.register(engines[0].store)
    for _ in range(10):
        given = uuid4()
        handles = await asyncio.gather(*[engine.enqueue(Work(), id=given, unique="k") for engine in engines * 2])
        assert sorted(bool(handle.created) for handle in handles) == [False] * 5 + [True]
        assert await worker.finish_all() == [str(given)]


async def test_a_delay_and_a_run_at_hold_a_job_until_then(engine: Penstock, worker: HandWorker, clock: MovableClock):
    by_delay = await engine.enqueue(Work(), delay=timedelta(seconds=10))
    by_time = await engine.enqueue(Work(), run_at=clock.moment + timedelta(seconds=5))
    past = await engine.enqueue(Work(), run_at=clock.moment - timedelta(days=1))
    assert (await worker.claim_one()).id == past.id
    assert await worker.fall_due() == clock.now() + 5_000_000
    clock.advance(5)
    assert await worker.fall_due() == clock.now() + 5_000_000
    assert (await worker.claim_one()).id == by_time.id
    clock.advance(5)
    assert await worker.fall_due() is None
    assert (await worker.claim_one()).id == by_delay.id
    with pytest.raises(InvalidJob, match="time zone"):
        await engine.enqueue(Work(), run_at=clock.moment.replace(tzinfo=None))


async def test_many_fall_due_in_order_and_in_bites(engine: Penstock, worker: HandWorker, clock: MovableClock):
    handles = await engine.enqueue_many([Work(n=n) for n in range(25)], delay=1)
    clock.advance(2)
    now = clock.now()
    assert [await engine.store.run(fall_due(now, 10)) for _ in range(3)] == [now, now, None]
    assert [job.id for job in await worker.claim()] == [handle.id for handle in handles]


async def test_a_deadline_ends_a_waiting_job_and_no_other(engine: Penstock, worker: HandWorker, clock: MovableClock):
    soon = timedelta(seconds=10)
    running = await engine.enqueue(Work(), deadline=soon)
    await worker.claim_one()
    ready = await engine.enqueue(Work(), deadline=soon)
    scheduled = await engine.enqueue(Work(), deadline=soon, delay=60)
    blocked = await engine.enqueue(Work(), deadline=soon, after=running)
    below = await engine.enqueue(Work(), after=blocked)
    later = await engine.enqueue(Work(), deadline=clock.moment + timedelta(seconds=11))
    clock.advance(10)
    assert await engine.store.run(expire(clock.now())) == 3
    assert await engine.store.run(expire(clock.now())) == 0
    states = [(await engine.get(h.id)).state for h in (running, ready, scheduled, blocked, below, later)]
    assert states == ["running", "failed", "failed", "failed", "cancelled", "ready"]
    assert "deadline" in str((await engine.get(ready.id)).reason)


async def test_a_waiting_job_can_be_rescheduled(engine: Penstock, worker: HandWorker, clock: MovableClock):
    handle = await engine.enqueue(Work())
    assert await engine.jobs.move(handle.id, run_at=clock.moment + timedelta(seconds=60)) == "scheduled"
    assert await worker.claim() == []
    assert await engine.jobs.move(handle.id, priority="high") == "scheduled"
    clock.advance(60)
    await worker.fall_due()
    assert (await engine.get(handle.id)).priority == 10
    assert await engine.jobs.move(handle.id, run_at=clock.moment + timedelta(seconds=60)) == "scheduled"
    assert await engine.jobs.move(handle.id, run_at=clock.moment) == "ready"
    job = await worker.claim_one()
    for state in ("running", "completed"):
        with pytest.raises(Conflict, match=f"is {state}"):
            await engine.jobs.move(handle.id, priority=1)
        await worker.complete(job)
    with pytest.raises(NotFound):
        await engine.jobs.move(codec.new_id(), priority=1)


async def test_a_moved_blocked_job_waits_for_its_parent_and_its_time(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    parent = await engine.enqueue(Work())
    child = await engine.enqueue(Work(), after=parent)
    assert await engine.jobs.move(child.id, run_at=clock.moment + timedelta(seconds=60)) == "blocked"
    await worker.complete(await worker.claim_one())
    assert (await engine.get(child.id)).state == "scheduled"
    clock.advance(60)
    await worker.fall_due()
    assert len(await worker.claim()) == 1


async def test_a_moved_parked_job_stays_parked(engine: Penstock, worker: HandWorker, clock: MovableClock):
    first, second = await engine.enqueue_many([Work(), Work()], concurrency_key="k")
    [job] = await worker.claim()
    assert await engine.jobs.move(second.id, run_at=clock.moment, priority="high") == "scheduled"
    assert await worker.claim() == []
    await worker.complete(job)
    assert (await worker.claim_one()).id == second.id
    assert await first.status() == "completed"


async def test_why_says_what_a_job_waits_for(engine: Penstock, worker: HandWorker, clock: MovableClock):
    first, second = await engine.enqueue_many([Work(), Work()], concurrency_key="k")
    blocked = await engine.enqueue(Work(), after=[first, second])
    flow = await engine.flow("f")
    of_flow = await engine.enqueue(Work(), after=flow)
    later = await engine.enqueue(Work(), delay=60)
    foreign = await engine.enqueue(Work(), queue="elsewhere")
    await engine.store.run(put_queue("narrow", Queue(total_concurrency=2, rate=Rate(3, 60))))
    await engine.queues.pause("narrow")
    narrow = await engine.enqueue(Work(), queue="narrow")
    [job] = await worker.claim()

    async def said(job_id: str) -> str:
        return " | ".join((await engine.jobs.why(job_id)).reasons)

    assert await said(first.id) == f"worker {worker.id} runs attempt 1 of 5"
    assert "concurrency key 'k' is full" in await said(second.id)
    assert f"waits for work {first.id} (running)" in await said(blocked.id)
    assert "2 of its parents" in await said(blocked.id)
    assert f"waits for f {flow.id} (running)" in await said(of_flow.id)
    assert (await engine.jobs.why(later.id)).until == clock.moment + timedelta(seconds=60)
    assert (
        await said(foreign.id) == "no worker serves queue 'elsewhere' | it is next; a worker with a free slot takes it"
    )
    text = await said(narrow.id)
    assert all(part in text for part in ("is paused since", "at most 2 jobs at once", "at most 3 jobs per 60 s"))
    await worker.complete(job)
    assert f"waits for work {first.id}" not in await said(blocked.id)
    assert "1 of its parents" in await said(blocked.id)
    await engine.cancel(later.id, reason="not needed")
    assert await said(later.id) == "not needed"


async def test_why_names_missing_workers_kinds_and_what_is_ahead(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await engine.enqueue_many([Work(), Work()])
    third = await engine.enqueue(Work())
    clock.advance(1)
    last = await engine.enqueue(Work())
    assert (await engine.jobs.why(last.id)).reasons == ("3 jobs of its kind are before it",)
    clock.advance(600)
    assert "no worker serves queue 'default'" in (await engine.jobs.why(third.id)).reasons
    await engine.store.run(beat(worker.id, clock.now(), stopping=False, stats={}))
    assert "no worker serves queue 'default'" not in (await engine.jobs.why(third.id)).reasons
    await worker.fail(await worker.claim_one(), permanent=False)
    [retried] = [view.id for view in await engine.jobs.list() if view.state == "scheduled"]
    assert (await engine.jobs.why(retried)).reasons == ("attempt 1 of 5 failed; it is retried then",)
