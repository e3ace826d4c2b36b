"""What was measured, as a table: ours first, then how many times ours each rival is within the same round."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.peers.targets import TARGETS, Target, our_side


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure of one target in one round (from 0). Smaller is better for all units but jobs/s."""

    round: int
    target: str
    name: str
    unit: str
    value: float


@dataclass(slots=True)
class Report:
    """Everything of one run: where it ran, its samples in order, and why something was not measured, by target."""

    places: list[str]
    sizes: dict[str, int]
    samples: list[Sample] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)

    def values(self, target: str, name: str) -> dict[int, float]:
        """One figure by round."""
        return {one.round: one.value for one in self.samples if (one.target, one.name) == (target, name)}

    def ratio(self, target: Target, name: str) -> float | None:
        """Ours divided by this target's, the median over the rounds that have both."""
        theirs = self.values(target.name, name)
        ours = self.values(our_side(target), name)
        ratios = [ours[number] / theirs[number] for number in ours.keys() & theirs.keys() if theirs[number]]
        return median(ratios) if ratios else None

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


def show(report: Report, console: Console) -> None:
    """Print it."""
    console.print("\n".join(report.places), highlight=False)
    measured = {one.target for one in report.samples}
    targets = [target for target in TARGETS if target.name in measured]
    names = list(dict.fromkeys((one.name, one.unit) for one in report.samples))
    for part in _parts(names):
        console.print(_table(report, targets, part))
    console.print("Before a drain PostgreSQL has taken statistics (ANALYZE).", highlight=False)
    for target in targets:
        most = f"; at most {target.most_jobs:,} jobs" if target.most_jobs else ""
        console.print(f"{target.name}: {target.note}{most}", highlight=False)
    for name, why in report.not_run.items():
        console.print(f"{name}: not run: {why}", highlight=False, markup=False)


def _parts(names: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """A table each for throughput and for what it costs: side by side they would be too wide for a terminal."""
    fast = [one for one in names if one[1] == "jobs/s"]
    return [part for part in (fast, [one for one in names if one not in fast]) if part]


def _table(report: Report, targets: Sequence[Target], names: Sequence[tuple[str, str]]) -> Table:
    table = Table(caption="median (least to greatest); x: ours on the same store, in the same round, divided by this")
    table.add_column("")
    for name, unit in names:
        table.add_column(f"{name}, {unit}", justify="right")
    for target in targets:
        cells = [_cell(report, target, name) for name, _ in names]
        if any(cells):
            table.add_row(target.name, *cells, end_section=target.is_ours)
    return table


def _cell(report: Report, target: Target, name: str) -> str:
    values = list(report.values(target.name, name).values())
    if not values:
        return ""
    text = f"{_figure(median(values))}\n({_figure(min(values))} to {_figure(max(values))})"
    ratio = None if target.is_ours else report.ratio(target, name)
    return text if ratio is None else f"{text}\nx {ratio:.2f}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
