"""The windows of budgets at a call: read under a lock, changed by pure rules, written back.

Locks are taken in one order by all who call: limits, shares, then windows by their keys.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from penstock import codec
from penstock.domain.budgets import Rule, WindowKey
from penstock.domain.spending import BudgetHold, BudgetNearlySpent, Purses, Window
from penstock.store.program import Call, Row, Steps, program
from penstock.store.programs.events import NewEvent, publish


def lock_purses(keys: Iterable[WindowKey]) -> Steps[Purses]:
    """Take the turn at these windows, those of them that are there."""
    ordered = sorted(set(keys))
    if not ordered:
        return Purses({})
    found = yield Call("lock_windows", {"keys": codec.rows([key._asdict() for key in ordered])})
    windows = [window_of(row) for row in found]
    return Purses({window.key: window for window in windows})


@program
def make_windows(needed: Mapping[WindowKey, Rule], now: int) -> Steps[None]:
    """Make windows that are not there, unless their budgets are gone.

    In a transaction of its own: who waits for another who makes one must not hold a window that this one waits for.
    """
    rows = [key._asdict() | {"ends_at": needed[key].window(now)[1]} for key in sorted(needed)]
    yield Call("make_windows", {"keys": codec.rows(rows)}, only=True)


def write_purses(purses: Purses, held: Iterable[tuple[str, BudgetHold]], now: int) -> Steps[None]:
    """Write what has changed, what is to be told, and which windows hold which jobs (by id)."""
    if purses.changed:
        rows = [_amounts(purses.windows[key]) for key in sorted(purses.changed)]
        yield Call("write_windows", {"rows": codec.rows(rows)})
    # A job may have several calls that are held, each by another budget, or by one.
    waits = {(job_id, hold.key.budget): {"job_id": job_id} | hold.key._asdict() for job_id, hold in held}
    if waits:
        yield Call("put_waits", {"rows": codec.rows([waits[one] for one in sorted(waits)])})
    yield from publish([_event(event) for event in purses.events], now)


def dumped(reserved: Mapping[WindowKey, int]) -> list[list[Any]] | None:
    """What a call has reserved, as its row keeps it."""
    return [[*key, amount] for key, amount in reserved.items()] or None


def loaded(stored: str | None) -> dict[WindowKey, int]:
    """What `dumped` gave, as JSON."""
    return {WindowKey(*key): amount for *key, amount in codec.loads(stored or "[]")}


def window_of(row: Row) -> Window:
    """From a stored row."""
    *key, ends_at, amount, warn_at, spent, reserved, warned_at, spent_at = row
    named = WindowKey(*key)
    rule = Rule.of(named.budget, named.shape, amount, warn_at)
    return Window(named, rule, ends_at, spent, reserved, warned_at, spent_at)


def _amounts(window: Window) -> dict[str, Any]:
    return window.key._asdict() | {
        "spent": window.spent, "reserved": window.reserved, "warned_at": window.warned_at, "spent_at": window.spent_at,
    }  # fmt: skip


def _event(event: BudgetNearlySpent) -> NewEvent:
    return NewEvent(event.event_stream, event.event_type, event.budget, event.model_dump_json().encode())
