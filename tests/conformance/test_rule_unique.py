"""Unique keys: at most one live job holds a key; the others are answered with it."""

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest

from penstock import InvalidJob, JobData, Penstock, Unique, codec
from penstock.store.programs.cancel import expire
from penstock.store.programs.read import JobFilter
from penstock.store.programs.upkeep import prune
from tests.conformance.callers import calling
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work


class Other(JobData, kind="other"):
    text: str = ""


async def test_a_second_job_of_a_key_is_answered_with_the_first(engine: Penstock, worker: HandWorker):
    first = await engine.enqueue(Work(n=1), unique="k")
    second = await engine.enqueue(Work(n=2), unique="k")
    assert (first.created, second.created, second.id) == (True, False, first.id)
    job = await worker.claim_one()
    assert (await engine.enqueue(Work(n=3), unique="k")).id == first.id
    assert codec.loads(job.data) == {"n": 1}
    await worker.complete(job)
    assert (await engine.enqueue(Work(n=4), unique="k")).created


@pytest.mark.parametrize("end", ["complete", "fail", "cancel", "expire", "unmet"])
async def test_the_key_falls_free_however_the_job_ends(
    engine: Penstock, worker: HandWorker, clock: MovableClock, end: str
):
    parent = await engine.enqueue(Work(), queue="parents")
    await engine.enqueue(Work(), unique="k", deadline=timedelta(seconds=10), after=parent if end == "unmet" else None)
    match end:
        case "cancel":
            [view] = [view for view in await engine.jobs.list() if view.unique_key]
            await engine.cancel(view.id)
        case "expire":
            clock.advance(11)
            await engine.store.run(expire(clock.now()))
        case "unmet":
            await worker.fail(await worker.claim_one(queue="parents"))
        case _:
            await getattr(worker, end)(await worker.claim_one())
    assert (await engine.enqueue(Work(), unique="k")).created


async def test_a_retried_and_a_released_job_keep_their_key(engine: Penstock, worker: HandWorker, clock: MovableClock):
    first = await engine.enqueue(Work(), unique="k")
    await worker.release(await worker.claim_one())
    await worker.fail(await worker.claim_one(), permanent=False)
    assert (await engine.enqueue(Work(), unique="k")).id == first.id
    await worker.be_lost()
    assert (await engine.enqueue(Work(), unique="k")).id == first.id


