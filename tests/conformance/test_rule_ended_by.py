"""Ends without a handler: what a kind names runs exactly once, enqueued by the ending itself."""

from datetime import timedelta

import pytest

from penstock import Penstock, codec
from penstock.domain.outcomes import Cancelled, Completed, ErrorRecord, Failed
from penstock.store.programs.cancel import expire
from tests.conformance.conftest import MakeStore
from tests.support.clock import MovableClock
from tests.support.engine import Fragile, HandWorker, Tidied, Work

BY_ITSELF = ["completes", "fails", "cancels itself"]
WITHOUT = [
    "cancelled waiting", "cancelled blocked", "cancelled running", "lost on its last attempt", "timed out", "expired",
    "refused by the worker", "unmet", "unmet from the start", "lost while its cancel was requested",
]  # fmt: skip


async def end(engine: Penstock, worker: HandWorker, clock: MovableClock, how: str) -> str:
    """Let a fragile job end like that; answers its id."""
    parent = await engine.enqueue(Work(), queue="parents")
    if how == "unmet from the start":
        await worker.fail(await worker.claim_one(queue="parents"))
    needs_parent = how in ("unmet", "unmet from the start", "cancelled blocked")
    deadline = timedelta(seconds=30) if how == "expired" else None
    handle = await engine.enqueue(
        Fragile(n=7), after=parent if needs_parent else None, max_attempts=1, tenant="t", deadline=deadline
    )
    match how:
        case "cancelled waiting" | "cancelled blocked":
            await engine.cancel(handle.id, reason="enough")
        case "expired":
            clock.advance(31)
            await engine.store.run(expire(clock.now()))
        case "unmet":
            await worker.fail(await worker.claim_one(queue="parents"))
        case "unmet from the start":
            pass
        case _:
            await _end_run(engine, worker, how)
    return handle.id


async def _end_run(engine: Penstock, worker: HandWorker, how: str) -> None:
    job = await worker.claim_one()
    match how:
        case "completes":
            await worker.complete(job)
        case "fails":
            await worker.fail(job)
        case "cancels itself":
            await worker.settle(job, Cancelled("I give up", by_handler=True))
        case "cancelled running":
            await engine.cancel(job.id)
            await worker.settle(job, Completed())
        case "lost while its cancel was requested":
            await engine.cancel(job.id)
            await worker.be_lost()
        case "timed out":
            await worker.time_out(job)
        case "refused by the worker":
            await worker.settle(job, Failed(ErrorRecord("InvalidData", "no"), permanent=True, by_handler=False))
        case _:
            for _ in range(10):
                await worker.be_lost()
                await worker.claim(solo=True)
                await worker.claim()


@pytest.mark.parametrize("how", WITHOUT)
async def test_it_runs_once_when_the_handler_did_not_finish(
    engine: Penstock, worker: HandWorker, clock: MovableClock, how: str
):
    id_ = await end(engine, worker, clock, how)
    [job] = await worker.claim(queue="tidying")
    told = Tidied.model_validate_json(job.data)
    view = await engine.get(id_)
    assert view.finished_at is not None
    assert (told.job_id, told.kind, told.data, told.tenant) == (id_, "fragile", {"n": 7}, "t")
    assert (told.state, told.reason) == (view.state, view.reason)
    assert job.tenant == "t"
    await worker.be_lost()
    assert [again.id for again in await worker.claim(queue="tidying")] == [job.id]


@pytest.mark.parametrize("how", BY_ITSELF)
async def test_it_does_not_run_when_the_handler_finished(
    engine: Penstock, worker: HandWorker, clock: MovableClock, how: str
):
    id_ = await end(engine, worker, clock, how)
    assert (await engine.get(id_)).finished_at is not None
    assert await worker.claim(queue="tidying") == []


async def test_a_late_end_enqueues_nothing(engine: Penstock, worker: HandWorker):
    await engine.enqueue(Fragile(), max_attempts=1)
    late = await worker.claim_one()
    await worker.release(late)
    await worker.claim_one()
    assert await worker.time_out(late) is None
    assert await worker.claim(queue="tidying") == []


async def test_each_of_many_runs_once_though_two_cancel_at_once(make_store: MakeStore):
    engines = [Penstock(store=await make_store()) for _ in range(2)]
    worker = await HandWorker.register(engines[0].store)
    flow = await engines[0].flow("f")
    await engines[0].enqueue_many([Fragile(n=n) for n in range(30)], flow=flow)
    for engine in engines:
        await engine.flows.cancel(flow.id)
    told = [codec.loads(job.data)["data"]["n"] for job in await worker.claim(queue="tidying")]
    assert sorted(told) == list(range(30))
