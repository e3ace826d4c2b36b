"""The ledger: a row before each model call, closed once, whatever becomes of the run; sums by anything."""

from datetime import timedelta
from decimal import Decimal

import pytest

from penstock import InvalidJob, Penstock, codec
from penstock.domain.calls import CallScope, calling
from penstock.domain.steps import Step
from penstock.ledger import Ledger
from penstock.store.base import Store
from penstock.store.programs.calls import close_lost_calls
from penstock.store.programs.steps import StepWrite, write_steps
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work, run_of

SECOND = 1_000_000


def cost(provider: str, model: str, sent: int | None, answered: int | None, cached: int | None = None) -> int | None:
    """A dollar for a thousand tokens; nobody knows what `dear` costs."""
    return None if model == "dear" or sent is None or answered is None else (sent + answered) * SECOND


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store, cost)


def scope(tenant: str | None = None, *, job: str | None = None, claim: int = 1, attempt: int = 1) -> CallScope:
    return CallScope(job or codec.new_id(), claim, attempt, "work", tenant, None, "outline")


async def call(ledger: Ledger, outcome: str = "answered", *, model: str = "m", tokens: int = 1_000) -> None:
    opened = await ledger.open("acme-ai", model, input_estimate=tokens)
    await ledger.close(opened, outcome, input_tokens=tokens, output_tokens=0)


async def test_a_call_is_there_before_it_is_made_and_closed_after(
    engine: Penstock, ledger: Ledger, clock: MovableClock
):
    job = codec.new_id()
    with calling(scope("a", job=job)):
        opened = await ledger.open("acme-ai", "m", tried=2, input_estimate=7)
    [before] = await engine.jobs.calls(job)
    clock.advance(2)
    await ledger.close(opened, "answered", input_tokens=10, output_tokens=5, cached_tokens=3)
    [after] = await engine.jobs.calls(job)
    assert (before.outcome, before.duration_s, before.cost, before.step, before.tried) == (
        None,
        None,
        None,
        "outline",
        2,
    )
    assert (after.outcome, after.duration_s, after.cost) == ("answered", 2.0, Decimal("0.015"))
    assert (after.input_tokens, after.output_tokens, after.cached_tokens) == (10, 5, 3)


async def test_a_call_closes_once(store: Store, engine: Penstock, ledger: Ledger):
    with calling(scope(job=(job := codec.new_id()))):
        opened = await ledger.open("acme-ai", "m")
    await ledger.close(opened, "timeout", input_tokens=1, output_tokens=1)
    await ledger.close(opened, "answered", input_tokens=9, output_tokens=9)
    [stored] = await engine.jobs.calls(job)
    assert stored.outcome == "timeout"


async def test_the_calls_of_a_lost_run_close_as_unknown_with_their_estimate(
    store: Store, engine: Penstock, ledger: Ledger, worker: HandWorker, clock: MovableClock
):
    handle = await engine.enqueue(Work())
    first = await worker.claim_one()
    with calling(scope(job=handle.id, claim=first.claim_id)):
        lost = await ledger.open("acme-ai", "m", input_estimate=100, output_estimate=50)
    await worker.release(first)
    second = await worker.claim_one()
    with calling(scope(job=handle.id, claim=second.claim_id)):
        held = await ledger.open("acme-ai", "m")
    loose = await ledger.open("acme-ai", "m")
    assert await store.run(close_lost_calls(clock.now(), cost)) == 0, "it may be on its way to being closed"
    clock.advance(120)
    assert await store.run(close_lost_calls(clock.now(), cost)) == 1
    stored = {one.id: one for one in await engine.jobs.calls(handle.id)}
    assert (stored[lost.id].outcome, stored[lost.id].input_tokens, stored[lost.id].output_tokens) == (
        "unknown",
        100,
        50,
    )
    assert stored[lost.id].cost == Decimal("0.15")
    assert stored[held.id].outcome is None
    clock.advance(3_600)
    assert await store.run(close_lost_calls(clock.now(), cost)) == 1, "that of no job"
    await ledger.close(loose, "answered", input_tokens=1, output_tokens=1)
    assert [one.name for one in await engine.usage(by="outcome")] == ["unknown", "answered", "open"], (
        "it came all the same"
    )


async def test_rows_are_facts_that_no_fence_keeps_out(
    store: Store, engine: Penstock, ledger: Ledger, worker: HandWorker, clock: MovableClock
):
    handle = await engine.enqueue(Work())
    late = await worker.claim_one()
    await worker.release(late)
    await worker.claim_one()
    run = run_of(late)
    with calling(scope(job=run.id, claim=late.claim_id)):
        await call(ledger)
    assert await store.run(write_steps([StepWrite(run.id, late.claim_id, 1, Step("outline", b"1"), 1)], 1)) == set()
    assert len(await engine.jobs.calls(handle.id)) == 1


async def test_usage_is_summed_up_by_anything(engine: Penstock, ledger: Ledger, clock: MovableClock):
    job = codec.new_id()
    made = [("a", "m", "answered"), ("a", "m", "rate_limit"), ("b", "dear", "answered"), ("b", "m", "answered")]
    for tenant, model, outcome in made:
        with calling(scope(tenant, job=job if tenant == "a" else None)):
            clock.advance(1)
            await call(ledger, outcome, model=model)
    await ledger.open("other", "m")
    by_tenant = {one.name: one for one in await engine.usage(by="tenant")}
    assert [one.name for one in await engine.usage(by="tenant")] == ["a", "b", None]
    a, b, nobody = by_tenant["a"], by_tenant["b"], by_tenant[None]
    assert (a.calls, a.failed, a.input_tokens, a.cost, a.unpriced) == (2, 1, 2_000, Decimal(2), 0)
    assert a.retries == Decimal(1), "the second call of the same step"
    assert (b.cost, b.unpriced) == (Decimal(1), 1)
    assert (nobody.calls, nobody.open, nobody.mean_s) == (1, 1, None)
    for by, names in {
        "model": {"m", "dear"}, "provider": {"acme-ai", "other"}, "outcome": {"answered", "rate_limit", "open"},
        "step": {"outline", None}, "kind": {"work", None}, "flow": {None},
    }.items():  # fmt: skip
        assert {one.name for one in await engine.usage(by=by)} == names
    assert len(await engine.usage(by="day")) == 1
    assert len(await engine.usage(by="hour")) == 1
    assert {one.name for one in await engine.usage(by="job", tenant="a")} == {job}
    assert [one.calls for one in await engine.usage(by="kind", job_id=job)] == [2]
    clock.advance(10)
    assert await engine.usage(since=timedelta(seconds=5)) == []


async def test_what_steps_have_saved_is_what_later_attempts_did_not_pay(
    engine: Penstock, ledger: Ledger, worker: HandWorker, clock: MovableClock
):
    await engine.enqueue(Work(), max_attempts=3)
    for _ in range(2):
        job = await worker.claim_one()
        if job.attempts_before == 0:
            with calling(scope(job=job.id, claim=job.claim_id)):
                await call(ledger)
        await worker.fail(job, permanent=False)
        await engine.jobs.move(job.id, run_at=clock.moment)
    [row] = await engine.usage(by="kind")
    assert (row.cost, row.retries, row.saved) == (Decimal(1), Decimal(0), Decimal(1))


async def test_usage_by_something_unknown_says_what_there_is(engine: Penstock):
    with pytest.raises(InvalidJob, match="usage by 'colour' is unknown; by one of tenant, kind"):
        await engine.usage(by="colour")
