"""Retry by a person: one job with what was cancelled because of it; a flow as a new round, exactly once."""

import asyncio

import pytest

from penstock import Conflict, FlowRef, JobHandle, Penstock, UniqueKeyTaken
from penstock.domain.outcomes import Completed, ErrorRecord, Failed
from tests.conformance.conftest import MakeStore
from tests.support.engine import HandWorker, Work

FAILED = Failed(ErrorRecord("E", "no"), permanent=True)


async def states(engine: Penstock, *handles: JobHandle) -> list[str]:
    """States in order."""
    return [(await engine.get(handle.id)).state for handle in handles]


async def run_all(worker: HandWorker, *failing: JobHandle) -> list[str]:
    """Run until nothing is ready; these fail. The ids in order."""
    bad = {handle.id for handle in failing}
    order: list[str] = []
    while jobs := await worker.claim():
        order += [job.id for job in jobs]
        await worker.settle_all([(job, FAILED if job.id in bad else Completed()) for job in jobs])
    return order


async def test_an_ended_job_runs_again(engine: Penstock, worker: HandWorker):
    for outcome in (FAILED, Completed(b'"first"')):
        handle = await engine.enqueue(Work())
        await worker.settle(await worker.claim_one(), outcome)
        assert (await engine.jobs.retry(handle.id)).ready == [handle.id]
        view = await engine.get(handle.id)
        assert (view.state, view.attempt, view.finished_at, view.reason) == ("ready", 0, None, None)
        assert (await engine.jobs.payload(handle.id))[1] is None
        await worker.complete(await worker.claim_one(), "second")
        assert await handle.result() == "second"


async def test_a_cancelled_job_can_be_retried_and_cancelled_again(engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work())
    job = await worker.claim_one()
    await engine.cancel(handle.id)
    await worker.stop(job)
    await engine.jobs.retry(handle.id)
    job = await worker.claim_one()
    assert (await engine.get(handle.id)).cancel_requested_at is None
    assert await worker.complete(job) == "completed"


async def test_only_an_ended_job_can_be_retried(engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work())
    with pytest.raises(Conflict, match="is ready"):
        await engine.jobs.retry(handle.id)
    await worker.claim()
    with pytest.raises(Conflict, match="is running"):
        await engine.jobs.retry(handle.id)


