"""Steps and signals by hand: the moments in which they could miss each other, and what is left when a job is pruned."""

import pytest

from penstock import ClaimLost, JobState, Penstock
from penstock.domain.outcomes import Snoozed
from penstock.domain.steps import NEVER, TIMED_OUT, Step
from penstock.store.base import Store
from penstock.store.programs.steps import StepWrite, await_signal, send_signal, steps_of, write_steps
from penstock.store.programs.upkeep import prune
from tests.conformance.databases import Database
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

WAIT = Step("signal go", signal="go")


async def begin_to_wait(store: Store, worker: HandWorker, step: Step = WAIT):
    """A run that has looked for its signal and found none."""
    job = await worker.claim_one()
    now = store.clock.now()
    found = await store.run(await_signal(StepWrite(job.id, job.claim_id, 1, step, now), now))
    assert found.result is None
    return job


async def test_a_signal_between_the_look_and_the_end_of_the_run_is_found(
    store: Store, engine: Penstock, worker: HandWorker
):
    handle = await engine.enqueue(Work())
    job = await begin_to_wait(store, worker)
    assert not await engine.signal(handle.id, "go", 7), "it runs still"
    await worker.settle(job, Snoozed(NEVER, "signal"))
    assert (await engine.get(handle.id)).state is JobState.READY
    again = await worker.claim_one()
    write = StepWrite(again.id, again.claim_id, 1, WAIT, 1)
    assert (await store.run(await_signal(write, 1))).result == b'{"data":7}'


async def test_another_signal_wakes_nobody(store: Store, engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work())
    job = await begin_to_wait(store, worker)
    await engine.signal(handle.id, "stop")
    assert await worker.settle(job, Snoozed(NEVER, "signal")) is JobState.SCHEDULED
    assert not await engine.signal(handle.id, "stop")
    assert (await engine.get(handle.id)).state is JobState.SCHEDULED
    assert await engine.signal(handle.id, "go")


async def test_a_job_that_merely_waits_its_time_is_not_woken(store: Store, engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work(), delay=60)
    assert not await engine.signal(handle.id, "go")
    assert (await engine.get(handle.id)).state is JobState.SCHEDULED


async def test_a_wait_keeps_the_time_it_had_at_first(
    store: Store, engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await engine.enqueue(Work())
    until = clock.now() + 10_000_000
    job = await begin_to_wait(store, worker, WAIT._replace(until_at=until))
    await worker.settle(job, Snoozed(until, "signal"))
    clock.advance(11)
    await worker.fall_due()
    again = await worker.claim_one()
    [row] = (await store.read(steps_of([again.id])))[again.id]
    assert row.step.until_at == until
    late = await store.run(await_signal(StepWrite(again.id, again.claim_id, 1, row.step, 1), clock.now()))
    assert late.result == TIMED_OUT


async def test_a_late_run_takes_no_signal(store: Store, engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work())
    late = await worker.claim_one()
    await worker.release(late)
    current = await worker.claim_one()
    await engine.signal(handle.id, "go", "mine")
    with pytest.raises(ClaimLost):
        await store.run(await_signal(StepWrite(late.id, late.claim_id, 1, WAIT, 1), 1))
    taken = await store.run(await_signal(StepWrite(current.id, current.claim_id, 1, WAIT, 1), 1))
    assert taken.result == b'{"data":"mine"}'


@pytest.mark.parametrize("result", [b"null", b'"text"', b"0", b"[]", b'{"data": 1}', '"\u2603 \\" \\\\"'.encode()])
async def test_results_of_any_json_come_back_unchanged(
    store: Store, engine: Penstock, worker: HandWorker, result: bytes
):
    await engine.enqueue(Work())
    job = await worker.claim_one()
    await store.run(write_steps([StepWrite(job.id, job.claim_id, 1, Step("s", result), 1)], 2))
    [row] = (await store.read(steps_of([job.id])))[job.id]
    assert row.step.result == result


async def test_steps_and_signals_go_with_their_job(
    store: Store, engine: Penstock, worker: HandWorker, clock: MovableClock, database: Database
):
    handle = await engine.enqueue(Work())
    job = await worker.claim_one()
    await store.run(write_steps([StepWrite(job.id, job.claim_id, 1, Step("s", b"1"), 1)], 2))
    await store.run(send_signal(handle.id, "late", b"1", 3))
    await worker.complete(job)
    clock.advance(8 * 86_400)
    assert await store.run(prune(clock.now())) == 1
    assert await engine.jobs.steps(handle.id) == []
    signals = "penstock_signals" if database.name == "sqlite" else "penstock.signals"
    assert database.select(f"SELECT count(*) FROM {signals}") == [(0,)]  # noqa: S608 - a table of ours
