"""Leadership is a row with a term; wake-ups reach every store that listens, and travel with the commit."""

import asyncio

import pytest

from penstock import Event, Penstock
from penstock.store.base import Store
from penstock.store.program import Topic
from penstock.store.programs.workers import Lead, keep_lead, leave_lead, read_leader, take_lead
from tests.conformance.callers import KINDS, calling
from tests.conformance.databases import Database
from tests.conformance.ears import Ear
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work


class Said(Event, type="said"):
    pass


async def test_a_term_is_taken_by_one_of_many_and_kept_while_nobody_else_took_it(store: Store):
    assert await store.read(read_leader("l")) is None
    terms = await asyncio.gather(*[store.run(take_lead("l", worker, None)) for worker in range(5)])
    [term] = [term for term in terms if term is not None]
    leader = terms.index(term)
    lead = await store.read(read_leader("l"))
    assert lead == Lead(leader, term, 0)
    assert await store.run(keep_lead("l", leader, term))
    assert await store.run(take_lead("l", 9, lead)) is None, "its counter has moved since"
    silent = await store.read(read_leader("l"))
    next_terms = await asyncio.gather(*[store.run(take_lead("l", worker, silent)) for worker in (7, 8)])
    assert sorted(map(bool, next_terms)) == [False, True]
    assert max(filter(None, next_terms)) == term + 1
    assert not await store.run(keep_lead("l", leader, term)), "its term is over"


async def test_who_leaves_the_lead_says_so_and_only_his_own(store: Store):
    term = await store.run(take_lead("l", 1, None))
    assert term is not None
    await store.run(leave_lead("l", 2, term))
    await store.run(leave_lead("l", 1, term + 1))
    assert await store.read(read_leader("l")) == Lead(1, term, 0)
    await store.run(leave_lead("l", 1, term))
    left = await store.read(read_leader("l"))
    assert left == Lead(1, term, -1)
    assert await store.run(take_lead("l", 2, left)) == term + 1


async def test_work_and_events_wake_those_who_wait_for_them(engine: Penstock, worker: HandWorker, ear: Ear):
    await engine.enqueue(Work(), queue="a")
    await ear.hears(Topic.tail("a"))
    await engine.enqueue(Work(), queue="a", priority="high")
    await ear.hears(Topic.queue("a"))
    await asyncio.to_thread(engine.sync.enqueue, Work(), queue="b")
    await ear.hears(Topic.tail("b"))
    await engine.publish(Said())
    await ear.hears(Topic.LOG)
    await engine.queues.resume("c")
    await ear.hears(Topic.queue("c"))


async def test_what_becomes_ready_wakes_its_queue(engine: Penstock, worker: HandWorker, ear: Ear, clock: MovableClock):
    parent = await engine.enqueue(Work(), queue="parents")
    await engine.enqueue(Work(), after=parent, queue="children")
    await engine.enqueue(Work(), delay=5, queue="later")
    await engine.enqueue_many([Work(), Work()], concurrency_key="k", queue="parked")
    [parked] = await worker.claim(queue="parked")
    await ear.hears(Topic.tail("parked"))
    ear.heard()
    await worker.complete(await worker.claim_one(queue="parents"))
    await ear.hears(Topic.tail("children"))
    clock.advance(5)
    await worker.fall_due()
    await ear.hears(Topic.queue("later"))
    await worker.complete(parked)
    await ear.hears(Topic.queue("parked"))
    job = await worker.claim_one(queue="later")
    ear.heard()
    await worker.release(job)
    await ear.hears(Topic.queue("later"))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_callers_commit_wakes_and_not_before(database: Database, engine: Penstock, ear: Ear, kind: str):
    async with calling(database, kind) as caller:
        await engine.enqueue(Work(), on=caller.on, queue="mine")
        assert Topic.queue("mine") not in ear.heard()
        await caller.commit()
    await ear.hears(Topic.queue("mine"))
