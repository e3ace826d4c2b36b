"""Calls let through and closed: the limits they pass, what they really used, and their rows in the ledger."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from penstock import codec
from penstock.domain.admission import Asking, Held, Passed
from penstock.domain.calls import CallScope
from penstock.domain.limits import LimitKey, ModelLimit, Rates, Tokens, keys_of
from penstock.store.program import Call, Steps, program
from penstock.store.programs.limits import Locked, lock_limits, write_limits

UNKNOWN = "unknown"
"""The outcome of a call whose process is gone: it may have been answered and is taken to have cost its estimate."""

Reserved = Mapping[LimitKey, Tokens]


class OpenCall(NamedTuple):
    """A call about to be made. Estimates in tokens; `tried`: the how-manieth call of its request, from 1.

    account: which key of the provider it uses.
    """

    id: str
    scope: CallScope | None
    provider: str
    model: str
    tried: int
    input_estimate: int | None = None
    output_estimate: int | None = None
    account: str = ""

    @property
    def key(self) -> LimitKey:
        """What its provider may say of this model and key."""
        return LimitKey(self.provider, self.model, self.account)


class Ask(NamedTuple):
    """A call that wants to be let through. `leaves`: its run gives its slot back if it is not."""

    call: OpenCall
    leaves: bool = False


class ClosedCall(NamedTuple):
    """How a call has ended. Time µs; tokens as the provider counted them; `cost` in billionths of a US dollar.

    outcome: `answered`, the kind of its failure, `cancelled` or `unknown`.
    """

    id: str
    closed_at: int
    outcome: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost: int | None = None


class Told(NamedTuple):
    """What a provider has said of its limits: rates, and until when it wants no further call (µs)."""

    rates: Rates = Rates()
    pause_until: int = 0


NOTHING = Told()


class End(NamedTuple):
    """A call that is over. `reserved`: what it was let through with. `late`: only what it used is new."""

    call: OpenCall
    closed: ClosedCall
    reserved: Reserved
    told: Told = NOTHING
    late: bool = False


class Withdrawn(NamedTuple):
    """A call that was let through when nobody wanted it any more; it was not made."""

    call: OpenCall
    reserved: Reserved


class Answers(NamedTuple):
    """What became of the asks, in their order, and the ids of ends that were taken."""

    verdicts: list[Passed | Held]
    closed: set[str]


@program
def pass_calls(
    asks: Sequence[Ask], ends: Sequence[End], withdrawn: Sequence[Withdrawn], limits: Sequence[ModelLimit], now: int
) -> Steps[Answers]:
    """Close calls, settle their limits, and let those that ask through as far as these allow; write who goes."""
    wanted = [keys_of(limits, ask.call.provider, ask.call.model, ask.call.account) for ask in asks]
    needed = {key: rates for keys in wanted for key, rates in keys.items()}
    paused = {end.call.key: Rates() for end in ends if end.told.pause_until > now}
    over: list[End | Withdrawn] = [*ends, *withdrawn]
    settled = {key: _rates(limits, key) for one in over for key in one.reserved}
    locked = yield from lock_limits(paused | settled | needed, [ask.call.key for ask in asks], now)
    closed = yield from _close(ends, locked)
    yield from _withdraw(withdrawn, locked)
    _heed(ends, locked)
    asking = [_asking(ask, keys, locked, now) for ask, keys in zip(asks, wanted, strict=True)]
    verdicts = locked.house.admit(asking, now)
    waiting: dict[LimitKey, set[str]] = {}
    rows = []
    for ask, one, verdict in zip(asks, asking, verdicts, strict=True):
        if isinstance(verdict, Passed):
            rows.append(_opened(ask.call, verdict.reserved, now))
        elif ask.call.scope is not None:
            for key in one.keys:
                waiting.setdefault(key, set()).add(ask.call.scope.kind)
    if rows:
        yield Call("open_calls", {"rows": codec.rows(rows)}, seeks=False)
    yield from write_limits(locked, waiting, now)
    return Answers(verdicts, closed)


Price = Callable[[str, str, int | None, int | None], int | None]
"""Provider, model, input and output tokens -> cost in billionths of a US dollar, None when no price is known."""

_GRACE_US = 60_000_000
_OWNERLESS_US = 3_600_000_000


@program
def close_lost_calls(now: int, price: Price, limit: int = 1_000) -> Steps[int]:
    """Close the calls of runs that are gone as `unknown`, with their estimates; answers how many.

    Their slots are free again; what they reserved of a rate stays spent.
    """
    params = {"before": now - _GRACE_US, "ownerless_before": now - _OWNERLESS_US, "limit": limit}
    lost = yield Call("lost_calls", params)
    if not lost:
        return 0
    keys = {
        id_: [LimitKey(provider, name, account) for name in codec.loads(names or "[]")]
        for id_, provider, _, _, _, account, names in lost
    }
    locked = yield from lock_limits({}, {key for of in keys.values() for key in of}, now)
    rows = [
        ClosedCall(id_, now, UNKNOWN, sent, answered, None, price(provider, model, sent, answered))
        for id_, provider, model, sent, answered, *_ in lost
    ]
    closed = yield from _write_ends("close_calls", rows, was_unknown=False)
    _free([key for id_ in closed for key in keys[id_]], locked)
    yield from write_limits(locked, {}, now)
    return len(closed)


def _rates(limits: Sequence[ModelLimit], key: LimitKey) -> Rates:
    return keys_of(limits, *key).get(key, Rates())


def _asking(ask: Ask, keys: Mapping[LimitKey, Rates], locked: Locked, now: int) -> Asking:
    call, passes = ask.call, list(keys)
    paused = locked.house.buckets.get(call.key)
    if call.key not in keys and paused is not None and paused.held_until > now:
        passes.append(call.key)  # no limit is declared, but the provider wants no call now
    tenant = call.scope.tenant if call.scope is not None else None
    return Asking(tenant or "", passes, call.input_estimate or 0, call.output_estimate, ask.leaves)


def _close(ends: Sequence[End], locked: Locked) -> Steps[set[str]]:
    """Write the ends; settle those that were taken."""
    on_time = {end.closed.id: end for end in ends if not end.late}
    late = {end.closed.id: end for end in ends if end.late}
    closed = yield from _write_ends("close_calls", [end.closed for end in on_time.values()], was_unknown=False)
    for id_ in closed:
        _free(on_time[id_].reserved, locked)
    # The leader has closed it as unknown, and freed its slot: it is better known when it comes back all the same.
    rest = [end.closed for id_, end in on_time.items() if id_ not in closed]
    corrected = yield from _write_ends("close_calls", rest, was_unknown=True)
    added = yield from _write_ends("late_answers", [end.closed for end in late.values()])
    for end in [*(on_time[id_] for id_ in closed | corrected), *(late[id_] for id_ in added)]:
        _settle(end, locked)
    return closed | corrected | added


def _write_ends(statement: str, ends: Sequence[ClosedCall], **more: bool) -> Steps[set[str]]:
    if not ends:
        return set()
    return {row[0] for row in (yield Call(statement, {"rows": codec.rows([_closed(end) for end in ends]), **more}))}


def _withdraw(withdrawn: Sequence[Withdrawn], locked: Locked) -> Steps[None]:
    if not withdrawn:
        return
    reserved = {one.call.id: one.reserved for one in withdrawn}
    for row in (yield Call("withdraw_calls", {"ids": codec.ids(list(reserved))})):
        for key, tokens in reserved[row[0]].items():
            _free([key], locked)
            locked.house.buckets[key].unspend(tokens)


def _settle(end: End, locked: Locked) -> None:
    used = end.closed
    if used.input_tokens is None or used.output_tokens is None:
        return  # the estimate stays spent
    for key, estimate in end.reserved.items():
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
        for key in locked.knows({end.call.key, *end.reserved}):
            bucket = locked.house.buckets[key]
            if end.told.rates != Rates():
                bucket.told = end.told.rates
                locked.house.changed.add(key)
            if key == end.call.key and end.told.pause_until > bucket.held_until:
                bucket.held_until = end.told.pause_until
                locked.house.changed.add(key)


def _opened(call: OpenCall, reserved: Reserved, now: int) -> dict[str, object]:
    row: dict[str, object] = {"id": call.id, "provider": call.provider, "model": call.model, "tried": call.tried}
    row |= {"at": now, "input": call.input_estimate, "output": call.output_estimate}
    row |= {"account": call.account, "limits": [key.model for key in reserved] or None}
    scope = call.scope
    if scope is not None:
        row |= {"job": scope.job_id, "claim": scope.claim_id, "attempt": scope.attempt, "kind": scope.kind}
        row |= {"step": scope.step, "flow": scope.flow_id, "tenant": scope.tenant}
    return row


def _closed(call: ClosedCall) -> dict[str, object]:
    return {
        "id": call.id, "at": call.closed_at, "outcome": call.outcome, "input": call.input_tokens,
        "output": call.output_tokens, "cached": call.cached_tokens, "cost": call.cost,
    }  # fmt: skip
