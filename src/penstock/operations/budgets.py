"""What people do with budgets: see what is spent, set, raise and unset them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from penstock.domain.budgets import Budget, Rule
from penstock.domain.money import dollars
from penstock.domain.options import moment_of
from penstock.domain.spending import Window
from penstock.errors import ConfigurationError, NotFound
from penstock.store.base import Store
from penstock.store.programs.budgets import CODE, Kept, list_budgets, open_windows, set_budget, unset_budget

_FIELDS = ("dollars", "tokens", "tenant", "kind", "flow", "per", "tz", "warn_at")
_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A budget in the window of now, for one of those it is for. Amounts are US dollars or tokens, as `unit` says.

    source: `code` or `set` (at run time); tenant, kind, flow: whose, "*" where nobody has called yet; left: what may
    still be reserved; waiting: jobs held by it; window_end: None when it has no window.
    """

    name: str
    source: str
    unit: str
    amount: Decimal
    spent: Decimal
    reserved: Decimal
    left: Decimal
    tenant: str | None
    kind: str | None
    flow: str | None
    per: str | None
    tz: str
    warn_at: float | None
    waiting: int
    window_start: datetime | None
    window_end: datetime | None


@dataclass(frozen=True, slots=True)
class BudgetChange:
    """A budget was set or unset. resumed: jobs that waited for it and go on now; source: what was unset (see there)."""

    name: str
    resumed: int
    source: str


class BudgetOperations:
    """Inspect and change budgets."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, name: str | None = None) -> Sequence[BudgetView]:
        """All budgets, or one, each with its open windows, the fullest first (1,000 at most). Raises NotFound."""
        now = self._store.clock.now()
        kept = [one for one in await self._store.read(list_budgets()) if name in (None, one.rule.name)]
        if name is not None and not kept:
            raise _unknown(name)
        rows = await self._store.read(open_windows(now, name, _LIMIT))
        found: list[BudgetView] = []
        for one in kept:
            mine = [row for row in rows if row.window.key.budget == one.rule.name]
            found += [_view(one, row.window, row.waiting) for row in mine]
            if not mine:
                found.append(_view(one, _untouched(one.rule, now), 0))
        return found

    async def set(self, name: str, **fields: Any) -> BudgetChange:
        """Set a budget (the fields of `Budget`), or change the one of that name: what is not given stays as it is.

        Jobs that wait for it ask again at once. Raises ConfigurationError naming the field.
        """
        unknown = sorted(fields.keys() - set(_FIELDS))
        if unknown:
            raise ConfigurationError(f"a budget has no field {unknown[0]!r}; it has {', '.join(_FIELDS)}")

        def change(before: Rule | None) -> Rule:
            kept = {} if before is None else _fields_of(before)
            if fields.keys() & {"dollars", "tokens"}:
                kept.pop("dollars", None)
                kept.pop("tokens", None)
            return Budget(name, **(kept | fields)).rule

        _, resumed = await self._store.run(set_budget(name, change, self._store.clock.now()))
        return BudgetChange(name, resumed, "set")

    async def unset(self, name: str) -> BudgetChange:
        """Take back what was set at run time; else what code has declared, until a process that declares it starts.

        Raises NotFound.
        """
        done = await self._store.run(unset_budget(name, self._store.clock.now()))
        if done is None:
            raise _unknown(name)
        source, resumed = done
        return BudgetChange(name, resumed, source)


def _fields_of(rule: Rule) -> dict[str, Any]:
    amount = {"dollars": dollars(rule.amount)} if rule.unit == "dollars" else {"tokens": rule.amount}
    return {field: getattr(rule, field) for field in _FIELDS[2:]} | amount


def _untouched(rule: Rule, now: int) -> Window:
    """The window of a budget that nobody has called under yet."""
    start, end = rule.window(now)
    key = rule.blank_key(start)
    return Window(key, rule, end)


def _view(kept: Kept, window: Window, waiting: int) -> BudgetView:
    rule, key = window.rule, window.key

    def amount(n: int) -> Decimal:
        return dollars(n) if rule.unit == "dollars" else Decimal(n)

    return BudgetView(
        rule.name, kept.source, rule.unit, amount(rule.amount), amount(window.spent), amount(window.reserved),
        amount(window.left), key.tenant or None, key.kind or None, key.flow or None, rule.per, rule.tz, rule.warn_at,
        waiting, moment_of(key.start) if rule.per else None,
        None if window.ends_at is None else moment_of(window.ends_at),
    )  # fmt: skip


def _unknown(name: str) -> NotFound:
    return NotFound(f"no budget {name!r}; `penstock budgets list` names them")


__all__ = ["CODE", "BudgetChange", "BudgetOperations", "BudgetView"]
