"""Promise 7: a waiting job never runs; a running one is told at once, and its late result is discarded."""

import asyncio

import pytest

from penstock import ClaimLost, JobCancelled, JobState, NotFound, Penstock, Unique, codec
from penstock.domain.outcomes import Completed, ErrorRecord, Failed, Outcome, Released, Snoozed
from penstock.store.base import Store
from penstock.store.program import Topic
from penstock.store.programs.settle import Progress, write_progress
from penstock.store.programs.workers import cancels_of_worker
from tests.conformance.conftest import MakeStore
from tests.conformance.ears import Ear
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work, run_of

ENDS: list[Outcome] = [
    Completed(b'"late"'),
    Failed(ErrorRecord("E", "late"), permanent=True),
    Failed(ErrorRecord("E", "late")),
    Snoozed(2**50, "later"),
    Released("stopping"),
]


async def test_a_waiting_job_never_runs(engine: Penstock, worker: HandWorker, clock: MovableClock):
    ready = await engine.enqueue(Work())
    blocked = await engine.enqueue(Work(), after=ready)
    scheduled = await engine.enqueue(Work(), delay=5)
    for handle in (ready, blocked, scheduled):
        await engine.cancel(handle.id, reason="not needed")
        view = await engine.get(handle.id)
        assert view.state == "cancelled"
        assert view.finished_at == clock.moment
        with pytest.raises(JobCancelled):
            await handle.result()
    clock.advance(3600)
    await worker.fall_due()
    assert await worker.claim() == []
    assert (await engine.get(ready.id)).reason == "not needed"


async def test_a_parked_job_can_be_cancelled(engine: Penstock, worker: HandWorker):
    first, second = await engine.enqueue_many([Work(), Work()], concurrency_key="k")
    [job] = await worker.claim()
    assert (await engine.get(second.id)).state == "scheduled"
    await engine.cancel(second.id)
    await worker.complete(job)
    assert await worker.claim() == []
    assert [await first.status(), await second.status()] == ["completed", "cancelled"]


@pytest.mark.parametrize("outcome", ENDS, ids=lambda outcome: type(outcome).__name__)
async def test_whatever_the_run_comes_to_afterwards_the_job_is_cancelled(
    engine: Penstock, worker: HandWorker, outcome: Outcome
):
    handle = await engine.enqueue(Work())
    job = await worker.claim_one()
    report = await engine.cancel(handle.id, reason="changed my mind")
    assert (report.stopping, report.cancelled) == ([handle.id], [])
    view = await engine.get(handle.id)
    assert view.state == "running"
    assert view.cancel_requested_at is not None
    assert await worker.settle(job, outcome) is JobState.CANCELLED
    view = await engine.get(handle.id)
    assert (view.state, view.reason, view.due_at) == ("cancelled", "changed my mind", None)
    assert (await engine.jobs.payload(handle.id))[1] is None
    assert await worker.claim() == []


async def test_a_run_that_is_to_stop_can_write_nothing_but_its_end(engine: Penstock, store: Store, worker: HandWorker):
    handle = await engine.enqueue(Work())
    job = await worker.claim_one()
    await engine.cancel(handle.id)
    assert await store.run(write_progress([Progress(job.id, job.claim_id, 0.5, None)], store.clock.now())) == set()
    with pytest.raises(ClaimLost):
        await engine.producer.enqueue_for_run(run_of(job), [Work()], {})
    assert await worker.stop(job) is JobState.CANCELLED


async def test_the_first_commit_wins(engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work())
    await worker.complete(await worker.claim_one(), "done")
    report = await engine.cancel(handle.id)
    assert report.ended == [handle.id]
    assert await handle.result() == "done"