async def test_a_key_for_a_period_is_held_whatever_becomes_of_the_job(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    key = Unique("k", period=timedelta(minutes=10))
    first = await engine.enqueue(Work(), unique=key)
    await worker.finish_all()
    clock.advance(599)
    again = await engine.enqueue(Work(), unique=key)
    assert (again.id, again.created) == (first.id, False)
    clock.advance(2)
    assert (await engine.enqueue(Work(), unique=key)).created


async def test_a_key_forever_outlives_its_job(engine: Penstock, worker: HandWorker, clock: MovableClock):
    key = Unique("k", forever=True)
    first = await engine.enqueue(Work(), unique=key, retention=timedelta(seconds=1))
    await worker.finish_all()
    clock.advance(86_400)
    assert await engine.store.run(prune(clock.now())) == 1
    again = await engine.enqueue(Work(), unique=key)
    assert (again.id, again.created) == (first.id, False)


async def test_jobs_of_one_call_with_one_key_become_one(engine: Penstock, worker: HandWorker):
    handles = await engine.enqueue_many([Work(n=n) for n in range(5)], unique="k")
    assert {handle.id for handle in handles} == {handles[0].id}
    assert [handle.created for handle in handles] == [True, False, False, False, False]
    assert len(await worker.claim()) == 1


async def test_who_comes_after_a_deduplicated_job_comes_after_the_one_that_holds_the_key(
    engine: Penstock, worker: HandWorker
):
    holder = await engine.enqueue(Work(), unique="k")
    async with engine.transaction() as tx:
        flow = tx.flow("f")
        again = await tx.enqueue(Work(), unique="k", flow=flow)
        child = await tx.enqueue(Work(), after=again, flow=flow)
    assert (again.id, again.created) == (holder.id, False)
    assert (await engine.get(child.id)).state == "blocked"
    assert (await engine.flows.get(flow.id)).counts.total == 1
    await engine.flows.cancel(flow.id)
    assert await worker.finish_all() == [holder.id]


async def test_replace_debounces_a_holder_that_still_waits(engine: Penstock, worker: HandWorker, clock: MovableClock):
    key = Unique("k", replace=True)
    first = await engine.enqueue(Work(n=1), unique=key, delay=10)
    clock.advance(8)
    second = await engine.enqueue(Work(n=2), unique=key, delay=10, priority="high")
    assert (second.id, second.created) == (first.id, False)
    clock.advance(8)
    await worker.fall_due()
    assert await worker.claim() == []
    clock.advance(2)
    await worker.fall_due()
    job = await worker.claim_one()
    assert (codec.loads(job.data), job.level) == ({"n": 2}, 10)
    assert not (await engine.enqueue(Work(n=3), unique=key)).created
    await worker.complete(job)
    assert (await engine.jobs.payload(first.id))[0] == {"n": 2}


async def test_replace_moves_a_scheduled_job_to_now_and_a_ready_one_to_later(engine: Penstock, worker: HandWorker):
    key = Unique("k", replace=True)
    handle = await engine.enqueue(Work(n=1), unique=key, delay=10)
    await engine.enqueue(Work(n=2), unique=key)
    assert (await engine.get(handle.id)).state == "ready"
    await engine.enqueue(Work(n=3), unique=key, delay=10)
    view = await engine.get(handle.id)
    assert (view.state, view.reason) == ("scheduled", "delay")
    assert await worker.claim() == []


async def test_replace_leaves_a_blocked_or_parked_job_waiting(engine: Penstock, worker: HandWorker):
    parent = await engine.enqueue(Work(), concurrency_key="c")
    blocked = await engine.enqueue(Work(n=1), after=parent, unique=Unique("b", replace=True))
    parked = await engine.enqueue(Work(n=1), concurrency_key="c", unique=Unique("p", replace=True))
    [job] = await worker.claim()
    for key in ("b", "p"):
        await engine.enqueue(Work(n=2), unique=Unique(key, replace=True))
    assert [(await engine.get(handle.id)).state for handle in (blocked, parked)] == ["blocked", "scheduled"]
    assert await worker.claim() == []
    await worker.complete(job)
    assert [codec.loads(job.data) for job in await worker.claim()] == [{"n": 2}, {"n": 2}]


async def test_replace_does_not_put_data_into_a_job_of_another_kind(engine: Penstock, worker: HandWorker):
    key = Unique("k", replace=True)
    first = await engine.enqueue(Work(n=1), unique=key)
    other = await engine.enqueue(Other(text="x"), unique=key)
    assert (other.id, other.created) == (first.id, False)
    assert codec.loads((await worker.claim_one()).data) == {"n": 1}


async def test_the_key_of_a_caller_that_rolls_back_is_free(database: Database, engine: Penstock):
    async with calling(database, "session") as caller:
        await engine.enqueue(Work(), unique="k", on=caller.on)
        await caller.rollback()
    assert (await engine.enqueue(Work(), unique="k")).created


@pytest.mark.parametrize("seed", range(3))
async def test_of_many_producers_at_once_one_creates_each_job(make_store: MakeStore, seed: int):
    engines = [Penstock(store=await make_store()) for _ in range(3)]
    rng = random.Random(seed)

    async def produce() -> list[tuple[str, str, bool]]:
        keys = [f"k{rng.randint(0, 9)}" for _ in range(6)]
        async with rng.choice(engines).transaction() as tx:
            handles = [await tx.enqueue(Work(), unique=key) for key in keys]
        return [(key, handle.id, bool(handle.created)) for key, handle in zip(keys, handles, strict=True)]

    answers = [one for many in await asyncio.gather(*[produce() for _ in range(40)]) for one in many]
    created = Counter(key for key, _, made in answers if made)
    assert set(created.values()) == {1}, f"seed {seed}"
    assert len({(key, id_) for key, id_, _ in answers}) == len(created), f"seed {seed}"


async def test_producers_and_endings_at_once_never_leave_a_key_behind(make_store: MakeStore):
    engines = [Penstock(store=await make_store()) for _ in range(2)]
    worker = await HandWorker.register(engines[0].store)
    created = 0
    for n in range(60):
        handles, _ = await asyncio.gather(
            asyncio.gather(*[engine.enqueue(Work(n=n), unique="k") for engine in engines]), worker.finish_all()
        )
        created += sum(bool(handle.created) for handle in handles)
        live = [view for view in await engines[0].jobs.list() if view.finished_at is None]
        assert len(live) <= 1
    await worker.finish_all()
    assert created == len(await engines[0].jobs.list(JobFilter(limit=1000)))
    assert (await engines[0].enqueue(Work(), unique="k")).created


def test_a_key_has_one_scope():
    for options in ({"period": timedelta(1), "forever": True}, {"period": timedelta(0)}):
        with pytest.raises(InvalidJob, match="unique"):
            Unique("k", **options)
