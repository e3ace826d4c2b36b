"""Limits: a rate over any window, a total over all workers, n per concurrency key; pause; length."""

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest

from penstock import Penstock, Queue, QueueFull, Rate
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Completed
from penstock.domain.states import JobState
from penstock.store.base import Store
from penstock.store.programs.change import put_queue
from penstock.store.programs.claim import ClaimRequest, admit, claim, unpark_all
from penstock.store.programs.upkeep import prune
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.clock import MovableClock
from tests.support.engine import Fragile, HandWorker, Work


@pytest.mark.parametrize("seed", range(3))
async def test_no_window_holds_more_starts_than_the_rate(
    engine: Penstock, make_store: MakeStore, clock: MovableClock, seed: int
):
    rng = random.Random(seed)
    limit, period = rng.randint(2, 9), rng.choice([0.3, 1.0, 7.5])
    stores = [engine.store, await make_store()]
    workers = [await HandWorker.register(store) for store in stores]
    await engine.store.run(put_queue("default", Queue(rate=Rate(limit, period))))
    await engine.enqueue_many([Work(n=n) for n in range(200)])
    starts: list[int] = []
    for _ in range(150):
        claims = await asyncio.gather(*[worker.look(rng.randint(1, 12), gated=True) for worker in workers])
        for claimed in claims:
            starts += [clock.now()] * len(claimed.jobs)
        clock.advance(rng.uniform(0, period / 5))
    span = int(period * 1_000_000)
    assert starts
    for index, start in enumerate(starts):
        assert sum(start <= other < start + span for other in starts[index:]) <= limit, f"seed {seed}"
    assert len(starts) >= limit * ((starts[-1] - starts[0]) / span) * 0.8, f"seed {seed}: too slow"