async def test_cancel_and_completion_at_once_agree_on_one_end(engine: Penstock, make_store: MakeStore):
    other = Penstock(store=await make_store())
    worker = await HandWorker.register(engine.store)
    await engine.enqueue_many([Work(n=n) for n in range(60)])
    jobs = await worker.claim()
    ends, reports = await asyncio.gather(
        asyncio.gather(*[worker.complete(job, "done") for job in jobs]),
        asyncio.gather(*[other.cancel(job.id) for job in jobs]),
    )
    for job, end, report in zip(jobs, ends, reports, strict=True):
        assert (end is JobState.CANCELLED) == (report.stopping == [job.id])
        assert (await engine.get(job.id)).state == end


async def test_slot_and_unique_key_stay_held_until_the_run_has_stopped(engine: Penstock, worker: HandWorker):
    options = {"unique": "u", "concurrency_key": "k"}
    first = await engine.enqueue(Work(), **options)
    job = await worker.claim_one()
    await engine.cancel(first.id)
    again = await engine.enqueue(Work(), **options)
    assert (again.id, again.created) == (first.id, False)
    waiting = await engine.enqueue(Work(), concurrency_key="k")
    assert await worker.claim() == []
    await worker.stop(job)
    assert (await engine.enqueue(Work(), unique="u")).created
    assert waiting.id in {job.id for job in await worker.claim()}


async def test_the_unique_key_of_a_cancelled_waiting_job_is_free_at_once(engine: Penstock):
    first = await engine.enqueue(Work(), unique=Unique("u"))
    await engine.cancel(first.id)
    assert (await engine.enqueue(Work(), unique=Unique("u"))).created


async def test_a_lost_run_whose_cancel_was_requested_is_cancelled(engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work())
    await worker.claim_one()
    await engine.cancel(handle.id)
    await worker.be_lost()
    assert (await engine.get(handle.id)).state == "cancelled"
    assert await worker.claim() == []


async def test_the_worker_is_told_on_whatever_store_it_listens(engine: Penstock, worker: HandWorker, ear: Ear):
    handle = await engine.enqueue(Work())
    await worker.claim_one()
    await engine.cancel(handle.id)
    await ear.hears(Topic.cancel(handle.id))
    assert await engine.store.read(cancels_of_worker(worker.id)) == {handle.id}


async def test_many_at_once_are_reported_by_what_became_of_them(engine: Penstock, worker: HandWorker):
    ended, running, waiting = [handle.id for handle in await engine.enqueue_many([Work(), Work(), Work()])]
    await worker.complete(await worker.claim_one())
    await worker.claim_one()
    unknown = codec.new_id()
    report = await engine.jobs.cancel_many([waiting, unknown, ended, running, waiting])
    assert (report.cancelled, report.stopping, report.ended, report.unknown) == (
        [waiting],
        [running],
        [ended],
        [unknown],
    )
    with pytest.raises(NotFound):
        await engine.cancel(unknown)


async def test_a_whole_flow_is_cancelled_with_what_comes_after_it(engine: Penstock, worker: HandWorker):
    flow = await engine.flow("f")
    done, running, ready = await engine.enqueue_many([Work(), Work(), Work()], flow=flow)
    blocked = await engine.enqueue(Work(), after=ready)
    beyond = await engine.enqueue(Work(), after=flow)
    cleanup = await engine.enqueue(Work(), after=flow, when="all_ended")
    await worker.complete(await worker.claim_one())
    run = await worker.claim_one()
    report = await engine.flows.cancel(flow.id, reason="stop it all")
    assert sorted(report.cancelled) == sorted([ready.id, blocked.id])
    assert report.stopping == [running.id]
    assert (await engine.flows.get(flow.id)).status == "running"
    await worker.stop(run)
    view = await engine.flows.get(flow.id)
    assert (view.status, view.counts.completed, view.counts.cancelled, view.counts.open) == ("cancelled", 1, 3, 0)
    assert await done.status() == "completed"
    assert (await engine.get(beyond.id)).state == "cancelled"
    assert [job.id for job in await worker.claim()] == [cleanup.id]
    with pytest.raises(NotFound):
        await engine.flows.cancel(codec.new_id())
