"""The state of providers' limits: read under a lock, changed by pure rules, written back."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from penstock import codec
from penstock.domain.admission import Gatehouse
from penstock.domain.limits import Bucket, LimitKey, Rates
from penstock.domain.shares import Share, Shares
from penstock.store.program import Call, Row, Steps, program

_MOST_KINDS = 50
"""Of so many kinds a limit remembers that they had to wait at it, for people who ask why a job waits."""


class LimitRow(NamedTuple):
    """A limit as stored. Times µs, rates a minute."""

    provider: str
    model: str
    account: str
    requests_at: int
    input_at: int
    output_at: int
    running: int
    held_until: int
    output_mean: int | None
    told_requests: int | None
    told_input: int | None
    told_output: int | None
    clock: int
    contested_until: int
    kinds: str
    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    concurrent: int | None

    @property
    def key(self) -> LimitKey:
        """Which limit it is."""
        return LimitKey(self.provider, self.model, self.account)

    @property
    def waiting_kinds(self) -> list[str]:
        """Kinds whose calls had to wait here."""
        kinds: list[str] = codec.loads(self.kinds)
        return kinds

    def bucket(self, rates: Rates | None = None) -> Bucket:
        """Its state; `rates` instead of the stored ones."""
        if rates is None:
            rates = Rates(
                requests=self.requests, input_tokens=self.input_tokens, output_tokens=self.output_tokens,
                concurrent=self.concurrent,
            )  # fmt: skip
        told = Rates(requests=self.told_requests, input_tokens=self.told_input, output_tokens=self.told_output)
        return Bucket(
            self.key, rates, self.requests_at, self.input_at, self.output_at, self.running, self.held_until,
            self.output_mean, told,
        )  # fmt: skip


class Locked(NamedTuple):
    """Limits held by this transaction until it ends. `kinds`: those that had to wait, by limit."""

    house: Gatehouse
    rows: Mapping[LimitKey, LimitRow]

    def knows(self, keys: Iterable[LimitKey]) -> list[LimitKey]:
        """Those of the keys that have a state."""
        return [key for key in keys if key in self.house.buckets]


def lock_limits(needed: Mapping[LimitKey, Rates | None], others: Iterable[LimitKey], now: int) -> Steps[Locked]:
    """Take the turn at these limits, in key order. `needed` are made if they are not there, `others` are not.

    Their rates are those given; None: as another process has declared them.
    """
    keys = sorted({*needed, *others})
    if not keys:
        return Locked(Gatehouse({}, {}), {})
    rows = yield from _locked(keys)
    missing = sorted(needed.keys() - rows.keys())
    if missing:
        yield Call("make_limits", {"keys": _named(missing)})
        # Again, in a statement of its own: what somebody else made meanwhile is seen and locked only now.
        rows = yield from _locked(keys)
    buckets = {key: row.bucket(needed.get(key)) for key, row in rows.items()}
    contested = [key for key, row in rows.items() if row.contested_until > now]
    shares = {key: Shares(rows[key].clock, rows[key].contested_until) for key in contested}
    if contested:
        for provider, model, account, tenant, *had in (yield Call("shares_of", {"keys": _named(contested)})):
            shares[LimitKey(provider, model, account)].of[tenant] = Share(*had)
    return Locked(Gatehouse(buckets, shares), rows)


def write_limits(locked: Locked, waiting: Mapping[LimitKey, set[str]], now: int) -> Steps[None]:
    """Write what has changed. `waiting`: kinds whose calls had to wait, by limit."""
    house = locked.house
    changed = sorted(house.changed)
    if not changed:
        return
    rows = [_row(locked, key, waiting.get(key, set())) for key in changed]
    yield Call("write_limits", {"rows": codec.rows(rows)})
    fresh = [key for key in changed if key in house.shares and locked.rows[key].contested_until <= now]
    fresh = [key for key in fresh if house.shares[key].of]
    if fresh:  # what was had before the last wait does not count in this one
        yield Call("clear_shares", {"keys": _named(fresh)})
    shares = {key: house.shares[key] for key in changed if key in house.shares}
    idle = {key: set(one.idle(now)) for key, one in shares.items()}
    if dropped := [key._asdict() | {"tenant": tenant} for key, tenants in idle.items() for tenant in tenants]:
        yield Call("drop_shares", {"rows": codec.rows(dropped)})
    kept = [
        key._asdict()
        | {"tenant": tenant, "finish": s.finish, "wants_until": s.wants_until, "booked_until": s.booked_until}
        for key, one in shares.items()
        for tenant, s in one.of.items()
        if tenant not in idle[key]
    ]
    if kept:
        yield Call("write_shares", {"rows": codec.rows(kept)})


@program
def list_limits() -> Steps[list[LimitRow]]:
    """All limits that calls have passed or waited at."""
    return [LimitRow(*row) for row in (yield Call("list_limits", only=True))]


def _locked(keys: Iterable[LimitKey]) -> Steps[dict[LimitKey, LimitRow]]:
    found: list[Row] = yield Call("lock_limits", {"keys": _named(keys)})
    rows = [LimitRow(*row) for row in found]
    return {row.key: row for row in rows}


def _named(keys: Iterable[LimitKey]) -> codec.JsonText:
    return codec.rows([key._asdict() for key in keys])


def _row(locked: Locked, key: LimitKey, waiting: set[str]) -> dict[str, Any]:
    bucket, shares, before = locked.house.buckets[key], locked.house.shares.get(key), locked.rows[key]
    kinds = before.waiting_kinds
    kinds = kinds if waiting <= set(kinds) else sorted(waiting | set(kinds))[-_MOST_KINDS:]
    rates = bucket.rates
    return key._asdict() | {
        "requests_at": bucket.requests_at, "input_at": bucket.input_at, "output_at": bucket.output_at,
        "running": bucket.running, "held_until": bucket.held_until, "output_mean": bucket.output_mean,
        "told_requests": bucket.told.requests, "told_input": bucket.told.input_tokens,
        "told_output": bucket.told.output_tokens,
        "clock": before.clock if shares is None else shares.clock,
        "contested_until": before.contested_until if shares is None else shares.contested_until,
        "kinds": kinds,
        "requests": rates.requests, "input_tokens": rates.input_tokens, "output_tokens": rates.output_tokens,
        "concurrent": rates.concurrent,
    }  # fmt: skip
