"""Retry policies: how long to wait after attempt n failed. Delays are seconds."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.errors import ConfigurationError

LONGEST_S = 36_500 * 86_400
"""A century: longer delays are mistakes, and would not fit the columns."""


@dataclass(frozen=True, slots=True)
class Exponential:
    """`base * factor**(attempt-1)` seconds, at most `cap`, spread by ± `jitter` (a share of the delay, 0 to 1)."""

    base: float = 1.0
    factor: float = 2.0
    cap: float = 3600.0
    jitter: float = 0.25

    def __post_init__(self) -> None:
        finite = all(map(math.isfinite, (self.base, self.factor, self.cap)))
        if not finite or self.base < 0 or self.factor < 1 or self.cap < 0 or not 0 <= self.jitter <= 1:
            raise ConfigurationError("Exponential needs base >= 0, factor >= 1, cap >= 0 and jitter from 0 to 1")

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait after failed attempt `attempt` (from 1)."""
        try:
            plain = min(self.cap, self.base * self.factor ** (attempt - 1))
        except OverflowError:
            # A float ends at about 1e308, which a job with many attempts reaches long after any cap.
            plain = self.cap if self.base else 0.0
        return plain * (1 + rng.uniform(-self.jitter, self.jitter))


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same delay in seconds after every attempt, spread by ± `jitter` (a share, 0 to 1)."""

    seconds: float
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < math.inf or not 0 <= self.jitter <= 1:
            raise ConfigurationError("Fixed needs seconds >= 0 and jitter from 0 to 1")

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait after failed attempt `attempt`."""
        return self.seconds * (1 + rng.uniform(-self.jitter, self.jitter))


@dataclass(frozen=True, slots=True)
class Delays:
    """One delay in seconds per failed attempt; the last one repeats."""

    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.seconds or not all(0 <= s < math.inf for s in self.seconds):
            raise ConfigurationError("Delays needs at least one delay, none negative")

    def delay(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait after failed attempt `attempt`."""
        return self.seconds[min(attempt, len(self.seconds)) - 1]


@dataclass(frozen=True, slots=True)
class Named:
    """The kind's own function of that name: `fn(attempt, error_class) -> seconds`, given as `retries={"name": fn}`."""

    name: str


RetryPolicy = Exponential | Fixed | Delays | Named
OwnDelay = Callable[[int, str], float]
DEFAULT_RETRY = Exponential()


def checked_policy(policy: object) -> RetryPolicy:
    """A retry policy as it is. Raises ConfigurationError for anything else."""
    if not isinstance(policy, RetryPolicy):
        raise ConfigurationError(f"retry must be one of Exponential, Fixed, Delays and Named, not {policy!r}")
    return policy


def dump_policy(policy: RetryPolicy) -> dict[str, Any]:
    """The policy as stored in the job's options."""
    match policy:
        case Exponential():
            return {"x": [policy.base, policy.factor, policy.cap, policy.jitter]}
        case Fixed():
            return {"f": [policy.seconds, policy.jitter]}
        case Delays():
            return {"d": list(policy.seconds)}
        case Named():
            return {"n": policy.name}


def load_policy(stored: Mapping[str, Any] | None) -> RetryPolicy:
    """The policy of a job's stored options; the default where it has none."""
    match stored:
        case None:
            return DEFAULT_RETRY
        case {"x": [base, factor, cap, jitter]}:
            return Exponential(base, factor, cap, jitter)
        case {"f": [seconds, jitter]}:
            return Fixed(seconds, jitter)
        case {"d": [*seconds]}:
            return Delays(tuple(seconds))
        case {"n": str(name)}:
            return Named(name)
    raise ConfigurationError(f"stored retry policy {stored!r} is unknown to this version")


def next_delay(
    policy: RetryPolicy, attempt: int, error_class: str, rng: random.Random, own: Mapping[str, OwnDelay] | None = None
) -> float:
    """Seconds to wait after counted attempt `attempt` failed, 0 to a century. `own` holds the kind's named functions.

    A named policy this process does not know falls back to the default, so that a leader that lacks the kind can
    still reschedule its lost jobs.
    """
    if isinstance(policy, Named):
        function = (own or {}).get(policy.name)
        return bounded(function(attempt, error_class)) if function else DEFAULT_RETRY.delay(attempt, rng)
    return bounded(policy.delay(attempt, rng))


def bounded(seconds: float) -> float:
    """A delay that a column can hold: 0 to a century; 0 for what is no number."""
    return 0.0 if math.isnan(seconds) else max(0.0, min(LONGEST_S, seconds))
