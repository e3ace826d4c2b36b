"""Promise 3: only the current claim can write; a late run is refused, also when everything else is equal."""

import asyncio

import pytest

from penstock import ClaimLost, Event, JobState, Penstock
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Completed, Failed, Outcome, Released, Snoozed, TimedOut
from penstock.domain.outcomes import ErrorRecord as Error
from penstock.store.base import Store
from penstock.store.programs.settle import Progress, write_progress
from tests.conformance.callers import KINDS, OWN_TABLE, calling
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.engine import HandWorker, Work, run_of

OUTCOMES: list[Outcome] = [
    Completed(b"1"),
    Failed(Error("E", "m")),
    Failed(Error("E", "m"), permanent=True),
    TimedOut(1),
    Snoozed(2**50, "later"),
    Released("stopping"),
]


class Late(Event, type="late"):
    pass


@pytest.fixture
async def two_claims(engine: Penstock, worker: HandWorker) -> tuple[ClaimedJob, ClaimedJob]:
    """A late run and the current one: of the same worker, with the same attempt number."""
    await engine.enqueue(Work())
    late = await worker.claim_one()
    await worker.release(late)
    current = await worker.claim_one()
    assert late.attempts_before == current.attempts_before
    return late, current


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
async def test_a_late_run_cannot_end_its_job(
    worker: HandWorker, engine: Penstock, two_claims: tuple[ClaimedJob, ClaimedJob], outcome: Outcome
):
    late, current = two_claims
    assert await worker.settle(late, outcome) is None
    view = await engine.get(late.id)
    assert (view.state, view.attempt, await engine.jobs.errors(late.id)) == ("running", 0, [])
    assert (await engine.jobs.payload(late.id))[1] is None
    assert await worker.complete(current, "mine") is JobState.COMPLETED
    assert await worker.settle(late, outcome) is None
    assert (await engine.jobs.payload(late.id))[1] == "mine"


async def test_of_a_late_and_a_current_end_in_one_batch_the_current_one_counts(
    worker: HandWorker, engine: Penstock, two_claims: tuple[ClaimedJob, ClaimedJob]
):
    late, current = two_claims
    states = await worker.settle_all([(late, Failed(Error("E", "m"), permanent=True)), (current, Completed(b'"ok"'))])
    assert states == {late.id: JobState.COMPLETED}
    assert await engine.jobs.errors(late.id) == []
    assert await engine.handle(late.id).result() == "ok"


async def test_a_late_run_cannot_report_progress(
    store: Store, engine: Penstock, two_claims: tuple[ClaimedJob, ClaimedJob]
):
    late, current = two_claims
    updates = [Progress(late.id, late.claim_id, 0.9, "late"), Progress(current.id, current.claim_id, 0.5, "half")]
    assert await store.run(write_progress(updates[:1], store.clock.now())) == set()
    assert await store.run(write_progress(updates[1:], store.clock.now())) == {current.id}
    assert await store.run(write_progress(updates[:1], store.clock.now())) == set()
    view = await engine.get(current.id)
    assert (view.progress, view.message) == (0.5, "half")


async def test_a_late_run_cannot_enqueue_or_publish(engine: Penstock, two_claims: tuple[ClaimedJob, ClaimedJob]):
    late, current = (run_of(job) for job in two_claims)
    producer = engine.producer
    with pytest.raises(ClaimLost):
        await producer.enqueue_for_run(late, [Work(n=1)], {})
    with pytest.raises(ClaimLost):
        await producer.publish_for_run(late, [(Late(), None)])
    assert await engine.events.read() == []
    [handle] = await producer.enqueue_for_run(current, [Work(n=2)], {})
    await producer.publish_for_run(current, [(Late(), None)])
    assert (await engine.get(handle.id)).state == "ready"
    assert len(await engine.events.read()) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_late_run_cannot_publish_in_its_callers_transaction_either(
    database: Database, engine: Penstock, two_claims: tuple[ClaimedJob, ClaimedJob], kind: str
):
    late, current = (run_of(job) for job in two_claims)
    database.execute(OWN_TABLE)
    async with calling(database, kind) as caller:
        await caller.insert()
        with pytest.raises(ClaimLost):
            await engine.producer.publish_for_run(late, [(Late(), None)], caller.on)
        await caller.rollback()
    async with calling(database, kind) as caller:
        await caller.insert()
        await engine.producer.publish_for_run(current, [(Late(), None)], caller.on)
        await caller.commit()
    assert database.select("SELECT count(*) FROM notes") == [(1,)]
    assert len(await engine.events.read()) == 1
    assert (await engine.get(current.id)).state == "running"


async def test_an_ended_run_can_write_nothing_more(engine: Penstock, worker: HandWorker):
    await engine.enqueue(Work())
    job = await worker.claim_one()
    await worker.complete(job)
    with pytest.raises(ClaimLost):
        await engine.producer.enqueue_for_run(run_of(job), [Work()], {})


async def test_of_two_ends_of_one_claim_one_counts(engine: Penstock, worker: HandWorker):
    await engine.enqueue(Work())
    job = await worker.claim_one()
    assert await worker.complete(job, 1) is JobState.COMPLETED
    assert await worker.complete(job, 2) is None
    assert await engine.handle(job.id).result() == 1


async def test_a_rescue_and_an_end_at_the_same_time_count_once(engine: Penstock, make_store: MakeStore):
    stores = [await make_store() for _ in range(2)]
    workers = [await HandWorker.register(store) for store in stores]
    leader = HandWorker(stores[1], workers[0].id, "leader")
    await engine.enqueue_many([Work(n=n) for n in range(60)])
    jobs = await workers[0].claim()
    ended, _ = await asyncio.gather(
        asyncio.gather(*[workers[0].complete(job) for job in jobs]),
        leader.be_lost(),
    )
    again = {job.id for job in await workers[1].claim()}
    completed = {job.id for job, state in zip(jobs, ended, strict=True) if state is JobState.COMPLETED}
    assert again.isdisjoint(completed)
    assert again | completed == {job.id for job in jobs}


async def test_a_job_is_claimed_by_one_worker_however_many_ask(engine: Penstock, make_store: MakeStore):
    workers = [await HandWorker.register(await make_store(), f"w{n}") for n in range(4)]
    handles = await engine.enqueue_many([Work(n=n) for n in range(300)])

    async def take(worker: HandWorker) -> list[str]:
        taken: list[str] = []
        while jobs := await worker.claim(7):
            taken += [job.id for job in jobs]
        return taken

    taken = [id_ for ids in await asyncio.gather(*map(take, workers)) for id_ in ids]
    assert sorted(taken) == sorted(handle.id for handle in handles)
