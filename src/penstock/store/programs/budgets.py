"""Budgets as they are kept: declared, set, changed; and the jobs that wait for them.

Whoever changes a budget takes all windows first; so a call is held by the amount that holds when its transaction
commits, and a job that is held is either seen waiting by the change, or sees when its run ends that it was released.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from penstock import codec
from penstock.domain.budgets import Rule
from penstock.domain.order import STRICT_STEP
from penstock.domain.spending import Window
from penstock.store.program import Call, Row, Steps, program, wake_queues
from penstock.store.programs.purses import window_of

CODE = "code"
"""The source of a budget that code declares."""
SET = "set"
"""The source of one that was set at run time; it holds before the other."""
_REASON = "budget "
"""What the reason of a job begins with that waits for a budget."""


class Kept(NamedTuple):
    """A budget that holds, and its source."""

    rule: Rule
    source: str


class WindowRow(NamedTuple):
    """An open window, and how many jobs wait for it."""

    window: Window
    waiting: int


@program
def list_budgets() -> Steps[list[Kept]]:
    """All budgets that hold, by name."""
    return [_kept(row) for row in (yield Call("list_budgets", only=True))]


def held_rules() -> Steps[list[Rule]]:
    """The rules of all budgets that hold, inside another program."""
    return [_kept(row).rule for row in (yield Call("list_budgets"))]


@program
def open_windows(now: int, name: str | None = None, limit: int = 1_000) -> Steps[list[WindowRow]]:
    """Windows that are open now, of all budgets or one, each budget's fullest first."""
    rows = yield Call("open_windows", {"now": now, "name": name, "limit": limit}, only=True)
    return [WindowRow(window_of(row[:-1]), row[-1]) for row in rows]


@program
def declare_budgets(rules: Sequence[Rule], now: int) -> Steps[None]:
    """Take over the budgets of the code. What was set by name holds on; what no code declares any more stays."""
    for rule in rules:
        found = yield Call("declared_budget", {"name": rule.name, "source": CODE})
        if not found or _kept(found[0]).rule != rule:
            yield Call("hold_budgets")
            yield from _put(rule, CODE, now)


@program
def set_budget(name: str, change: Callable[[Rule | None], Rule], now: int) -> Steps[tuple[Rule, int]]:
    """Set what `change` makes of the budget that holds (None: there is none); answers it, and how many jobs go on."""
    yield Call("hold_budgets")
    rule = change((yield from _holding(name)))
    resumed = yield from _put(rule, SET, now)
    return rule, resumed


@program
def unset_budget(name: str, now: int) -> Steps[tuple[str, int] | None]:
    """Take back what was set, else what code has declared; answers which of the two, and how many jobs go on.

    None when there is no such budget.
    """
    yield Call("hold_budgets")
    for source in (SET, CODE):
        if (yield Call("drop_budget", {"name": name, "source": source})):
            return source, (yield from _changed(name, now))
    return None


@program
def prune_windows(before: int, limit: int = 1_000) -> Steps[int]:
    """Delete windows that ended before then, or whose flow is gone; answers how many."""
    return len((yield Call("prune_windows", {"before": before, "limit": limit}, only=True)))


def wake_budgeted(job_ids: Sequence[str], now: int) -> Steps[int]:
    """Let those of these jobs go on that wait for a budget which was changed since. Their rows must be locked."""
    params = {"ids": codec.ids(list(job_ids)), "now": now, "strict_step": STRICT_STEP}
    woken = yield Call("wake_budgeted", params)
    if woken:
        yield Call("drop_waits", {"ids": codec.ids(sorted(row[0] for row in woken))})
        yield wake_queues({row[1] for row in woken})
    return len(woken)


def waits_for_budget(reason: str | None) -> bool:
    """Whether that is the reason of a job which waits for a budget."""
    return reason is not None and reason.startswith(_REASON)


def _put(rule: Rule, source: str, now: int) -> Steps[int]:
    params = rule._asdict() | {"source": source, "shape": rule.shape, "now": now}
    yield Call("put_budget", params)
    return (yield from _changed(rule.name, now))


def _changed(name: str, now: int) -> Steps[int]:
    """What holds now holds in the open windows, too; all who wait for the budget ask again."""
    rule = yield from _holding(name)
    if rule is not None:
        amounts = {"name": name, "shape": rule.shape, "amount": rule.amount, "warn_at": rule.warn_at, "now": now}
        yield Call("amend_windows", amounts)
    waiting = sorted(row[0] for row in (yield Call("release_waits", {"name": name})))
    if not waiting:
        return 0
    # Locked in a statement of its own: of a run that is ending now, the end is then seen.
    yield Call("lock_jobs", {"ids": codec.ids(waiting)})
    return (yield from wake_budgeted(waiting, now))


def _holding(name: str) -> Steps[Rule | None]:
    return next((rule for rule in (yield from held_rules()) if rule.name == name), None)


def _kept(row: Row) -> Kept:
    *fields, source = row
    return Kept(Rule(*fields), source)
