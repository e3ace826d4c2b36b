"""How one queue is worked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from penstock.domain.job import seconds_of
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
        checks: Mapping[str, tuple[Any, int, int]] = {
            "concurrency": (self.concurrency, 1, 100_000),
            "total_concurrency": (self.total_concurrency, 1, 1_000_000),
            "weight": (self.weight, 1, 100),
            "max_length": (self.max_length, 1, 10**12),
        }
        for name, (value, low, high) in checks.items():
            if value is not None and not (isinstance(value, int) and low <= value <= high):
                raise ConfigurationError(f"Queue.{name} must be an integer from {low} to {high}, not {value!r}")
        if self.unknown_kinds not in ("wait", "fail"):
            raise ConfigurationError(f"Queue.unknown_kinds must be 'wait' or 'fail', not {self.unknown_kinds!r}")
        seconds_of("Queue.timeout", self.timeout)
        seconds_of("Queue.aging", self.aging)

    @property
    def gated(self) -> bool:
        """Whether claims must count what all workers do (a rate or a total)."""
        return self.rate is not None or self.total_concurrency is not None

    @property
    def aging_step(self) -> int | None:
        """µs of waiting worth one level; None is strict."""
        return None if self.aging is None else int(self.aging * 1_000_000)
