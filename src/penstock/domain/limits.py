"""What a provider allows: limits by provider, model and key, and the state of one that all processes share.

A rate is kept as the moment up to which it is spent (the generic cell rate algorithm). What comes at once is a second's
worth at most, and a minute is taken to be 61 s long, so that no minute anywhere holds more than the rate: of requests
exactly, of tokens up to one call and to what estimates were wrong by. 98 % of a rate can be used.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import NamedTuple

from penstock.domain.job import is_count
from penstock.errors import ConfigurationError

SECOND = 1_000_000
MINUTE = 61 * SECOND
"""A minute and the second's worth that may come at once."""
POLL = SECOND // 10
"""A call that waits for another to end looks again after this (µs); in its own process it is told at once."""
OUTPUT_TOKENS = 1_000
"""The estimate of an answer while nothing is known of the answers of a limit."""
_LEARN = 0.1
_MOST = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Requests and tokens a minute, and calls at once; None: no limit."""

    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    concurrent: int | None = None

    def and_(self, other: "Rates") -> "Rates":
        """Both together."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(Rates))
        return Rates(**{name: min((n for n in (a, b) if n is not None), default=None) for name, a, b in pairs})

    def only_of(self, other: "Rates") -> "Rates":
        """Of this what `other` limits as well."""
        names = (f.name for f in fields(Rates) if getattr(other, f.name) is not None)
        return Rates(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True, slots=True)
class ModelLimit:
    """What a provider allows for one key, kept by all processes of a database together.

    provider: its name, as in `provider_from`; model: one model (None: all of the provider's together); requests,
    input_tokens, output_tokens: most a minute; concurrent: most calls at once. Each key (account) of a provider has its
    own. Raises ConfigurationError naming the field.
    """

    provider: str
    model: str | None = None
    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    concurrent: int | None = None

    def __post_init__(self) -> None:
        for name in ("provider", "model"):
            value = getattr(self, name)
            if (value is not None or name == "provider") and not (isinstance(value, str) and value):
                raise ConfigurationError(f"ModelLimit.{name} must be a name, not {value!r}")
        for f in fields(Rates):
            value = getattr(self, f.name)
            if value is not None and not is_count(value, _MOST):
                raise ConfigurationError(f"ModelLimit.{f.name} must be an integer from 1 to {_MOST}, not {value!r}")
        if self.rates == Rates():
            raise ConfigurationError(f"ModelLimit({self.provider!r}) limits nothing; give it {_NAMES}")

    @property
    def rates(self) -> Rates:
        """What it allows."""
        return Rates(**{f.name: getattr(self, f.name) for f in fields(Rates)})


_NAMES = " or ".join(f.name for f in fields(Rates))


class LimitKey(NamedTuple):
    """Names a limit's state. `model`: empty for all models together; `account`: which key, empty for none."""

    provider: str
    model: str
    account: str


