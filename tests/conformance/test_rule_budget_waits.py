"""Jobs that wait for a budget: held without an attempt, let go by the turn of its window or by its change."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from penstock import JobState, OutOfBudget, Penstock
from penstock.ai import Budget, ModelLimit
from penstock.context.resting import Resting, StepCaller
from penstock.domain.calls import CallScope, calling
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Snoozed
from penstock.domain.steps import NEVER, Suspended
from penstock.ledger import Ledger
from penstock.operations.doctor import Level, examine
from penstock.store.base import Store
from tests.conformance.budgeting import (
    amounts,
    called,
    closed,
    cost,
    held,
    ledger_of,
    one,
    opened,
    scope,
    suspended,
)
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work


async def test_a_job_that_is_held_waits_without_an_attempt_until_the_window_turns(
    store: Store, engine: Penstock, worker: HandWorker, clock: MovableClock, database: Database
):
    ledger = ledger_of(store, Budget("b", dollars=1, per="day", tz="Asia/Tokyo"))
    await called(ledger)
    job = await held(ledger, worker, engine)
    turn = datetime(2026, 1, 6, tzinfo=ZoneInfo("Asia/Tokyo"))
    view = await engine.get(job.id)
    assert (view.state, view.attempt) == (JobState.SCHEDULED, 0)
    why = await engine.jobs.why(job.id)
    assert why.until == turn
    assert why.reasons == (
        "a budget keeps its model call: 'b': $1.00 of $1.00 is spent this day, the next call may take $1.00; "
        "until 2026-01-06 00:00 Asia/Tokyo",
    )
    assert (await one(engine)).waiting == 1
    checks = {check.name: check for check in await examine(lambda: Penstock(store=database.new_store(clock)))}
    assert (checks["budgets"].level, checks["budgets"].found) == (Level.WARN, "b holds 1 jobs")
    clock.move_to(turn - timedelta(seconds=1))
    await worker.fall_due()
    assert (await engine.get(job.id)).state is JobState.SCHEDULED
    clock.move_to(turn)
    await worker.fall_due()
    again = await worker.claim_one()
    assert again.attempts_before == 0
    await called(ledger)


async def test_a_budget_without_a_window_holds_until_it_is_raised_and_then_lets_go_at_once(
    store: Store, engine: Penstock, worker: HandWorker, clock: MovableClock
):
    ledger = ledger_of(store, Budget("b", dollars=1, tenant="*"))
    await called(ledger, whose=scope("a"))
    await called(ledger, whose=scope("b"))
    first = await held(ledger, worker, engine, tenant="a")
    second = await held(ledger, worker, engine, tenant="b")
    assert (await engine.jobs.why(first.id)).until is None
    clock.advance(timedelta(days=3_650))
    await worker.fall_due()
    assert (await engine.get(first.id)).state is JobState.SCHEDULED
    assert (await engine.budgets.set("b", dollars=2)).resumed == 2
    assert {job.id for job in await worker.claim()} == {first.id, second.id}
    await called(ledger, whose=scope("a"))
    with pytest.raises(OutOfBudget):
        await opened(ledger, whose=scope("a"))


async def test_unsetting_a_budget_lets_go(store: Store, engine: Penstock, worker: HandWorker):
    ledger = ledger_of(store)
    await engine.budgets.set("b", dollars=0)
    job = await held(ledger, worker, engine)
    assert (await engine.budgets.unset("b")).resumed == 1
    assert (await engine.get(job.id)).state is JobState.READY
    await called(ledger)


async def test_a_budget_that_is_raised_while_a_run_ends_is_not_missed(
    store: Store, engine: Penstock, worker: HandWorker
):
    ledger = ledger_of(store, Budget("b", dollars=0))
    await engine.enqueue(Work())
    job = await worker.claim_one()
    left = await suspended(ledger, job)
    assert (left.until, left.reason.startswith("budget 'b'")) == (NEVER, True)
    assert (await engine.budgets.set("b", dollars=2)).resumed == 0, "its run has not ended"
    await worker.settle(job, Snoozed(left.until, left.reason))
    assert (await engine.get(job.id)).state is JobState.READY
    again = await worker.claim_one()
    await engine.budgets.set("b", dollars=0)
    left = await suspended(ledger, again)
    await worker.settle(again, Snoozed(left.until, left.reason))
    assert (await engine.get(job.id)).state is JobState.SCHEDULED, "what was released before is over"


async def test_raises_and_ending_runs_at_once_leave_nobody_waiting(
    store: Store, make_store: MakeStore, engine: Penstock, worker: HandWorker
):
    ledger = ledger_of(store, Budget("b", dollars=0))
    people = Penstock(store=await make_store())
    await engine.enqueue_many([Work(n=n) for n in range(20)])
    jobs = await worker.claim(20)
    left = [await suspended(ledger, job) for job in jobs]

    async def end(job: ClaimedJob, why: Suspended) -> None:
        await worker.settle(job, Snoozed(why.until, why.reason))

    ends = [end(job, why) for job, why in zip(jobs, left, strict=True)]
    await asyncio.gather(*ends[:10], people.budgets.set("b", dollars=100), *ends[10:])
    assert {(await engine.get(job.id)).state for job in jobs} == {JobState.READY}


@pytest.mark.parametrize("round_", range(3))
async def test_calls_and_a_raise_at_once_leave_nobody_held_by_the_old_amount(
    store: Store, make_store: MakeStore, engine: Penstock, worker: HandWorker, round_: int
):
    ledgers = [ledger_of(one) for one in (store, await make_store(), await make_store())]
    people = Penstock(store=await make_store())
    await people.budgets.set("b", dollars=0, tenant="*")
    for n in range(12):
        await engine.enqueue(Work(n=n), tenant=f"t{n % 4}")
    jobs = await worker.claim(12)

    async def run(number: int, job: ClaimedJob) -> None:
        whose = CallScope(job.id, job.claim_id, 1, job.kind, job.tenant, None, "ask")
        try:
            with calling(StepCaller(whose, Resting())):
                await opened(ledgers[number % 3], 10)
        except Suspended as left:
            await worker.settle(job, Snoozed(left.until, left.reason))

    runs = [run(number, job) for number, job in enumerate(jobs)]
    await asyncio.gather(*runs[:6], people.budgets.set("b", dollars=100), *runs[6:])
    assert JobState.SCHEDULED not in {(await engine.get(job.id)).state for job in jobs}


async def test_a_call_that_a_limit_keeps_reserves_nothing(store: Store, engine: Penstock):
    budget = Budget("b", dollars=5)
    ledger = Ledger(store, cost, limits=[ModelLimit("acme-ai", concurrent=1)], budgets=[budget.rule])
    first = await opened(ledger)
    second = asyncio.ensure_future(opened(ledger))
    done, _ = await asyncio.wait([second], timeout=0.3)
    assert not done
    assert await amounts(engine) == (0, 1)
    await closed(ledger, first)
    await closed(ledger, await asyncio.wait_for(second, 20))
    assert await amounts(engine) == (2, 0)


@pytest.mark.parametrize(("name", "raised"), [("few", {"tokens": 5_000}), ("cheap", {"dollars": 100})])
async def test_a_job_whose_steps_are_held_by_different_budgets_goes_on_when_either_is_changed(
    store: Store, engine: Penstock, worker: HandWorker, name: str, raised: dict[str, Any]
):
    budgets = [Budget("few", tokens=50), Budget("cheap", dollars=1, per="day")]
    ledger = Ledger(
        store, lambda provider, model, *_: 0 if model == "long" else 2 * 10**9, budgets=[b.rule for b in budgets]
    )
    await engine.enqueue(Work())
    job = await worker.claim_one()
    resting = Resting()

    async def step(model: str, tokens: int) -> None:
        whose = CallScope(job.id, job.claim_id, 1, job.kind, None, None, model)
        with resting.working(), calling(StepCaller(whose, resting)):
            await opened(ledger, tokens, model=model)

    ends = await asyncio.gather(step("long", 100), step("dear one", 1), return_exceptions=True)
    first, second = [end for end in ends if isinstance(end, Suspended)]
    assert first is second, "they leave together"
    await worker.settle(job, Snoozed(first.until, first.reason))
    assert (await engine.get(job.id)).state is JobState.SCHEDULED
    assert (await engine.budgets.set(name, **raised)).resumed == 1
    assert (await engine.get(job.id)).state is JobState.READY


async def test_a_persons_own_words_are_no_wait_for_a_budget(store: Store, engine: Penstock, worker: HandWorker):
    await engine.enqueue(Work())
    job = await worker.claim_one()
    await worker.snooze(job, 3_600, "budget meeting")
    await engine.budgets.set("b", dollars=1)
    assert (await engine.get(job.id)).state is JobState.SCHEDULED


async def test_calls_on_their_way_are_waited_for_and_not_taken_for_spent(
    store: Store, engine: Penstock, worker: HandWorker
):
    ledger = ledger_of(store, Budget("b", dollars=1, per="day"))
    first = await opened(ledger)
    waiting = asyncio.ensure_future(opened(ledger))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done
    await closed(ledger, first, 0)
    await closed(ledger, await asyncio.wait_for(waiting, 20), 0)
    assert await engine.events.read(stream="budgets") == []
    assert await amounts(engine) == (0, 0)


async def test_a_job_does_not_hold_its_slot_for_calls_that_take_long(
    store: Store, engine: Penstock, worker: HandWorker, clock: MovableClock
):
    ledger = ledger_of(store, Budget("b", dollars=1, per="day"))
    await opened(ledger)
    job = await held(ledger, worker, engine)
    why = await engine.jobs.why(job.id)
    assert why.until is not None
    assert why.until - clock.moment <= timedelta(seconds=10), "soon, not when the window turns"
    assert "calls on their way have reserved $1.00" in why.reasons[0]
