"""Budgets: what calls may cost, for whom, and in which window of time. Pure; `now` is a parameter, times are µs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from penstock.domain.calls import CallScope
from penstock.domain.job import checked_name
from penstock.domain.money import billionths, shown
from penstock.domain.options import micros, moment_of
from penstock.errors import ConfigurationError

EACH = "*"
"""Stands for every tenant, kind or flow, each with a budget of its own."""
Unit = Literal["dollars", "tokens"]
Per = Literal["day", "month"]
OUTPUT_TOKENS = 8_192
"""What a call reserves for its answer when its request does not bound it. No table of models' own maxima is at hand."""
_MOST = 10**18
"""Fits a database's integer with room to add."""


@dataclass(frozen=True, slots=True, init=False)
class Budget:
    """What model calls may cost: dollars (US) or tokens (sent and answered), `per` day or month in `tz`, or in all.

    tenant, kind: whose calls count, by name, or "*" for each with an amount of its own; flow: "*" for each flow; None:
    no matter whose. A named tenant or kind with a budget of its own is not held to that of "*" besides. warn_at: the
    share that is told in the log when it is reached (None: none). Raises ConfigurationError naming the field.
    """

    rule: "Rule"
    """As the engine keeps it."""

    def __init__(
        self,
        name: str,
        *,
        dollars: Decimal | float | str | None = None,
        tokens: int | None = None,
        tenant: str | None = None,
        kind: str | None = None,
        flow: str | None = None,
        per: Per | None = None,
        tz: str = "UTC",
        warn_at: float | None = 0.8,
    ) -> None:
        unit, amount = _amount(checked_name("Budget name", name), dollars, tokens)
        for what, whose in (("tenant", tenant), ("kind", kind)):
            if whose is not None:
                checked_name(f"Budget {name!r}: {what}", whose)
        if flow not in (None, EACH):
            raise ConfigurationError(f"Budget {name!r}: flow must be '*' (each flow has its own) or None, not {flow!r}")
        if per not in (None, "day", "month"):
            raise ConfigurationError(f"Budget {name!r}: per must be 'day', 'month' or None (in all), not {per!r}")
        if warn_at is not None and not 0 < warn_at < 1:
            raise ConfigurationError(f"Budget {name!r}: warn_at must be a share between 0 and 1, not {warn_at!r}")
        _known_zone(name, tz)
        object.__setattr__(self, "rule", Rule(name, unit, amount, tenant, kind, flow, per, tz, warn_at))


def _amount(name: str, dollars: object, tokens: object) -> tuple[Unit, int]:
    if (dollars is None) == (tokens is None):
        raise ConfigurationError(f"Budget {name!r} needs either dollars= or tokens=")
    if dollars is not None:
        amount = billionths(dollars)
        if amount is None or not 0 <= amount <= _MOST:
            raise ConfigurationError(f"Budget {name!r}: dollars must be 0 to {_MOST // 10**9:,}, not {dollars!r}")
        return "dollars", amount
    if not isinstance(tokens, int) or isinstance(tokens, bool) or not 0 <= tokens <= _MOST:
        raise ConfigurationError(f"Budget {name!r}: tokens must be a whole number, 0 or more, not {tokens!r}")
    return "tokens", tokens


def _known_zone(name: str, tz: object) -> None:
    try:
        ZoneInfo(tz if isinstance(tz, str) else "")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            f"Budget {name!r}: tz {tz!r} is not a time zone of this system; as in 'Europe/Berlin'"
        ) from None


class WindowKey(NamedTuple):
    """One window of one budget for one of those it is for ('': no matter whose). `shape`: the rule but for its amount.

    Sorted, the order in which windows are locked.
    """

    budget: str
    shape: str
    tenant: str
    kind: str
    flow: str
    start: int

    @property
    def whose(self) -> str:
        """In words; empty when it is for all."""
        named = (("tenant", self.tenant), ("kind", self.kind), ("flow", self.flow))
        return ", ".join(f"{what} {value}" for what, value in named if value)


