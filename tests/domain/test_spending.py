"""Reserving from budgets and settling with what calls came to."""

import random
from decimal import Decimal

import pytest

from penstock.domain.budgets import Budget, Most, Rule, Used, WindowKey
from penstock.domain.calls import CallScope
from penstock.domain.spending import BudgetHold, BudgetNearlySpent, BudgetSpent, Purses, Unpriced, Window
from penstock.domain.steps import NEVER

DOLLAR = 1_000_000_000
NOW = 1_767_614_400_000_000
DAY = 86_400_000_000
SCOPE = CallScope("j", 1, 1, "plan", "acme", "f1")


def most(cost: int | None = DOLLAR, tokens: int = 100) -> Most:
    return Most(tokens, cost)


def used(cost: int | None, outcome: str = "answered", tokens: int | None = 100) -> Used:
    return Used(outcome, tokens, cost)


class Till:
    """Purses with the windows of some budgets, for one scope."""

    def __init__(self, *budgets: Budget) -> None:
        self.keys: dict[WindowKey, Rule] = {}
        windows = {}
        for budget in budgets:
            key = budget.rule.key(SCOPE, NOW)
            assert key is not None
            self.keys[key] = budget.rule
            windows[key] = Window(key, budget.rule, budget.rule.window(NOW)[1])
        self.purses = Purses(windows)

    def reserve(self, wanted: Most | None = None):
        return self.purses.reserve(self.keys, wanted or most(), NOW)

    @property
    def amounts(self) -> list[tuple[int, int]]:
        return [(w.spent, w.reserved) for w in self.purses.windows.values()]

    @property
    def told(self) -> list[type[BudgetNearlySpent]]:
        return [type(event) for event in self.purses.events]


def test_a_call_reserves_and_settles_with_what_it_came_to():
    till = Till(Budget("b", dollars=3), Budget("t", tokens=1_000))
    reserved = till.reserve()
    assert till.amounts == [(0, DOLLAR), (0, 100)]
    till.purses.settle(reserved, used(DOLLAR // 2, tokens=30), NOW)
    assert till.amounts == [(DOLLAR // 2, 0), (30, 0)]


def test_what_is_reserved_holds_until_it_is_given_back_and_what_is_spent_until_the_window_turns():
    till = Till(Budget("b", dollars=2, per="day"))
    first, second = till.reserve(), till.reserve()
    held = till.reserve()
    assert isinstance(held, BudgetHold)
    assert not held.is_spent
    assert "calls on their way have reserved $2.00" in held.text
    assert till.told == []
    till.purses.settle(first, used(DOLLAR), NOW)
    till.purses.settle(second, used(DOLLAR // 2), NOW)
    held = till.reserve()
    assert isinstance(held, BudgetHold)
    assert held.is_spent
    assert held.until == NOW - NOW % DAY + DAY
    assert (
        held.text == "'b': $1.50 of $2.00 is spent this day, the next call may take $1.00; until 2026-01-06 00:00 UTC"
    )


def test_a_budget_without_a_window_waits_until_it_is_raised():
    till = Till(Budget("b", tokens=99, tenant="*"))
    held = till.reserve()
    assert isinstance(held, BudgetHold)
    assert (held.is_spent, held.until) == (True, NEVER)
    assert held.text.startswith("'b' (tenant acme): 0 tokens of 99 tokens is spent, the next call may take 100 tokens;")
    assert held.text.endswith("it waits until the budget is raised")


def test_of_several_nothing_is_reserved_unless_all_allow_it_and_the_one_till_last_is_named():
    till = Till(Budget("day", dollars=0, per="day"), Budget("all", dollars=0), Budget("room", dollars=9))
    held = till.reserve()
    assert isinstance(held, BudgetHold)
    assert held.key.budget == "all"
    assert till.amounts == [(0, 0)] * 3
    assert till.told == [BudgetSpent]


def test_no_price_is_refused_by_a_money_budget_alone():
    assert Till(Budget("b", dollars=3)).reserve(most(None)) == Unpriced("b")
    assert not isinstance(Till(Budget("b", tokens=300)).reserve(most(None)), BudgetHold | Unpriced)


def test_what_costs_nothing_goes_when_all_is_spent():
    till = Till(Budget("b", dollars=0))
    assert not isinstance(till.reserve(most(0)), BudgetHold | Unpriced)


def test_events_come_once_a_window():
    till = Till(Budget("b", dollars=10, warn_at=0.5))
    for _ in range(10):
        till.purses.settle(till.reserve(), used(DOLLAR), NOW)
    till.reserve()
    till.reserve()
    assert till.told == [BudgetNearlySpent, BudgetSpent]
    warned, spent = till.purses.events
    assert (warned.budget, warned.spent, warned.amount, warned.unit) == ("b", Decimal(5), Decimal(10), "dollars")
    assert spent.spent == 10


def test_a_budget_may_not_warn():
    till = Till(Budget("b", dollars=1, warn_at=None))
    till.purses.settle(till.reserve(), used(DOLLAR), NOW)
    assert till.told == []


@pytest.mark.parametrize("first", ["timeout", "cancelled", "unknown"])
def test_a_late_answer_takes_the_place_of_the_estimate(first):
    till = Till(Budget("b", dollars=10))
    reserved = till.reserve()
    till.purses.settle(reserved, used(None, first), NOW)
    assert till.amounts == [(DOLLAR, 0)]
    till.purses.settle(reserved, used(DOLLAR // 4), NOW, before=used(None, first))
    assert till.amounts == [(DOLLAR // 4, 0)]


def test_a_call_that_was_not_made_gives_back_what_it_reserved():
    till = Till(Budget("b", dollars=1))
    till.purses.release(till.reserve())
    assert till.amounts == [(0, 0)]


def test_windows_that_are_gone_are_passed_over():
    till = Till(Budget("b", dollars=1))
    reserved = till.reserve()
    till.purses.windows.clear()
    till.purses.settle(reserved, used(1), NOW)
    till.purses.release(reserved)
    assert till.reserve() == {}


@pytest.mark.parametrize("seed", range(20))
def test_no_order_of_calls_passes_a_budget_by_more_than_estimates_were_wrong(seed):
    rng = random.Random(seed)
    till = Till(Budget("b", dollars=20), Budget("t", tokens=1_500))
    under_way: list = []
    wrong = spent = 0
    for _ in range(400):
        if rng.random() < 0.6:
            reserved = till.reserve(most(rng.randrange(DOLLAR), rng.randrange(100)))
            if not isinstance(reserved, BudgetHold | Unpriced):
                under_way.append(reserved)
        elif under_way:
            reserved = under_way.pop(rng.randrange(len(under_way)))
            estimate = next(n for key, n in reserved.items() if key.budget == "b")
            cost = int(estimate * rng.uniform(0, 1.2))
            till.purses.settle(reserved, used(cost, tokens=10), NOW)
            wrong += max(0, cost - estimate)
            spent += cost
        money, tokens = till.purses.windows.values()
        assert money.spent == spent
        assert money.spent <= 20 * DOLLAR + wrong
        assert tokens.spent + tokens.reserved <= 1_500
        assert min(money.reserved, tokens.reserved) >= 0