async def test_a_spent_rate_says_when_the_next_may_start(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await engine.store.run(put_queue("default", Queue(rate=Rate(2, timedelta(seconds=10)))))
    await engine.enqueue_many([Work(), Work(), Work()])
    assert len((await worker.look(gated=True)).jobs) == 2
    refused = await worker.look(gated=True)
    assert refused.jobs == []
    assert refused.next_at is not None
    clock.advance((refused.next_at - 1 - clock.now()) / 1_000_000)
    assert (await worker.look(gated=True)).jobs == []
    clock.advance(0.000_001)
    assert len((await worker.look(gated=True)).jobs) == 1


async def test_a_rate_is_spent_only_by_what_was_claimed(engine: Penstock, worker: HandWorker):
    await engine.store.run(put_queue("default", Queue(rate=Rate(2, 10))))
    for _ in range(5):
        assert await worker.claim(gated=True) == []
    await engine.enqueue_many([Work(), Work()])
    assert len(await worker.claim(gated=True)) == 2


@pytest.mark.parametrize("seed", range(2))
async def test_never_more_run_at_once_than_the_total(engine: Penstock, make_store: MakeStore, seed: int):
    rng = random.Random(seed)
    workers = [await HandWorker.register(await make_store(), f"w{n}") for n in range(3)]
    await engine.store.run(put_queue("default", Queue(total_concurrency=5)))
    await engine.enqueue_many([Work(n=n) for n in range(120)])
    running: Counter[str] = Counter()
    most = 0

    async def work(worker: HandWorker) -> int:
        nonlocal most
        done = idle = 0
        while idle < 60:
            jobs = await worker.claim(rng.randint(1, 4), gated=True)
            running["now"] += len(jobs)
            most = max(most, running["now"])
            await asyncio.sleep(0)
            running["now"] -= len(jobs)
            done += len(await worker.settle_all([(job, Completed()) for job in jobs]))
            idle = 0 if jobs else idle + 1
        return done

    assert sum(await asyncio.gather(*map(work, workers))) == 120, f"seed {seed}"
    assert most <= 5, f"seed {seed}"


async def test_the_total_counts_runs_of_all_workers(engine: Penstock, worker: HandWorker):
    await engine.store.run(put_queue("default", Queue(total_concurrency=3)))
    await engine.enqueue_many([Work() for _ in range(9)])
    await engine.enqueue_many([Work() for _ in range(9)], queue="free")
    other = await HandWorker.register(engine.store, "other")
    mine = await worker.claim(2, gated=True)
    assert len(await other.claim(9, gated=True)) == 1
    assert await worker.claim(9, gated=True) == []
    assert len(await worker.claim(queue="free", gated=True)) == 9
    await worker.complete(mine[0])
    assert len(await worker.claim(9, gated=True)) == 1


async def test_at_most_n_of_a_key_run_and_the_rest_is_parked_in_order(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    handles = await engine.enqueue_many([Work(n=n) for n in range(5)], concurrency_key="k", concurrency_limit=2)
    clock.advance(1)
    free = await engine.enqueue(Work())
    jobs = await worker.claim()
    assert [job.id for job in jobs] == [handles[0].id, handles[1].id, free.id]
    assert [(await engine.get(handle.id)).state for handle in handles[2:]] == ["scheduled"] * 3
    assert await worker.claim() == []
    await worker.complete(jobs[0])
    assert [job.id for job in await worker.claim()] == [handles[2].id]


@pytest.mark.parametrize("end", ["complete", "fail", "release", "snooze", "stop", "lost", "retry"])
async def test_whatever_a_run_comes_to_it_makes_room(
    engine: Penstock, worker: HandWorker, clock: MovableClock, end: str
):
    first, second = await engine.enqueue_many([Work(), Work()], concurrency_key="k")
    [job] = await worker.claim()
    match end:
        case "lost":
            await worker.be_lost()
        case "snooze":
            await worker.snooze(job, 60)
        case "retry":
            await worker.fail(job, permanent=False)
        case "stop":
            await engine.cancel(first.id)
            await worker.stop(job)
        case _:
            await getattr(worker, end)(job)
    [next_job] = await worker.claim()
    # What was given back is still the older one.
    assert next_job.id == (first.id if end in ("release", "lost") else second.id)
    await worker.complete(next_job)
    clock.advance(3600)
    await worker.fall_due()
    assert len(await worker.finish_all()) == (0 if end in ("complete", "fail", "stop") else 1)


async def test_a_snooze_that_says_concurrency_is_not_taken_for_parked(
    engine: Penstock, store: Store, worker: HandWorker, clock: MovableClock
):
    handle = await engine.enqueue(Work(), concurrency_key="k")
    await worker.snooze(await worker.claim_one(), 60, "concurrency")
    await store.run(unpark_all())
    assert (await engine.get(handle.id)).state == "scheduled"
    clock.advance(60)
    await worker.fall_due()
    assert len(await worker.claim()) == 1


async def test_parked_jobs_are_found_by_the_safety_net(engine: Penstock, database: Database, worker: HandWorker):
    await engine.enqueue_many([Work(), Work()], concurrency_key="k")
    await worker.claim()
    database.execute("UPDATE ~jobs SET state = 'failed', claim_id = NULL, finished_at = 1 WHERE state = 'running'")
    assert await worker.claim() == []
    await engine.store.run(unpark_all())
    assert len(await worker.claim()) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_a_key_holds_under_concurrent_claims_and_loses_nobody(make_store: MakeStore, seed: int):
    rng = random.Random(seed)
    stores = [await make_store() for _ in range(3)]
    engine = Penstock(store=stores[0])
    workers = [await HandWorker.register(store, f"w{n}") for n, store in enumerate(stores)]
    total = 120
    limits = {"a": 1, "b": 2, "c": 3}
    for n in range(total):
        key = rng.choice(list(limits))
        await engine.enqueue(Work(n=n), concurrency_key=key, concurrency_limit=limits[key])
    running: Counter[str] = Counter()
    done: list[str] = []

    async def end(worker: HandWorker, job: ClaimedJob) -> None:
        for _ in range(rng.randint(0, 4)):
            await asyncio.sleep(0)
        running[str(job.concurrency_key)] -= 1
        done.append(job.id)
        await worker.complete(job)

    async def work(worker: HandWorker) -> None:
        while len(done) < total:
            jobs = await worker.claim(rng.randint(1, 10))
            for job in jobs:
                key = str(job.concurrency_key)
                running[key] += 1
                assert running[key] <= limits[key], f"seed {seed}"
            await asyncio.gather(*[end(worker, job) for job in jobs])

    async with asyncio.timeout(30):
        await asyncio.gather(*map(work, workers))
    assert len(done) == len(set(done)) == total


async def test_the_first_uses_of_a_key_at_once_keep_to_its_limit(make_store: MakeStore):
    stores = [await make_store() for _ in range(4)]
    engine = Penstock(store=stores[0])
    workers = [await HandWorker.register(store, f"w{n}") for n, store in enumerate(stores)]
    for n in range(30):
        await engine.enqueue_many([Work() for _ in range(8)], concurrency_key=f"k{n}", queue=f"q{n}")
        claims = await asyncio.gather(*[worker.claim(2, queue=f"q{n}") for worker in workers])
        assert sum(map(len, claims)) == 1


async def test_nobody_claims_from_a_paused_queue(engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work())
    running = await engine.enqueue(Work(), priority="high")
    job = await worker.claim_one()
    await engine.queues.pause("default")
    await engine.queues.pause("default")
    assert await worker.claim() == []
    assert await worker.complete(job) == "completed"
    assert (await engine.enqueue(Work(), queue="other")).created
    assert len(await worker.claim(queue="other")) == 1
    await engine.store.run(put_queue("default", Queue(concurrency=3)))
    assert await worker.claim() == []
    assert await engine.queues.resume("default") is True
    assert await engine.queues.resume("default") is False
    assert [job.id for job in await worker.claim()] == [handle.id]
    assert await running.status() == "completed"


async def test_a_full_queue_refuses_all_of_a_call_and_names_the_limit(engine: Penstock, worker: HandWorker):
    await engine.store.run(put_queue("default", Queue(max_length=10)))
    await engine.enqueue_many([Work() for _ in range(8)])
    with pytest.raises(QueueFull, match=r"'default' holds 8 ready jobs, its max_length is 10"):
        await engine.enqueue_many([Work() for _ in range(3)])
    await engine.enqueue(Work(), delay=5)
    held = await engine.enqueue(Work(), unique="k")
    await engine.enqueue(Work())
    with pytest.raises(QueueFull):
        await engine.enqueue(Work())
    assert not (await engine.enqueue(Work(), unique="k")).created
    assert (await engine.get(held.id)).state == "ready"
    assert len(await worker.claim(1)) == 1
    await engine.enqueue(Work())


async def test_producers_at_once_do_not_overfill_a_queue(engine: Penstock, make_store: MakeStore, worker: HandWorker):
    engines = [engine, Penstock(store=await make_store()), Penstock(store=await make_store())]
    await engine.store.run(put_queue("default", Queue(max_length=20)))
    answers = await asyncio.gather(
        *[engines[n % 3].enqueue_many([Work(), Work()]) for n in range(30)], return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {list, QueueFull}
    assert len(await worker.claim()) == 20


async def test_what_the_engine_itself_enqueues_is_not_refused(engine: Penstock, worker: HandWorker):
    await engine.store.run(put_queue("tidying", Queue(max_length=1)))
    for handle in await engine.enqueue_many([Fragile(n=n) for n in range(3)]):
        await engine.cancel(handle.id)
    assert len(await worker.claim(queue="tidying")) == 3


async def test_a_backlog_of_unknown_kinds_ahead_is_passed_over(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await engine.enqueue_many([Fragile(n=n) for n in range(2_000)], priority="urgent")
    clock.advance(1)
    mine = await engine.enqueue(Work())
    claimed = await worker.look(10, kinds=("work",))
    assert [job.id for job in claimed.jobs] == [mine.id]
    assert not claimed.full
    assert await worker.claim(kinds=("work",)) == []
    assert len(await worker.claim(5, any_kind=True)) == 5
    assert await engine.store.run(prune(clock.now())) == 0


async def test_a_job_cancelled_between_its_claim_and_its_admission_ends(engine: Penstock, worker: HandWorker):
    await engine.enqueue_many([Work(), Work()], concurrency_key="k")
    request = ClaimRequest("default", (), 2, 77, worker.id, any_kind=True)
    claimed = await engine.store.run(claim(request, engine.store.clock.now()), durable=False)
    first, second = claimed.jobs
    assert claimed.unadmitted
    await engine.jobs.cancel(second.id)
    admitted = await engine.store.run(admit(77, claimed.jobs), durable=False)
    assert [job.id for job in admitted.jobs] == [first.id]
    assert [job.id for job in admitted.stopped] == [second.id], "parked, it would wait for ever with its cancel"
    await worker.stop(second)
    assert (await engine.jobs.get(second.id)).state is JobState.CANCELLED
    assert await worker.complete(first) is JobState.COMPLETED
