"""What was measured. A figure that is not here was not measured; a part that did not run says why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from penstock.errors import PenstockError


class BenchError(PenstockError):
    """The engine did something wrong while it was measured (a job ran twice, or never); there are no numbers then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is measured.

    jobs: of a drain and of a bulk enqueue; singles: enqueued one by one; shared: enqueued by 50 tasks together; pings:
    single jobs for a latency; chain, fan_in: jobs of flows; sleepers: jobs that each sleep `sleep_s`; backlog: rows
    that lie in the table; idle_s: how long an idle worker is watched; sustained_s: how long a snapshot is held, at
    `rate` jobs a second; repeats: measurements of which the median is taken.
    """

    jobs: int = 50_000
    singles: int = 2_000
    shared: int = 10_000
    pings: int = 500
    chain: int = 1_000
    fan_in: tuple[int, ...] = (10_000, 50_000)
    sleepers: int = 10_000
    sleep_s: float = 1.0
    backlog: int = 1_000_000
    idle_s: float = 20.0
    sustained_s: float = 120.0
    rate: int = 1_000
    repeats: int = 3


QUICK = Sizes(
    jobs=2_000, singles=100, shared=500, pings=25, chain=50, fan_in=(500,), sleepers=500, sleep_s=0.2, backlog=10_000,
    idle_s=1.0, sustained_s=2.0, rate=300, repeats=1,
)  # fmt: skip


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
class Bar:
    """What a figure must reach: its ratio to what stands beside it, or (`of_ratio` false) its median."""

    least: float | None = None
    most: float | None = None
    of_ratio: bool = False

    def is_met(self, value: float) -> bool:
        """Whether the value is within the bar."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        sign, bound = ("≥", self.least) if self.least is not None else ("≤", self.most)
        return f"{sign} {bound:g}{' x' if self.of_ratio else ''}"


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the time of a drain goes, each per job; None where the machine or the server does not tell.

    own_cpu_us: CPU of the worker processes; server_cpu_us: of the database's server processes; log_bytes: written to
    PostgreSQL's log, or by SQLite to its log and file; commits: on PostgreSQL; cores: mean number of the machine's
    cores that were busy, whoever used them.
    """

    own_cpu_us: float
    server_cpu_us: float | None = None
    log_bytes: float | None = None
    commits: float | None = None
    cores: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing. `beside` says what `other` is; `bar` is what it must reach; `charted`: the chart shows it."""

    name: str
    unit: str
    engine: Spread
    beside: str = ""
    other: Spread | None = None
    bar: Bar | None = None
    profile: Profile | None = None
    charted: bool = False

    @property
    def ratio(self) -> float | None:
        """The engine's median in terms of the other."""
        return self.engine.median / self.other.median if self.other and self.other.median else None

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None without one."""
        if self.bar is None:
            return None
        value = self.ratio if self.bar.of_ratio else self.engine.median
        return value is not None and self.bar.is_met(value)


@dataclass(frozen=True, slots=True)
class StoreReport:
    """One store: its version and where it ran, its figures; or why it was not run."""

    store: str
    place: str
    figures: tuple[Figure, ...] = ()
    not_run: str | None = None

    def find(self, name: str) -> Figure | None:
        """The figure of this name."""
        return next((figure for figure in self.figures if figure.name == name), None)


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