async def test_of_two_retries_at_once_one_counts(make_store: MakeStore):
    engines = [Penstock(store=await make_store()) for _ in range(2)]
    worker = await HandWorker.register(engines[0].store)
    for _ in range(20):
        handle = await engines[0].enqueue(Work())
        await worker.fail(await worker.claim_one())
        answers = await asyncio.gather(*[engine.jobs.retry(handle.id) for engine in engines], return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Revived"]
        assert await worker.finish_all() == [handle.id]


async def test_a_retry_needs_the_unique_key_and_names_who_has_it(engine: Penstock, worker: HandWorker):
    first = await engine.enqueue(Work(), unique="k")
    await worker.fail(await worker.claim_one())
    second = await engine.enqueue(Work(), unique="k")
    with pytest.raises(UniqueKeyTaken, match=second.id):
        await engine.jobs.retry(first.id)
    await worker.finish_all()
    await engine.jobs.retry(first.id)
    assert (await engine.enqueue(Work(), unique="k")).id == first.id
    await worker.finish_all()
    assert (await engine.enqueue(Work(), unique="k")).created


async def test_a_flow_does_not_revive_two_jobs_of_one_key(engine: Penstock, worker: HandWorker):
    flow = await engine.flow("f")
    await engine.enqueue(Work(), flow=flow, delay=5)
    for _ in range(2):
        await engine.enqueue(Work(), flow=flow, unique="k")
        await worker.fail(await worker.claim_one())
    with pytest.raises(UniqueKeyTaken):
        await engine.flows.retry(flow.id)


async def test_retrying_one_job_revives_only_what_was_cancelled_because_of_it(engine: Penstock, worker: HandWorker):
    a, b = await engine.enqueue_many([Work(), Work()])
    below = await engine.enqueue(Work(), after=a)
    deeper = await engine.enqueue(Work(), after=below)
    of_b = await engine.enqueue(Work(), after=b)
    by_person = await engine.enqueue(Work(), after=a)
    cleanup = await engine.enqueue(Work(), after=a, when="all_ended")
    await engine.cancel(by_person.id)
    await run_all(worker, a, b)
    revived = await engine.jobs.retry(a.id)
    assert (revived.ready, sorted(revived.blocked)) == ([a.id], sorted([below.id, deeper.id]))
    assert await states(engine, b, of_b, by_person, cleanup) == ["failed", "cancelled", "cancelled", "completed"]
    assert await run_all(worker) == [a.id, below.id, deeper.id]


async def test_a_child_that_still_waits_for_others_waits_for_the_retried_job_again(
    engine: Penstock, worker: HandWorker
):
    a, b = await engine.enqueue_many([Work(), Work()])
    join = await engine.enqueue(Work(), after=[a, b], when="all_ended")
    first, second = await worker.claim()
    await worker.fail(first)
    await engine.jobs.retry(a.id)
    await worker.complete(second)
    assert await states(engine, join) == ["blocked"]
    await worker.complete(await worker.claim_one())
    assert await run_all(worker) == [join.id]


async def test_a_child_cancelled_for_two_reasons_is_cancelled_again_by_the_other(engine: Penstock, worker: HandWorker):
    a, b = await engine.enqueue_many([Work(), Work()])
    child = await engine.enqueue(Work(), after=[a, b])
    first, second = await worker.claim()
    await worker.fail(first)
    await worker.fail(second)
    revived = await engine.jobs.retry(a.id)
    assert revived.blocked == [child.id]
    await run_all(worker)
    view = await engine.get(child.id)
    assert view.state == "cancelled"
    assert str(view.reason).endswith(f"{b.id} did not complete")
    await engine.jobs.retry(b.id)
    assert await run_all(worker) == [b.id, child.id]


async def test_a_flow_that_goes_on_is_not_blamed_for_a_failure_in_it(engine: Penstock, worker: HandWorker):
    flow = await engine.flow("goes on")
    inside, _open, a, b = [await engine.enqueue(Work(), flow=which) for which in (flow, flow, None, None)]
    child = await engine.enqueue(Work(), after=[flow, a, b])
    in_flow, _, of_a, of_b = await worker.claim()
    assert (in_flow.id, of_a.id) == (inside.id, a.id)
    await worker.fail(of_a)
    await worker.fail(in_flow)
    assert (await engine.jobs.retry(child.id)).blocked == [child.id]
    await worker.complete(of_b)
    assert str((await engine.get(child.id)).reason).endswith(f"{a.id} did not complete")
    assert (await engine.jobs.retry(a.id)).blocked == [child.id]


async def test_a_job_retried_before_its_parents_end_waits_for_them(engine: Penstock, worker: HandWorker):
    a, b = await engine.enqueue_many([Work(), Work()])
    child = await engine.enqueue(Work(), after=[a, b])
    job, _ = await worker.claim()
    await engine.cancel(child.id)
    assert (await engine.jobs.retry(child.id)).blocked == [child.id]
    await worker.complete(job)
    assert await states(engine, child) == ["blocked"]


async def flow_with_a_failure(engine: Penstock) -> tuple[FlowRef, list[JobHandle]]:
    """ok → bad → {next → end, cleanup (all_ended)}; stopped (by a person) after bad; side apart."""
    async with engine.transaction() as tx:
        flow = tx.flow("f")
        ok = await tx.enqueue(Work(n=0), flow=flow)
        bad = await tx.enqueue(Work(n=1), after=ok)
        following = await tx.enqueue(Work(n=2), after=bad)
        end = await tx.enqueue(Work(n=3), after=following)
        cleanup = await tx.enqueue(Work(n=4), after=bad, when="all_ended")
        stopped = await tx.enqueue(Work(n=5), after=bad)
        side = await tx.enqueue(Work(n=6), flow=flow)
    await engine.cancel(stopped.id)
    return flow, [ok, bad, following, end, cleanup, stopped, side]


async def test_a_flow_retry_runs_only_what_failed_and_what_follows(engine: Penstock, worker: HandWorker):
    flow, [ok, bad, following, end, cleanup, stopped, side] = await flow_with_a_failure(engine)
    await run_all(worker, bad)
    assert (await engine.flows.get(flow.id)).status == "failed"
    revived = await engine.flows.retry(flow.id)
    assert revived.ready == [bad.id]
    assert sorted(revived.blocked) == sorted([following.id, end.id, cleanup.id])
    view = await engine.flows.get(flow.id)
    assert (view.round, view.status, view.finished_at) == (2, "running", None)
    assert (view.counts.total, view.counts.open, view.counts.completed, view.counts.cancelled) == (7, 4, 2, 1)
    order = await run_all(worker)
    assert order[0] == bad.id
    assert sorted(order) == sorted(handle.id for handle in (bad, following, end, cleanup))
    assert await states(engine, ok, stopped, side) == ["completed", "cancelled", "completed"]
    assert (await engine.flows.get(flow.id)).counts.open == 0
    with pytest.raises(Conflict, match="no failed job"):
        await engine.flows.retry(flow.id)


async def test_each_round_starts_a_fan_in_once(engine: Penstock, worker: HandWorker):
    async with engine.transaction() as tx:
        flow = tx.flow("f")
        parents = await tx.enqueue_many([Work(n=n) for n in range(4)], flow=flow)
        join = await tx.enqueue(Work(n=9), after=parents, when="all_ended")
    ids = [parent.id for parent in parents]
    assert await run_all(worker, parents[1], parents[2]) == [*ids, join.id]
    await engine.flows.retry(flow.id)
    assert await run_all(worker, parents[2]) == [ids[1], ids[2], join.id]
    await engine.flows.retry(flow.id)
    assert await run_all(worker) == [ids[2], join.id]
    assert (await engine.flows.get(flow.id)).round == 3


async def test_of_two_flow_retries_at_once_one_opens_a_round(make_store: MakeStore):
    engines = [Penstock(store=await make_store()) for _ in range(2)]
    worker = await HandWorker.register(engines[0].store)
    flow, [_, bad, *_] = await flow_with_a_failure(engines[0])
    await run_all(worker, bad)
    answers = await asyncio.gather(*[engine.flows.retry(flow.id) for engine in engines], return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Revived"]
    assert (await engines[0].flows.get(flow.id)).round == 2


async def test_a_flow_retry_brings_back_what_was_cancelled_beyond_it(engine: Penstock, worker: HandWorker):
    async with engine.transaction() as tx:
        one, two = tx.flow("one"), tx.flow("two")
        bad = await tx.enqueue(Work(), flow=one)
        outside = await tx.enqueue(Work(), after=bad, flow=two)
        beyond = await tx.enqueue(Work(), after=one)
        last = await tx.enqueue(Work(), after=two, when="all_completed")
    await run_all(worker, bad)
    assert await states(engine, bad, outside, beyond, last) == ["failed", "cancelled", "cancelled", "cancelled"]
    revived = await engine.flows.retry(one.id)
    assert revived.ready == [bad.id]
    assert sorted(revived.blocked) == sorted([outside.id, beyond.id, last.id])
    order = await run_all(worker)
    assert order[0] == bad.id
    assert order[-1] == last.id
    assert {(await engine.flows.get(flow.id)).status for flow in (one, two)} == {"completed"}


async def test_what_waits_for_a_flow_and_more_waits_for_its_new_round(engine: Penstock, worker: HandWorker):
    async with engine.transaction() as tx:
        flow = tx.flow("f")
        bad = await tx.enqueue(Work(), flow=flow)
        other = await tx.enqueue(Work(), queue="other")
        join = await tx.enqueue(Work(), after=[flow, other], when="all_ended")
    await run_all(worker, bad)
    await engine.flows.retry(flow.id)
    await worker.complete(await worker.claim_one(queue="other"))
    assert await states(engine, join) == ["blocked"]
    assert await run_all(worker) == [bad.id, join.id]


async def test_a_retry_and_the_end_of_another_parent_at_once_lose_no_start(make_store: MakeStore):
    engines = [Penstock(store=await make_store()) for _ in range(2)]
    worker = await HandWorker.register(engines[1].store)
    for _ in range(30):
        a, b = await engines[0].enqueue_many([Work(), Work()])
        child = await engines[0].enqueue(Work(), after=[a, b])
        first, second = await worker.claim()
        await worker.fail(first)
        await asyncio.gather(engines[0].jobs.retry(a.id), worker.complete(second))
        assert await run_all(worker) == [a.id, child.id]
