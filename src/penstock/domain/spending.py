"""Spending: calls reserve from the windows of their budgets, and what they came to takes the place of that. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from penstock.domain.budgets import Most, Reserved, Rule, Used, WindowKey
from penstock.domain.events import Event
from penstock.domain.money import dollars
from penstock.domain.options import moment_of
from penstock.domain.steps import NEVER


class BudgetNearlySpent(Event, type="budget.nearly_spent", stream="budgets"):
    """A budget's window has reached the share at which it warns. Once per window; again after its amount was changed.

    unit: `dollars` or `tokens`; tenant, kind, flow_id: whose it is, where each has its own; ends_at: None when it has
    no window.
    """

    budget: str
    unit: str
    amount: Decimal
    spent: Decimal
    tenant: str | None = None
    kind: str | None = None
    flow_id: str | None = None
    ends_at: datetime | None = None


class BudgetSpent(BudgetNearlySpent, type="budget.spent", stream="budgets"):
    """A call did not fit into what is left of a budget's window: its job waits. Once, as the other."""


class BudgetHold(NamedTuple):
    """Why a call may not go: which window, until when, in words. `is_spent`: nothing that ends could make room for it.

    Else calls on their way have reserved what is left, and may give it back.
    """

    key: WindowKey
    until: int
    text: str
    is_spent: bool


class Unpriced(NamedTuple):
    """A money budget holds a call whose price nobody knows."""

    budget: str


@dataclass(slots=True)
class Window:
    """One window of a budget. warned_at, spent_at: when that was told in the log. Amounts in the budget's unit."""

    key: WindowKey
    rule: Rule
    ends_at: int | None
    spent: int = 0
    reserved: int = 0
    warned_at: int | None = None
    spent_at: int | None = None

    @property
    def left(self) -> int:
        """What may still be reserved, 0 at least."""
        return max(0, self.rule.amount - self.spent - self.reserved)

    def hold(self, estimate: int) -> BudgetHold | None:
        """Why a call of so much may not go; None: it may."""
        if self.spent + self.reserved + estimate <= self.rule.amount:
            return None
        is_spent = self.spent + estimate > self.rule.amount
        until = NEVER if self.ends_at is None else self.ends_at
        return BudgetHold(self.key, until, self._told(estimate, is_spent), is_spent)

    def event(self, event: type[BudgetNearlySpent]) -> BudgetNearlySpent:
        """Told of this window."""
        rule, key = self.rule, self.key
        amounts = [dollars(n) if rule.unit == "dollars" else Decimal(n) for n in (rule.amount, self.spent)]
        return event(
            budget=rule.name, unit=rule.unit, amount=amounts[0], spent=amounts[1], tenant=key.tenant or None,
            kind=key.kind or None, flow_id=key.flow or None,
            ends_at=None if self.ends_at is None else moment_of(self.ends_at),
        )  # fmt: skip

    def _told(self, estimate: int, is_spent: bool) -> str:
        rule = self.rule
        whose = f" ({self.key.whose})" if self.key.whose else ""
        when = "" if rule.per is None else f" this {rule.per}"
        said = f"{rule.name!r}{whose}: {rule.shown(self.spent)} of {rule.shown(rule.amount)} is spent{when}"
        if not is_spent:
            return f"{said}, calls on their way have reserved {rule.shown(self.reserved)}"
        said += f", the next call may take {rule.shown(estimate)}"
        if self.ends_at is None:
            return f"{said}; it waits until the budget is raised"
        return f"{said}; until {moment_of(self.ends_at).astimezone(ZoneInfo(rule.tz)):%Y-%m-%d %H:%M} {rule.tz}"


@dataclass(slots=True)
class Purses:
    """The windows of the moment. changed: those that have to be written; events: what is to be told."""

    windows: dict[WindowKey, Window]
    changed: set[WindowKey] = field(default_factory=set)
    events: list[BudgetNearlySpent] = field(default_factory=list)

    def reserve(self, keys: Mapping[WindowKey, Rule], most: Most, now: int) -> Reserved | BudgetHold | Unpriced:
        """What a call may come to at most, from all its windows or none. Of several that hold it the one till last."""
        windows = [self.windows[key] for key in keys if key in self.windows]
        if most.cost is None and (money := next((w for w in windows if w.rule.unit == "dollars"), None)):
            return Unpriced(money.rule.name)
        wanted = {w.key: _of(w, most) for w in windows}
        holds = [hold for w in windows if (hold := w.hold(wanted[w.key])) is not None]
        if not holds:
            for w in windows:
                w.reserved += wanted[w.key]
            self.changed |= wanted.keys()
            return wanted
        worst = max(holds, key=lambda hold: (hold.is_spent, hold.until))
        window = self.windows[worst.key]
        if worst.is_spent and window.spent_at is None:
            window.spent_at = now
            self._tell(window, BudgetSpent)
        return worst

    def release(self, reserved: Reserved) -> None:
        """A call that had reserved was not made."""
        for key, amount in reserved.items():
            if (window := self.windows.get(key)) is not None:
                window.reserved = max(0, window.reserved - amount)
                self.changed.add(key)

    def settle(self, reserved: Reserved, used: Used, now: int, *, before: Used | None = None) -> None:
        """What a call came to takes the place of what it reserved, or of what it had counted as `before`."""
        for key, amount in reserved.items():
            if (window := self.windows.get(key)) is None:
                continue
            unit = window.rule.unit
            if before is None:
                window.reserved = max(0, window.reserved - amount)
                window.spent += used.counts(unit, amount)
            else:
                window.spent = max(0, window.spent + used.counts(unit, amount) - before.counts(unit, amount))
            self.changed.add(key)
            self._warn(window, now)

    def _warn(self, window: Window, now: int) -> None:
        share = window.rule.warn_at
        if share is None or window.warned_at is not None or not window.spent:
            return
        if window.spent >= share * window.rule.amount:
            window.warned_at = now
            self._tell(window, BudgetNearlySpent)

    def _tell(self, window: Window, event: type[BudgetNearlySpent]) -> None:
        self.changed.add(window.key)
        self.events.append(window.event(event))


def _of(window: Window, most: Most) -> int:
    if window.rule.unit == "tokens":
        return most.tokens
    return most.cost or 0