class Rule(NamedTuple):
    """A budget as it is kept. amount: billionths of a dollar, or tokens."""

    name: str
    unit: Unit
    amount: int
    tenant: str | None
    kind: str | None
    flow: str | None
    per: Per | None
    tz: str
    warn_at: float | None

    @property
    def shape(self) -> str:
        """What makes its windows its own: those of a rule of another unit, period or scope are others."""
        return json.dumps([self.unit, self.per, self.tz if self.per else "UTC", self.tenant, self.kind, self.flow])

    @classmethod
    def of(cls, name: str, shape: str, amount: int, warn_at: float | None) -> "Rule":
        """The rule of a stored window."""
        unit, per, tz, tenant, kind, flow = json.loads(shape)
        return cls(name, unit, amount, tenant, kind, flow, per, tz, warn_at)

    def window(self, now: int) -> tuple[int, int | None]:
        """Start and end of the window `now` is in; it starts at 0 and has no end when the budget has none."""
        return (0, None) if self.per is None else window_at(self.per, self.tz, now)

    def blank_key(self, start: int) -> WindowKey:
        """Of a window of nobody yet."""
        return WindowKey(self.name, self.shape, self.tenant or "", self.kind or "", self.flow or "", start)

    def key(self, scope: CallScope | None, now: int) -> WindowKey | None:
        """The window a call counts in; None when the budget is not for it."""
        whose: list[str] = []
        has = (None, None, None) if scope is None else (scope.tenant, scope.kind, scope.flow_id)
        for wanted, value in zip((self.tenant, self.kind, self.flow), has, strict=True):
            if wanted is not None and (value is None or wanted not in (EACH, value)):
                return None
            whose.append("" if wanted is None or value is None else value)
        tenant, kind, flow = whose
        return WindowKey(self.name, self.shape, tenant, kind, flow, self.window(now)[0])

    def yields_to(self, other: "Rule") -> bool:
        """Whether the other, for a named tenant or kind, takes the place of this one for "*"."""
        if (self.unit, self.per, self.flow) != (other.unit, other.per, other.flow) or self.name == other.name:
            return False
        pairs = ((self.tenant, other.tenant), (self.kind, other.kind))
        named = [mine == EACH and theirs not in (EACH, None) for mine, theirs in pairs]
        return any(named) and all(new or mine == theirs for new, (mine, theirs) in zip(named, pairs, strict=True))

    def shown(self, amount: int) -> str:
        """An amount of it, for people."""
        return shown(amount) if self.unit == "dollars" else f"{amount:,} tokens"


def rules_for(rules: Iterable[Rule], scope: CallScope | None, now: int) -> dict[WindowKey, Rule]:
    """The budgets that a call counts in, by window."""
    found = {key: rule for rule in rules if (key := rule.key(scope, now)) is not None}
    return {key: rule for key, rule in found.items() if not any(rule.yields_to(other) for other in found.values())}


@lru_cache(maxsize=1024)
def _window(per: Per, tz: str, day: date) -> tuple[int, int]:
    zone = ZoneInfo(tz)
    first = day if per == "day" else day.replace(day=1)
    last = first + timedelta(days=1 if per == "day" else 31)
    last = last if per == "day" else last.replace(day=1)
    # Local midnights: where daylight saving skips one, the instant of the change; where it doubles it, the first.
    begin, end = (datetime(one.year, one.month, one.day, tzinfo=zone) for one in (first, last))
    return micros("window", begin), micros("window", end)


def window_at(per: Per, tz: str, now: int) -> tuple[int, int]:
    """Start and end of the local day or month that `now` is in."""
    return _window(per, tz, moment_of(now).astimezone(ZoneInfo(tz)).date())


MAY_HAVE_COST = frozenset({"answered", "timeout", "cancelled", "unknown"})
"""Outcomes after which a call whose usage nobody told counts as its estimate. Providers bill no refused call."""


class Used(NamedTuple):
    """What a call came to. tokens, cost: None when nobody told, or no price is known."""

    outcome: str
    tokens: int | None
    cost: int | None

    def counts(self, unit: str, reserved: int) -> int:
        """What it takes of a budget, where it had reserved so much."""
        known = self.cost if unit == "dollars" else self.tokens
        if known is not None and self.outcome != "unknown":
            return known
        return reserved if self.outcome in MAY_HAVE_COST else 0


class Most(NamedTuple):
    """What a call may come to at most. cost: None when no price is known."""

    tokens: int
    cost: int | None


Reserved = Mapping[WindowKey, int]
"""What a call has reserved, by window."""
