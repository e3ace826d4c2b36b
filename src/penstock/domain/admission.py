"""Who may call now, of those that ask at one moment, and when the others may. Pure: all state is handed in."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from penstock.domain.limits import POLL, Bucket, LimitKey, Tokens
from penstock.domain.shares import TURN, Shares

SOONEST = 2_000
"""Who is held asks again after this at the soonest (µs)."""
LOOK_AGAIN = 250_000
"""Who waits asks again after this at the latest (µs): calls elsewhere may have used less than was thought."""


class Asking(NamedTuple):
    """A call that asks to be let through. `sent`: tokens of its input; `most_answered`: of its output, where bounded.

    leaves: it does not wait in place, but comes back at the time it is told.
    """

    tenant: str
    keys: Sequence[LimitKey]
    sent: int
    most_answered: int | None = None
    leaves: bool = False


class Passed(NamedTuple):
    """It may go; so many tokens are reserved at each of its limits."""

    reserved: Mapping[LimitKey, Tokens]


class Held(NamedTuple):
    """It may not go: when to ask again, when it is expected to go (µs), and which limit or budget (`what`) keeps it."""

    again_at: int
    expected_at: int
    by: str
    what: str = "limit"


Verdict = Passed | Held


@dataclass(slots=True)
class Gatehouse:
    """The limits of the moment and their shares. `changed`: limits whose state has to be written."""

    buckets: dict[LimitKey, Bucket]
    shares: dict[LimitKey, Shares]
    changed: set[LimitKey] = field(default_factory=set)
    plans: dict[LimitKey, Bucket] = field(default_factory=dict)

    def admit(self, asks: Sequence[Asking], now: int) -> list[Verdict]:
        """A verdict for each, in their order: as many go as may, tenant by tenant where they have to wait."""
        verdicts: dict[int, Verdict] = {}
        lines: dict[str, deque[int]] = {}
        for number, ask in enumerate(asks):
            lines.setdefault(ask.tenant, deque()).append(number)
        while lines:
            tenant = min(lines, key=lambda name: self._place(asks[lines[name][0]], lines[name][0]))
            line = lines[tenant]
            number = line.popleft()
            if not line:
                del lines[tenant]
            verdicts[number] = self._verdict(asks[number], now, lines)
        return [verdicts[number] for number in range(len(asks))]

    def _place(self, ask: Asking, number: int) -> tuple[int, int]:
        return max((self._shares(key).tag(ask.tenant) for key in ask.keys), default=0), number

    def _verdict(self, ask: Asking, now: int, others: Collection[str]) -> Verdict:
        buckets = [self.buckets[key] for key in ask.keys]
        reserved = {bucket.key: bucket.estimate(ask.sent, ask.most_answered) for bucket in buckets}
        if any(key in self.plans or not self._is_open(key, reserved[key], now) for key in ask.keys):
            return self._hold(ask, reserved, now)
        for bucket in buckets:
            shares = self._shares(bucket.key)
            if shares.contested_until > now and not shares.is_turn(ask.tenant, now, besides=others):
                return self._keep(ask, reserved, Held(now + TURN, now + TURN, bucket.described()), now)
        for bucket in buckets:
            self._take(bucket, ask.tenant, reserved[bucket.key], now)
        return Passed(reserved)

    def _is_open(self, key: LimitKey, tokens: Tokens, now: int) -> bool:
        return self.buckets[key].opens_at(tokens, now) <= now

    def _take(self, bucket: Bucket, tenant: str, tokens: Tokens, now: int) -> None:
        bucket.take(tokens, now)
        shares = self._shares(bucket.key)
        if shares.contested_until > now:
            shares.went(tenant, sum(tokens))
        self.changed.add(bucket.key)

    def _hold(self, ask: Asking, reserved: Mapping[LimitKey, Tokens], now: int) -> Held:
        """It waits, and with it all that ask after it there; each is expected after those before it."""
        plans = [self.plans.setdefault(key, copy(self.buckets[key])) for key in ask.keys]
        last = max(plans, key=lambda plan: plan.opens_at(reserved[plan.key], now))
        expected = max(now + SOONEST, last.opens_at(reserved[last.key], now))
        for plan in plans:
            plan.take(reserved[plan.key], expected)
        return self._keep(ask, reserved, Held(min(expected, now + LOOK_AGAIN), expected, last.described()), now)

    def _keep(self, ask: Asking, reserved: Mapping[LimitKey, Tokens], held: Held, now: int) -> Held:
        """Note that it waits, or give it a time of its own if it does not stay."""
        expected = held.expected_at
        for key in ask.keys:
            self.changed.add(key)
            if ask.leaves:
                pace = self.buckets[key].pace(reserved[key]) or POLL
                expected = max(expected, self._shares(key).books(ask.tenant, held.expected_at, pace, now))
            else:
                self._shares(key).waits(ask.tenant, held.again_at)
        return held._replace(expected_at=expected)

    def _shares(self, key: LimitKey) -> Shares:
        return self.shares.setdefault(key, Shares())
