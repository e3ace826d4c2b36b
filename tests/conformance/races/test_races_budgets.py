"""Races of calls with changes of their budgets, and of both with the ends of runs that these hold."""

import asyncio
from typing import Any

import pytest

from penstock import JobState, Penstock, codec
from penstock.domain.budgets import Budget, Most, Rule
from penstock.domain.calls import CallScope
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Snoozed
from penstock.domain.spending import BudgetHold
from penstock.store.postgres import PostgresStore
from penstock.store.program import Program
from penstock.store.programs.budgets import set_budget
from penstock.store.programs.call_facts import Answers, Ask, OpenCall, Reserved
from penstock.store.programs.calls import pass_calls
from penstock.store.programs.purses import make_windows
from penstock.store.programs.settle import settle
from tests.conformance.races.conftest import Open, UntilStuck
from tests.support.engine import HandWorker, Work

TOKENS = 100


@pytest.fixture
async def job(engine: Penstock, worker: HandWorker) -> ClaimedJob:
    """One that runs and is about to call."""
    await engine.enqueue(Work(), tenant="acme")
    return await worker.claim_one()


def asking(store: PostgresStore, *jobs: ClaimedJob, made: bool = False) -> Program[Answers]:
    """The calls of these jobs ask to be let through."""
    calls = [
        OpenCall(
            codec.new_id(), CallScope(job.id, job.claim_id, 1, job.kind, job.tenant), "acme-ai", "m", 1, TOKENS, 0, "",
            Most(TOKENS, None),
        )
        for job in jobs
    ]  # fmt: skip
    return pass_calls([Ask(call) for call in calls], [], [], [], store.clock.now(), made=made)


def raising(store: PostgresStore, tokens: int = 10_000, **more: Any) -> Program[tuple[Rule, int]]:
    """A person sets the budget."""
    return set_budget("b", lambda before: Budget("b", tokens=tokens, **more).rule, store.clock.now())


async def held(store: PostgresStore, job: ClaimedJob) -> BudgetHold:
    """The job's call, which the budget holds."""
    await store.run(make_windows((await store.run(asking(store, job))).missing, store.clock.now()))
    [verdict] = (await store.run(asking(store, job))).verdicts
    assert isinstance(verdict, BudgetHold)
    return verdict


def ending(worker: HandWorker, job: ClaimedJob, hold: BudgetHold) -> Program[Any]:
    """The end of a run that a budget holds, not yet written."""
    end = worker.end_of(job, Snoozed(hold.until, f"budget {hold.text}"))
    return settle([end], worker.store.clock.now(), "w")


async def state(engine: Penstock, job: ClaimedJob) -> JobState:
    return (await engine.get(job.id)).state


async def test_a_change_waits_for_a_call_that_is_being_held_and_lets_its_job_go(
    engine: Penstock, store: PostgresStore, worker: HandWorker, job: ClaimedJob, open_transaction: Open[Any],
    until_stuck: UntilStuck,
):  # fmt: skip
    await store.run(raising(store, 0))
    await held(store, job)
    answers, calling = await open_transaction(asking(store, job))
    [hold] = answers.verdicts
    task = asyncio.create_task(store.run(raising(store)))
    assert await until_stuck(task)
    await calling.commit()
    await task
    await store.run(ending(worker, job, hold))
    assert await state(engine, job) is JobState.READY


@pytest.mark.parametrize("is_new", [True, False], ids=["new window", "old window"])
async def test_a_call_waits_for_a_change_and_is_judged_by_the_new_amount(
    store: PostgresStore, job: ClaimedJob, open_transaction: Open[Any], until_stuck: UntilStuck, is_new: bool
):
    await store.run(raising(store, 0))
    if not is_new:
        await held(store, job)
    _, changing = await open_transaction(raising(store))

    async def call() -> Answers:
        answers = await store.run(asking(store, job))
        if answers.missing:
            await store.run(make_windows(answers.missing, store.clock.now()))
            answers = await store.run(asking(store, job, made=True))
        return answers

    task = asyncio.create_task(call())
    assert await until_stuck(task)
    await changing.commit()
    [verdict] = (await task).verdicts
    assert isinstance(verdict, Reserved)
    assert list(verdict.budgets.values()) == [TOKENS]


async def test_a_change_finds_a_run_that_is_ending(
    engine: Penstock, store: PostgresStore, worker: HandWorker, job: ClaimedJob, open_transaction: Open[Any],
    until_stuck: UntilStuck,
):  # fmt: skip
    await store.run(raising(store, 0))
    hold = await held(store, job)
    _, end = await open_transaction(ending(worker, job, hold))
    task = asyncio.create_task(store.run(raising(store)))
    assert await until_stuck(task)
    await end.commit()
    _, resumed = await task
    assert resumed == 1
    assert await state(engine, job) is JobState.READY


async def test_a_run_that_ends_while_its_budget_is_changed_goes_on(
    engine: Penstock, store: PostgresStore, worker: HandWorker, job: ClaimedJob, open_transaction: Open[Any],
    until_stuck: UntilStuck,
):  # fmt: skip
    await store.run(raising(store, 0))
    hold = await held(store, job)
    (_, resumed), changing = await open_transaction(raising(store))
    assert resumed == 0
    task = asyncio.create_task(store.run(ending(worker, job, hold)))
    assert await until_stuck(task)
    await changing.commit()
    await task
    assert await state(engine, job) is JobState.READY


async def test_two_that_make_one_window_share_it(
    engine: Penstock, store: PostgresStore, job: ClaimedJob, open_transaction: Open[Any], until_stuck: UntilStuck
):
    await store.run(raising(store, 150))
    missing = (await store.run(asking(store, job))).missing
    _, making = await open_transaction(make_windows(missing, store.clock.now()))
    task = asyncio.create_task(store.run(make_windows(missing, store.clock.now())))
    assert await until_stuck(task)
    await making.commit()
    await task
    first, second = (await store.run(asking(store, job, job))).verdicts
    assert isinstance(first, Reserved)
    assert not isinstance(second, Reserved)
    [view] = await engine.budgets.list()
    assert [int(view.spent), int(view.reserved)] == [0, TOKENS]


async def test_a_call_whose_budget_is_gone_by_then_is_not_held(store: PostgresStore, engine: Penstock, job: ClaimedJob):
    await store.run(raising(store, 0))
    missing = (await store.run(asking(store, job))).missing
    await engine.budgets.unset("b")
    await store.run(make_windows(missing, store.clock.now()))
    [verdict] = (await store.run(asking(store, job, made=True))).verdicts
    assert verdict == Reserved({}, {})
