"""How one queue is worked."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from penstock.domain.job import is_count, seconds_of
from penstock.domain.order import STRICT_STEP
from penstock.domain.rates import Rate
from penstock.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long and how many ended jobs of a queue are kept; None means without that bound.

    Separate for completed, failed and cancelled: age as timedelta, count as rows, size as bytes of their data.
    """

    completed: timedelta | None = timedelta(days=7)
    failed: timedelta | None = None
    cancelled: timedelta | None = timedelta(days=30)
    max_completed: int | None = None
    max_failed: int | None = None
    max_cancelled: int | None = None
    max_bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("completed", "failed", "cancelled"):
            age = getattr(self, name)
            if age is not None and not (isinstance(age, timedelta) and age >= timedelta(0)):
                raise ConfigurationError(f"Retention.{name} must be a timedelta that is not negative, not {age!r}")
        for name in ("max_completed", "max_failed", "max_cancelled", "max_bytes"):
            most = getattr(self, name)
            if most is not None and not (most == 0 or is_count(most, 10**15)):
                raise ConfigurationError(f"Retention.{name} must be an integer from 0 to {10**15}, not {most!r}")


_MAY_BE_NONE = ("total_concurrency", "max_length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The settings of one queue.

    concurrency: jobs running at once per worker process; total_concurrency: across all workers; timeout: seconds or
    timedelta, for kinds without their own; rate: starts per period across all workers; weight: share of claims against
    other queues (1 to 100); aging: seconds of waiting worth one priority level (None: strict); max_length: ready jobs
    beyond which enqueue is refused; unknown_kinds: `"wait"` for a worker that knows the kind, or `"fail"`.
    """

    concurrency: int = 10
    total_concurrency: int | None = None
    timeout: timedelta | float | None = None
    rate: Rate | None = None
    weight: int = 1
    aging: float | None = None
    max_length: int | None = None
    unknown_kinds: Literal["wait", "fail"] = "wait"
    retention: Retention = field(default_factory=Retention)

    def __post_init__(self) -> None:
        most = {"concurrency": 100_000, "total_concurrency": 1_000_000, "weight": 100, "max_length": 10**12}
        for name, high in most.items():
            value = getattr(self, name)
            if not is_count(value, high) and not (value is None and name in _MAY_BE_NONE):
                raise ConfigurationError(f"Queue.{name} must be an integer from 1 to {high}, not {value!r}")
        if self.unknown_kinds not in ("wait", "fail"):
            raise ConfigurationError(f"Queue.unknown_kinds must be 'wait' or 'fail', not {self.unknown_kinds!r}")
        seconds_of("Queue.timeout", self.timeout)
        seconds_of("Queue.aging", self.aging)
        if self.aging is not None and not 1 <= self.aging * 1_000_000 <= STRICT_STEP:
            raise ConfigurationError(f"Queue.aging must be from a microsecond to 63 years, not {self.aging!r} seconds")

    @property
    def gated(self) -> bool:
        """Whether claims must count what all workers do (a rate or a total)."""
        return self.rate is not None or self.total_concurrency is not None

    @property
    def aging_step(self) -> int | None:
        """µs of waiting worth one level; None is strict."""
        return None if self.aging is None else int(self.aging * 1_000_000)
