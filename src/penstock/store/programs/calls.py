"""Calls let through and closed: limits they pass, budgets they take from, what they used, their rows in the ledger.

Locks are taken in one order: limits, shares, windows of budgets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from penstock import codec
from penstock.domain.admission import Asking, Held, Passed
from penstock.domain.budgets import Rule, Used, WindowKey, rules_for
from penstock.domain.limits import POLL, LimitKey, ModelLimit, Rates, Tokens, keys_of
from penstock.domain.spending import BudgetHold, Purses
from penstock.store.program import Call, Steps, program
from penstock.store.programs.budgets import held_rules
from penstock.store.programs.call_facts import (
    UNKNOWN,
    Answers,
    Ask,
    ClosedCall,
    End,
    OpenCall,
    Reserved,
    Verdict,
    Withdrawn,
    closed_row,
    opened_row,
)
from penstock.store.programs.limits import Locked, lock_limits, write_limits
from penstock.store.programs.purses import loaded, lock_purses, write_purses

_LOST = Used(UNKNOWN, None, None)
_GIVEN_UP = Used("timeout", None, None)
_BACK_SOON = 5_000_000
"""Who leaves because calls on their way have reserved what is left of a budget comes back after this (µs)."""


@program
def pass_calls(
    asks: Sequence[Ask],
    ends: Sequence[End],
    withdrawn: Sequence[Withdrawn],
    limits: Sequence[ModelLimit],
    now: int,
    *,
    made: bool = False,
) -> Steps[Answers]:
    """Close calls, settle their limits and budgets, let through who asks as far as these allow; write who goes.

    made: windows that were missing have been made; what is missing still has no budget any more.
    """
    over: list[End | Withdrawn] = [*ends, *withdrawn]
    budgets = yield from _budgets_of(asks, now)
    wanted = [keys_of(limits, ask.call.provider, ask.call.model, ask.call.account) for ask in asks]
    locked = yield from _locked_limits(asks, wanted, ends, over, limits, now)
    needed = {key: rule for rules in budgets for key, rule in rules.items()}
    purses = yield from lock_purses([*needed, *(key for one in over for key in one.reserved.budgets)])
    missing = {} if made else {key: rule for key, rule in needed.items() if key not in purses.windows}
    if missing:
        return Answers([], set(), missing)
    closed = yield from _close(ends, locked, purses, now)
    yield from _withdraw(withdrawn, locked, purses)
    _heed(ends, locked)
    verdicts = _judged(asks, wanted, budgets, locked, purses, now)
    rows = [opened_row(ask.call, v, now) for ask, v in zip(asks, verdicts, strict=True) if isinstance(v, Reserved)]
    if rows:
        yield Call("open_calls", {"rows": codec.rows(rows)}, seeks=False)
    yield from write_limits(locked, _kinds_that_wait(asks, wanted, verdicts, locked, now), now)
    yield from write_purses(purses, _jobs_that_wait(asks, verdicts), now)
    return Answers([_shown(ask, verdict, now) for ask, verdict in zip(asks, verdicts, strict=True)], closed)


def _budgets_of(asks: Sequence[Ask], now: int) -> Steps[list[Mapping[WindowKey, Rule]]]:
    rules = (yield from held_rules()) if asks else []
    return [rules_for(rules, ask.call.scope, now) if rules else {} for ask in asks]


def _locked_limits(
    asks: Sequence[Ask],
    wanted: Sequence[Mapping[LimitKey, Rates]],
    ends: Sequence[End],
    over: Sequence[End | Withdrawn],
    limits: Sequence[ModelLimit],
    now: int,
) -> Steps[Locked]:
    touched = {key for one in over for key in one.reserved.limits}
    touched |= {end.call.key for end in ends if end.told.pause_until > now}
    needed: dict[LimitKey, Rates | None] = {key: keys_of(limits, *key).get(key) for key in touched}
    needed |= {key: rates for keys in wanted for key, rates in keys.items()}
    return (yield from lock_limits(needed, [ask.call.key for ask in asks], now))


def _judged(
    asks: Sequence[Ask],
    wanted: Sequence[Mapping[LimitKey, Rates]],
    budgets: Sequence[Mapping[WindowKey, Rule]],
    locked: Locked,
    purses: Purses,
    now: int,
) -> list[Verdict]:
    """First the budgets, in the order of the asks; the limits then judge those that these let through."""
    taken = [purses.reserve(of, ask.call.most, now) for ask, of in zip(asks, budgets, strict=True)]
    asking = [
        _asking(ask, keys, locked, now)
        for ask, keys, had in zip(asks, wanted, taken, strict=True)
        if isinstance(had, Mapping)
    ]
    passing = iter(locked.house.admit(asking, now))
    verdicts: list[Verdict] = []
    for had in taken:
        if not isinstance(had, Mapping):
            verdicts.append(had)
            continue
        verdict = next(passing)
        if isinstance(verdict, Passed):
            verdicts.append(Reserved(verdict.reserved, had))
        else:
            purses.release(had)
            verdicts.append(verdict)
    return verdicts


def _shown(ask: Ask, verdict: Verdict, now: int) -> Verdict:
    """Where calls on their way may yet leave room in a budget, one waits as for a limit."""
    if not isinstance(verdict, BudgetHold) or verdict.is_spent:
        return verdict
    return Held(now + POLL, now + (_BACK_SOON if ask.leaves else POLL), verdict.text, "budget")


def _kinds_that_wait(
    asks: Sequence[Ask],
    wanted: Sequence[Mapping[LimitKey, Rates]],
    verdicts: Sequence[Verdict],
    locked: Locked,
    now: int,
) -> dict[LimitKey, set[str]]:
    waiting: dict[LimitKey, set[str]] = {}
    for ask, keys, verdict in zip(asks, wanted, verdicts, strict=True):
        if isinstance(verdict, Held) and ask.call.scope is not None:
            for key in _passes(ask.call, keys, locked, now):
                waiting.setdefault(key, set()).add(ask.call.scope.kind)
    return waiting


def _jobs_that_wait(asks: Sequence[Ask], verdicts: Sequence[Verdict]) -> Iterator[tuple[str, BudgetHold]]:
    """Those whose runs end now, or wait for their other steps to."""
    for ask, verdict in zip(asks, verdicts, strict=True):
        if isinstance(verdict, BudgetHold) and ask.call.scope is not None and (verdict.is_spent or ask.leaves):
            yield ask.call.scope.job_id, verdict


Price = Callable[[str, str, int | None, int | None, int | None], int | None]
"""Provider, model, tokens sent, answered and cached -> billionths of a US dollar, None when no price is known."""

_GRACE_US = 60_000_000
_OWNERLESS_US = 3_600_000_000


@program
def close_lost_calls(now: int, price: Price, limit: int = 1_000) -> Steps[int]:
    """Close the calls of runs that are gone as `unknown`, with their estimates; answers how many.

    Their slots are free again; what they reserved of a rate stays spent, what they reserved of a budget is spent.
    """
    params = {"before": now - _GRACE_US, "ownerless_before": now - _OWNERLESS_US, "limit": limit}
    lost = yield Call("lost_calls", params)
    if not lost:
        return 0
    keys = {
        id_: [LimitKey(provider, name, account) for name in codec.loads(names or "[]")]
        for id_, provider, _, _, _, account, names, _ in lost
    }
    budgets = {row[0]: loaded(row[-1]) for row in lost}
    locked = yield from lock_limits({}, {key for of in keys.values() for key in of}, now)
    purses = yield from lock_purses(key for of in budgets.values() for key in of)
    rows = [
        ClosedCall(id_, now, UNKNOWN, sent, answered, None, price(provider, model, sent, answered, None))
        for id_, provider, model, sent, answered, *_ in lost
    ]
    closed = yield from _write_ends("close_calls", rows, was_unknown=False)
    _free([key for id_ in closed for key in keys[id_]], locked)
    for id_ in closed:
        purses.settle(budgets[id_], _LOST, now)
    yield from write_limits(locked, {}, now)
    yield from write_purses(purses, (), now)
    return len(closed)


def _asking(ask: Ask, keys: Mapping[LimitKey, Rates], locked: Locked, now: int) -> Asking:
    call = ask.call
    tenant = call.scope.tenant if call.scope is not None else None
    passes = _passes(call, keys, locked, now)
    return Asking(tenant or "", passes, call.input_estimate or 0, call.output_estimate, ask.leaves)


def _passes(call: OpenCall, keys: Mapping[LimitKey, Rates], locked: Locked, now: int) -> list[LimitKey]:
    paused = locked.house.buckets.get(call.key)
    if call.key not in keys and paused is not None and paused.held_until > now:
        return [*keys, call.key]  # no limit is declared, but the provider wants no call now
    return list(keys)


def _close(ends: Sequence[End], locked: Locked, purses: Purses, now: int) -> Steps[set[str]]:
    """Write the ends; settle those that were taken."""
    on_time = {end.closed.id: end for end in ends if not end.late}
    late = {end.closed.id: end for end in ends if end.late}
    closed = yield from _write_ends("close_calls", [end.closed for end in on_time.values()], was_unknown=False)
    for id_ in closed:
        _free(on_time[id_].reserved.limits, locked)
    # The leader has closed it as unknown, and freed its slot: it is better known when it comes back all the same.
    rest = [end.closed for id_, end in on_time.items() if id_ not in closed]
    corrected = yield from _write_ends("close_calls", rest, was_unknown=True)
    added = yield from _write_ends("late_answers", [end.closed for end in late.values()])
    for end in [*(on_time[id_] for id_ in closed | corrected), *(late[id_] for id_ in added)]:
        _settle(end, locked)
    for ids, known, before in ((closed, on_time, None), (corrected, on_time, _LOST), (added, late, _GIVEN_UP)):
        for id_ in ids:
            purses.settle(known[id_].reserved.budgets, known[id_].closed.used, now, before=before)
    return closed | corrected | added


def _write_ends(statement: str, ends: Sequence[ClosedCall], **more: bool) -> Steps[set[str]]:
    if not ends:
        return set()
    return {row[0] for row in (yield Call(statement, {"rows": codec.rows([closed_row(end) for end in ends]), **more}))}


def _withdraw(withdrawn: Sequence[Withdrawn], locked: Locked, purses: Purses) -> Steps[None]:
    if not withdrawn:
        return
    reserved = {one.call.id: one.reserved for one in withdrawn}
    for row in (yield Call("withdraw_calls", {"ids": codec.ids(list(reserved))})):
        for key, tokens in reserved[row[0]].limits.items():
            _free([key], locked)
            locked.house.buckets[key].unspend(tokens)
        purses.release(reserved[row[0]].budgets)


def _settle(end: End, locked: Locked) -> None:
    used = end.closed
    if used.input_tokens is None or used.output_tokens is None:
        return  # the estimate stays spent
    for key, estimate in end.reserved.limits.items():
        locked.house.buckets[key].settle(estimate, Tokens(used.input_tokens, used.output_tokens))
        locked.house.changed.add(key)


def _free(keys: Iterable[LimitKey], locked: Locked) -> None:
    for key in keys:
        bucket = locked.house.buckets.get(key)
        if bucket is not None:
            bucket.running = max(0, bucket.running - 1)
            locked.house.changed.add(key)


def _heed(ends: Sequence[End], locked: Locked) -> None:
    """Take over what providers have said."""
    for end in ends:
        for key in locked.knows({end.call.key, *end.reserved.limits}):
            bucket = locked.house.buckets[key]
            if end.told.rates != Rates():
                bucket.told = end.told.rates
                locked.house.changed.add(key)
            if key == end.call.key and end.told.pause_until > bucket.held_until:
                bucket.held_until = end.told.pause_until
                locked.house.changed.add(key)
