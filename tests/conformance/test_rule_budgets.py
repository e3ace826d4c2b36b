"""Budgets: calls reserve and spend, by all processes together; what changes a budget, and what is forgotten."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from penstock import ConfigurationError, NoPrice, NotFound, OutOfBudget, Penstock, codec
from penstock.ai import Budget
from penstock.domain.spending import BudgetNearlySpent, BudgetSpent
from penstock.ledger import Ledger
from penstock.operations import BudgetView
from penstock.store.base import Store
from penstock.store.programs.budgets import prune_windows
from penstock.store.programs.calls import close_lost_calls
from penstock.store.programs.upkeep import prune
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
)
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker


async def test_a_call_reserves_what_it_may_cost_and_spends_what_it_did(store: Store, engine: Penstock):
    ledger = ledger_of(store, Budget("b", dollars=5, per="day"))
    call = await opened(ledger, 2_000)
    before = await one(engine)
    assert [before.spent, before.reserved, before.left] == [Decimal(0), Decimal(2), Decimal(3)]
    await closed(ledger, call, 500)
    after = await one(engine)
    assert [after.spent, after.reserved, after.left] == [Decimal("0.5"), Decimal(0), Decimal("4.5")]
    assert after.window_start == datetime(2026, 1, 5, tzinfo=UTC)
    assert after.window_end == datetime(2026, 1, 6, tzinfo=UTC)


async def test_a_request_without_a_bound_reserves_the_default_answer(store: Store, engine: Penstock):
    ledger = ledger_of(store, Budget("b", tokens=10_000))
    await ledger.open("acme-ai", "m", input_estimate=100)
    assert await amounts(engine) == (0, 100 + 8_192)


async def test_a_call_closes_its_reservation_once(store: Store, engine: Penstock):
    ledger = ledger_of(store, Budget("b", dollars=5))
    call, other = await opened(ledger), await opened(ledger)
    await closed(ledger, call, 300)
    await closed(ledger, call, 900)
    assert await amounts(engine) == (Decimal("0.3"), 1)
    await closed(ledger, other, 0)
    assert await amounts(engine) == (Decimal("0.3"), 0)


@pytest.mark.parametrize(
    ("outcome", "spent"), [("timeout", 1), ("cancelled", 1), ("unknown", 1), ("rate_limit", 0), ("provider_error", 0)]
)
async def test_a_call_whose_usage_nobody_told_counts_by_how_it_ended(
    store: Store, engine: Penstock, outcome: str, spent: int
):
    ledger = ledger_of(store, Budget("b", dollars=5))
    await closed(ledger, await opened(ledger), None, outcome)
    assert await amounts(engine) == (spent, 0)


async def test_a_late_answer_takes_the_place_of_the_estimate_once(store: Store, engine: Penstock):
    ledger = ledger_of(store, Budget("b", dollars=5))
    call = await opened(ledger)
    await closed(ledger, call, None, "timeout")
    for _ in range(2):
        await ledger.close(call, "answered", input_tokens=200, output_tokens=0, late=True)
        assert await amounts(engine) == (Decimal("0.2"), 0)


async def test_the_leader_settles_what_a_lost_run_had_reserved_and_the_truth_corrects_it(
    store: Store, engine: Penstock, clock: MovableClock
):
    ledger = ledger_of(store, Budget("b", dollars=5), Budget("t", tokens=9_000))
    call = await opened(ledger, whose=scope())
    clock.advance(120)
    assert await store.run(close_lost_calls(clock.now(), cost)) == 1
    assert await store.run(close_lost_calls(clock.now(), cost)) == 0
    assert await amounts(engine) == (1, 0)
    assert await amounts(engine, "t") == (1_000, 0)
    await closed(ledger, call, 400)
    assert await amounts(engine) == (Decimal("0.4"), 0), "it came back all the same"
    assert await amounts(engine, "t") == (400, 0)


async def test_a_spent_budget_holds_calls_until_its_window_turns(store: Store, engine: Penstock, clock: MovableClock):
    ledger = ledger_of(store, Budget("b", dollars=2, per="day", tz="America/New_York"))
    await called(ledger, 1_500)
    with pytest.raises(
        OutOfBudget, match=r"'b': \$1.50 of \$2.00 is spent this day.*2026-01-06 00:00 America/New_York"
    ):
        await opened(ledger)
    clock.move_to(datetime(2026, 1, 5, 23, 59, 59, tzinfo=ZoneInfo("America/New_York")))
    with pytest.raises(OutOfBudget):
        await opened(ledger)
    clock.advance(1)
    await called(ledger)
    assert await amounts(engine) == (1, 0)
    assert (await one(engine)).window_end == datetime(2026, 1, 7, 5, tzinfo=UTC)


async def test_a_call_that_ends_after_the_turn_counts_in_the_window_it_began_in(
    store: Store, engine: Penstock, clock: MovableClock
):
    ledger = ledger_of(store, Budget("b", dollars=2, per="day"))
    call = await opened(ledger)
    clock.advance(timedelta(days=1))
    await closed(ledger, call)
    assert await amounts(engine) == (0, 0)


async def test_a_months_window_is_as_long_as_the_month(store: Store, engine: Penstock, clock: MovableClock):
    ledger = ledger_of(store, Budget("b", tokens=1_000, per="month", tz="Europe/Berlin"))
    clock.move_to(datetime(2026, 3, 1, tzinfo=ZoneInfo("Europe/Berlin")))
    await called(ledger)
    clock.move_to(datetime(2026, 3, 31, 23, 59, 59, tzinfo=ZoneInfo("Europe/Berlin")))
    with pytest.raises(OutOfBudget):
        await opened(ledger)
    clock.advance(1)
    assert clock.moment == datetime(2026, 3, 31, 22, tzinfo=UTC), "summer time has begun"
    await called(ledger)


async def test_each_tenant_kind_and_flow_has_its_own_and_a_named_tenant_another(store: Store, engine: Penstock):
    ledger = ledger_of(
        store, Budget("each", dollars=1, tenant="*"), Budget("big", dollars=3, tenant="big"),
        Budget("kind", tokens=2_000, kind="*"), Budget("flow", dollars=1, flow="*"),
    )  # fmt: skip
    await called(ledger, whose=scope("a"))
    await called(ledger, whose=scope("b"))
    for number in range(3):
        await called(ledger, whose=scope("big", kind=f"k{number}"))
    for tenant, kind, name in (("a", "x", "each"), ("b", "y", "each"), ("big", "z", "big"), ("c", "work", "kind")):
        with pytest.raises(OutOfBudget, match=f"'{name}'"):
            await opened(ledger, whose=scope(tenant, kind))
    await called(ledger, whose=scope("d", "k9", "0193e7f0-0000-7000-8000-000000000001"))
    with pytest.raises(OutOfBudget, match="'flow'"):
        await opened(ledger, whose=scope("e", "k8", "0193e7f0-0000-7000-8000-000000000001"))
    await called(ledger, whose=scope("f", "k7", "0193e7f0-0000-7000-8000-000000000002"))
    found = {(view.name, view.tenant or view.kind or view.flow): view.spent for view in await engine.budgets.list()}
    assert found["each", "a"] == found["each", "b"] == 1
    assert found["big", "big"] == 3
    assert ("each", "big") not in found
    await called(ledger)  # outside of jobs none of these holds


async def test_a_model_without_a_price_is_refused_under_money_alone(store: Store, engine: Penstock):
    ledger = ledger_of(store, Budget("t", tokens=5_000))
    await opened(ledger, model="dear")
    await engine.budgets.set("b", dollars=5)
    with pytest.raises(NoPrice, match="budget 'b' is in dollars and no price is known for model 'dear' of 'acme-ai'"):
        await opened(ledger, model="dear")
    assert await amounts(engine) == (0, 0)
    assert await amounts(engine, "t") == (0, 1_000)


async def test_many_callers_of_many_processes_never_pass_a_budget(
    store: Store, make_store: MakeStore, engine: Penstock
):
    budgets = [Budget("b", dollars=20), Budget("each", tokens=8_000, tenant="*"), Budget("kind", dollars=15, kind="k1")]
    stores = [store, *[await make_store() for _ in range(3)]]
    ledgers = [ledger_of(other, *budgets) for other in stores]
    over = 0

    async def caller(number: int) -> None:
        nonlocal over
        rng = random.Random(number)
        ledger = ledgers[number % len(ledgers)]
        for _ in range(8):
            whose = scope(f"t{rng.randrange(3)}", f"k{rng.randrange(2)}")
            estimate = rng.randrange(50, 900)
            try:
                call = await opened(ledger, estimate, whose)
            except OutOfBudget:
                continue
            await asyncio.sleep(rng.random() / 100)
            used = int(estimate * rng.uniform(0.2, 1.1))
            over += max(0, used - estimate)
            await closed(ledger, call, used)

    await asyncio.gather(*(caller(number) for number in range(24)))
    views = await engine.budgets.list()
    assert {view.reserved for view in views} == {Decimal(0)}
    for view in views:
        unit = 1_000 if view.unit == "dollars" else 1
        assert view.spent <= view.amount + Decimal(over) / unit, view
    [total] = [view for view in views if view.name == "b"]
    [row] = [row for row in await engine.usage(by="provider")]
    assert total.spent == row.cost, "each call was settled once"
    assert total.spent > total.amount - 1, "what is left is less than one call may cost"


async def test_the_warning_and_the_end_are_told_once_under_concurrency(
    store: Store, make_store: MakeStore, engine: Penstock, clock: MovableClock
):
    budget = Budget("b", dollars=10, per="day", warn_at=0.5)
    ledgers = [ledger_of(other, budget) for other in (store, await make_store(), await make_store())]

    async def callers() -> None:
        async def caller(ledger: Ledger) -> None:
            for _ in range(5):
                try:
                    await called(ledger)
                except OutOfBudget:
                    continue

        await asyncio.gather(*(caller(ledger) for ledger in ledgers * 3))

    async def told() -> list[str]:
        return [event.type for event in await engine.events.read(stream="budgets")]

    await callers()
    assert await told() == ["budget.nearly_spent", "budget.spent"]
    [nearly, spent] = await engine.events.read(stream="budgets")
    read = nearly.read_as(BudgetNearlySpent)
    assert (read.budget, read.spent, read.amount, read.unit) == ("b", Decimal(5), Decimal(10), "dollars")
    assert read.ends_at == datetime(2026, 1, 6, tzinfo=UTC)
    assert spent.read_as(BudgetSpent).spent == 10
    assert nearly.subject == "b"
    clock.advance(timedelta(days=1))
    await callers()
    assert await told() == ["budget.nearly_spent", "budget.spent"] * 2


async def test_what_is_set_holds_before_what_code_declares_until_it_is_unset(store: Store, engine: Penstock):
    def seen(views: Sequence[BudgetView]) -> list[tuple[str, Decimal, str | None, str]]:
        return [(view.name, view.amount, view.per, view.source) for view in views]

    await ledger_of(store, Budget("b", dollars=1, per="day")).declare()
    await engine.budgets.set("b", dollars=2)
    assert seen(await engine.budgets.list()) == [("b", Decimal(2), "day", "set")]
    await ledger_of(store, Budget("b", dollars=5, per="day")).declare()
    assert seen(await engine.budgets.list()) == [("b", Decimal(2), "day", "set")]
    assert (await engine.budgets.unset("b")).source == "set"
    assert seen(await engine.budgets.list()) == [("b", Decimal(5), "day", "code")]
    assert (await engine.budgets.unset("b")).source == "code"
    assert await engine.budgets.list() == []
    for gone in (engine.budgets.unset("b"), engine.budgets.list("b")):
        with pytest.raises(NotFound, match="no budget 'b'; `penstock budgets list` names them"):
            await gone


async def test_a_changed_amount_keeps_what_is_spent_and_tells_anew(store: Store, engine: Penstock):
    ledger = ledger_of(store, Budget("b", dollars=2, per="day"))
    await called(ledger, 1_800)
    await ledger_of(store, Budget("b", dollars=2, per="day")).declare()
    await engine.budgets.set("b", dollars=10)
    assert await amounts(engine) == (Decimal("1.8"), 0)
    await called(ledger, 7_000)
    told = [(event.type, event.data["amount"]) for event in await engine.events.read(stream="budgets")]
    assert told == [("budget.nearly_spent", "2"), ("budget.nearly_spent", "10")]
    await engine.budgets.set("b", per="month")
    assert await amounts(engine) == (0, 0), "a window of another length is another one"


async def test_what_cannot_be_right_is_refused_and_changes_nothing(engine: Penstock):
    await engine.budgets.set("b", dollars=1)
    for fields, words in (
        ({"per": "week"}, "per must be 'day', 'month'"),
        ({"colour": 1}, "a budget has no field 'colour'"),
        ({"dollars": 1, "tokens": 1}, "needs either dollars= or tokens="),
    ):
        with pytest.raises(ConfigurationError, match=words):
            await engine.budgets.set("b", **fields)
    with pytest.raises(ConfigurationError, match="needs either"):
        await engine.budgets.set("new", tenant="*")
    assert [(view.name, view.amount) for view in await engine.budgets.list()] == [("b", Decimal(1))]
    with pytest.raises(ConfigurationError, match="budgets: two are named 'x'"):
        Penstock(store=engine.store, budgets=[Budget("x", tokens=1), Budget("x", tokens=2)])


async def test_windows_are_pruned_when_they_are_over_and_nothing_is_under_way(
    store: Store, engine: Penstock, database: Database, clock: MovableClock
):
    ledger = ledger_of(
        store, Budget("b", dollars=9, per="day"), Budget("f", dollars=9, flow="*"), Budget("all", tokens=9**9)
    )
    flow = await engine.flow("plan")
    await called(ledger, whose=scope(flow=flow.id))
    await called(ledger, whose=scope(flow=codec.new_id()))
    left = await opened(ledger)
    clock.advance(timedelta(days=2))
    assert await store.run(prune_windows(clock.now())) == 1, "that of the flow that is gone"
    await closed(ledger, left)
    assert await store.run(prune_windows(clock.now())) == 1, "the day that is over"
    assert sorted(database.select("SELECT budget FROM ~budget_windows")) == [("all",), ("f",)]


async def test_what_held_a_job_goes_with_it(
    store: Store, engine: Penstock, worker: HandWorker, database: Database, clock: MovableClock
):
    job = await held(ledger_of(store, Budget("b", tokens=0)), worker, engine)
    await engine.cancel(job.id)
    clock.advance(timedelta(days=31))
    assert await store.run(prune(clock.now())) == 1
    assert database.select("SELECT job_id FROM ~budget_waits") == []


async def test_changes_and_calls_in_any_order_do_not_wait_for_each_other_for_ever(
    store: Store, make_store: MakeStore, engine: Penstock, database: Database
):
    budgets = [Budget(f"b{n}", dollars=1_000, tenant="*" if n % 2 else None) for n in range(4)]
    stores = [store, *[await make_store() for _ in range(2)]]
    before = deadlocks(database)

    async def caller(number: int) -> None:
        rng = random.Random(number)
        ledger = ledger_of(stores[number % 3], *rng.sample(budgets, 4))
        for _ in range(6):
            await called(ledger, 10, scope(f"t{rng.randrange(3)}"))

    async def person(number: int) -> None:
        rng = random.Random(number)
        people = Penstock(store=stores[number % 3])
        for _ in range(6):
            await people.budgets.set(f"b{rng.randrange(4)}", dollars=1_000 + rng.randrange(9))

    await asyncio.gather(*(caller(n) for n in range(9)), *(person(n) for n in range(3)))
    assert {view.reserved for view in await engine.budgets.list()} == {Decimal(0)}
    assert sum(view.spent for view in await engine.budgets.list("b0")) == Decimal("0.54")
    assert deadlocks(database) == before


def deadlocks(database: Database) -> object:
    """How many the server has had to break in this database; other tests have some on purpose."""
    if database.name != "postgres":
        return 0
    return database.select("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
