"""What was measured. A figure that is not here was not measured; a part that did not run says why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from penstock.errors import PenstockError


class BenchError(PenstockError):
    """The engine did something wrong while it was measured (a job ran twice, or never); there are no numbers then."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured: jobs of a drain, jobs enqueued one by one, single jobs for the latency, jobs of a flow."""

    jobs: int = 20_000
    singles: int = 2_000
    pings: int = 300
    flow: int = 10_000
    repeats: int = 3


QUICK = Sizes(jobs=2_000, singles=300, pings=40, flow=1_000)

BULK = 1_000
"""Jobs a call of the bulk enqueue, of the engine and of the floor."""
BATCH = 200
"""Jobs a claim and a completion of the floor; the engine's batches are bounded by its default `prefetch`, also 200."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and greatest of the repeats."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Of one value a repeat."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing. `unit` is jobs/s or ms; `beside` says what `other` is."""

    name: str
    unit: str
    engine: Spread
    beside: str
    other: Spread

    @property
    def ratio(self) -> float:
        """The engine's median in terms of the other."""
        return self.engine.median / self.other.median


@dataclass(frozen=True, slots=True)
class StoreReport:
    """One store: its version and where it ran, its figures; or why it was not run."""

    store: str
    place: str
    figures: tuple[Figure, ...] = ()
    not_run: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything of one run."""

    python: str
    processors: int
    loop: str
    sizes: Sizes
    stores: tuple[StoreReport, ...] = field(default_factory=tuple)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered), -int(-share * len(ordered) // 1)) - 1)]
