"""Promise 6: within a queue priority, then age; aging keeps low priority from starving; tenants take turns."""

import random

import pytest

from penstock import InvalidJob, Penstock, Queue
from penstock.domain.outcomes import ErrorRecord, Failed
from penstock.store.base import Store
from penstock.store.programs.change import put_queue
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

PRIORITIES = [("low", -10), ("urgent", 20), (0, 0), (5, 5), ("high", 10), (None, 0), ("urgent", 20), (-1000, -1000)]
AT_ONCE = Failed(ErrorRecord("E", "again"), after_s=0)


async def test_larger_priority_first_then_age(engine: Penstock, worker: HandWorker, clock: MovableClock):
    made: list[tuple[int, str]] = []
    for priority, level in PRIORITIES:
        made.append((-level, (await engine.enqueue(Work(), priority=priority)).id))
        clock.advance(1)
    assert [job.id for job in await worker.claim()] == [id_ for _, id_ in sorted(made, key=lambda one: one[0])]


async def test_without_aging_no_wait_is_long_enough_to_overtake(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await engine.enqueue(Work(), priority="normal")
    clock.advance(20 * 365 * 86_400)
    above = await engine.enqueue(Work(), priority=1)
    assert (await worker.claim_one()).id == above.id


async def test_jobs_of_one_call_keep_their_order(engine: Penstock, worker: HandWorker):
    handles = await engine.enqueue_many([Work(n=n) for n in range(500)])
    assert await worker.finish_all(limit=37) == [handle.id for handle in handles]


async def test_a_job_given_back_keeps_its_place_and_a_retried_one_goes_behind(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    first, second, third = await engine.enqueue_many([Work(), Work(), Work()])
    jobs = await worker.claim(2)
    clock.advance(60)
    await worker.release(jobs[0])
    await worker.settle(jobs[1], AT_ONCE)
    assert [job.id for job in await worker.claim()] == [first.id, third.id, second.id]


async def test_a_job_that_falls_due_is_as_old_as_its_due_time(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    later = await engine.enqueue(Work(), delay=60)
    sooner = await engine.enqueue(Work(), delay=30)
    clock.advance(45)
    between = await engine.enqueue(Work())
    clock.advance(45)
    await worker.fall_due()
    assert [job.id for job in await worker.claim()] == [sooner.id, between.id, later.id]


async def test_with_aging_a_low_job_overtakes_when_it_has_waited_its_levels(
    engine: Penstock, store: Store, worker: HandWorker, clock: MovableClock
):
    await store.run(put_queue("aging", Queue(aging=60)))
    low = await engine.enqueue(Work(), queue="aging", priority="low")
    clock.advance(10 * 60 - 1)
    early = await engine.enqueue(Work(), queue="aging")
    clock.advance(2)
    late = await engine.enqueue(Work(), queue="aging")
    scheduled = await engine.enqueue(Work(), queue="aging", priority=1, delay=30)
    clock.advance(120)
    await worker.fall_due()
    order = [job.id for job in await worker.claim(queue="aging")]
    assert order == [scheduled.id, early.id, low.id, late.id] or order == [early.id, scheduled.id, low.id, late.id]
    assert order.index(early.id) < order.index(low.id) < order.index(late.id)


async def test_tenants_take_turns_within_a_priority(engine: Penstock, worker: HandWorker, clock: MovableClock):
    flood = [handle.id for handle in await engine.enqueue_many([Work() for _ in range(50)], tenant="flood")]
    clock.advance(1)
    quiet = [handle.id for handle in await engine.enqueue_many([Work(), Work()], tenant="quiet")]
    nobody = await engine.enqueue(Work())
    urgent = await engine.enqueue(Work(), tenant="flood", priority="urgent")
    order = [job.id for job in await worker.claim(8)]
    assert order == [urgent.id, flood[0], quiet[0], nobody.id, flood[1], quiet[1], flood[2], flood[3]]


async def test_a_job_below_the_claim_position_is_found_by_a_claim_without_the_hint(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await engine.enqueue_many([Work(), Work()])
    jobs = await worker.claim()
    hint = {job.lane_id: job.position for job in jobs}
    urgent = await engine.enqueue(Work(), priority="urgent")
    clock.advance(-5)
    committed_late = await engine.enqueue(Work())
    clock.advance(10)
    await engine.enqueue(Work())
    behind = await worker.claim(after=hint)
    found = [job.id for job in behind] + [job.id for job in await worker.claim()]
    assert {urgent.id, committed_late.id} < set(found)
    assert len(found) == 3


async def test_a_waiting_job_can_be_moved_in_time_and_priority(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    a, b, c = await engine.enqueue_many([Work(), Work(), Work()])
    assert await engine.jobs.move(c.id, priority="high") == "ready"
    assert await engine.jobs.move(a.id, priority="low") == "ready"
    assert await engine.jobs.move(a.id, priority=0) == "ready"
    assert [job.id for job in await worker.claim()] == [c.id, a.id, b.id]


@pytest.mark.parametrize("wrong", ["soon", True, 1001, -1001, 1.5])
async def test_an_unknown_priority_is_refused(engine: Penstock, wrong: object):
    with pytest.raises(InvalidJob, match="priority"):
        await engine.enqueue(Work(), priority=wrong)


async def test_order_holds_for_random_priorities_and_batches(engine: Penstock, worker: HandWorker, clock: MovableClock):
    rng = random.Random(7)
    made: list[tuple[int, int, str]] = []
    for n in range(200):
        level = rng.randint(-3, 3)
        made.append((-level, n, (await engine.enqueue(Work(), priority=level)).id))
        clock.advance(0.001)
    taken: list[str] = []
    while jobs := await worker.claim(rng.randint(1, 20)):
        taken += [job.id for job in jobs]
    assert taken == [id_ for *_, id_ in sorted(made)]