@dataclass(slots=True)
class Bucket:
    """The state of one limit. Times µs.

    requests_at, input_at, output_at: up to when its rates are spent; running: calls on their way; held_until: the
    provider wants no call before; output_mean: tokens of the answers of late; told: what its headers allow.
    """

    key: LimitKey
    rates: Rates
    requests_at: int = 0
    input_at: int = 0
    output_at: int = 0
    running: int = 0
    held_until: int = 0
    output_mean: int | None = None
    told: Rates = Rates()

    @property
    def allowed(self) -> Rates:
        """What counts: the declared rates, or what the provider has told where that is less."""
        return self.rates.and_(self.told.only_of(self.rates))

    def opens_at(self, tokens: "Tokens", now: int) -> int:
        """When such a call may go, `now` at the soonest."""
        rates, when = self.allowed, max(now, self.held_until)
        if rates.concurrent is not None and self.running >= rates.concurrent:
            when = max(when, now + POLL)
        for at, rate, n in self._spent(rates, tokens):
            # A call that is worth more than a second goes when all before it is paid for.
            when = max(when, at - max(SECOND - _cost(rate, n), 0))
        return when

    def take(self, tokens: "Tokens", when: int) -> None:
        """Such a call goes at `when`."""
        rates = self.allowed
        self.running += 1
        if rates.requests is not None:
            self.requests_at = max(self.requests_at, when) + _cost(rates.requests, 1)
        if rates.input_tokens is not None:
            self.input_at = max(self.input_at, when) + _cost(rates.input_tokens, tokens.sent)
        if rates.output_tokens is not None:
            self.output_at = max(self.output_at, when) + _cost(rates.output_tokens, tokens.answered)

    def settle(self, estimate: "Tokens", used: "Tokens") -> None:
        """What a call really used takes the place of its estimate."""
        rates = self.allowed
        if rates.input_tokens is not None:
            self.input_at += _signed(rates.input_tokens, used.sent - estimate.sent)
        if rates.output_tokens is not None:
            self.output_at += _signed(rates.output_tokens, used.answered - estimate.answered)
        mean = used.answered if self.output_mean is None else self.output_mean
        self.output_mean = round(mean + _LEARN * (used.answered - mean))

    def unspend(self, tokens: "Tokens") -> None:
        """A call that was let through was not made."""
        rates = self.allowed
        if rates.requests is not None:
            self.requests_at -= _cost(rates.requests, 1)
        if rates.input_tokens is not None:
            self.input_at -= _cost(rates.input_tokens, tokens.sent)
        if rates.output_tokens is not None:
            self.output_at -= _cost(rates.output_tokens, tokens.answered)

    def estimate(self, sent: int, most_answered: int | None) -> "Tokens":
        """What a call is expected to use: `sent` as measured, the answer as those of late, `most_answered` at most."""
        mean = OUTPUT_TOKENS if self.output_mean is None else self.output_mean
        return Tokens(sent, mean if most_answered is None else min(mean, most_answered))

    def pace(self, tokens: "Tokens") -> int:
        """How long (µs) such calls lie apart when there is no end of them."""
        return max((_cost(rate, n) for _, rate, n in self._spent(self.allowed, tokens)), default=0)

    def described(self) -> str:
        """In words, for people: `google/gemini-2.5-flash: 60 requests a minute, 8 at once`."""
        rates = self.allowed
        words = [(rates.requests, "requests a minute"), (rates.input_tokens, "input tokens a minute")]
        words += [(rates.output_tokens, "output tokens a minute"), (rates.concurrent, "calls at once")]
        said = ", ".join(f"{n:,} {what}" for n, what in words if n is not None)
        name = f"{self.key.provider}/{self.key.model}" if self.key.model else self.key.provider
        return f"{name}: {said or 'the provider asked for a pause'}"

    def _spent(self, rates: Rates, tokens: "Tokens") -> list[tuple[int, int, int]]:
        kept = [
            (self.requests_at, rates.requests, 1),
            (self.input_at, rates.input_tokens, tokens.sent),
            (self.output_at, rates.output_tokens, tokens.answered),
        ]
        return [(at, rate, n) for at, rate, n in kept if rate is not None]


class Tokens(NamedTuple):
    """Tokens of one call: sent to the model, and answered by it."""

    sent: int
    answered: int


def keys_of(limits: Iterable[ModelLimit], provider: str, model: str, account: str) -> dict[LimitKey, Rates]:
    """The limits that a call has to pass, with their rates; of two for the same the smaller one counts."""
    found: dict[LimitKey, Rates] = {}
    for limit in limits:
        if limit.provider == provider and limit.model in (None, model):
            key = LimitKey(provider, limit.model or "", account)
            found[key] = found.get(key, Rates()).and_(limit.rates)
    return found


def _cost(rate: int, n: int) -> int:
    return MINUTE * n // rate


def _signed(rate: int, n: int) -> int:
    return _cost(rate, n) if n >= 0 else -_cost(rate, -n)
