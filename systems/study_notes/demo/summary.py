"""What the demo says at its end."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from systems.study_notes.demo.cost import Cost
from systems.study_notes.demo.results import Results
from systems.study_notes.domain.lifecycle import SourceStatus
from systems.study_notes.making.snapshot import Snapshot


def print_summary(
    console: Console, results: Results, snapshot: Snapshot, seconds: float, cost: Cost, work: Path
) -> None:
    """Where everything is, how much of it, what ran how long, what it cost, and by whom it was made.

    `seconds` is the whole run.
    """
    console.print()
    console.print(Text(results.title, "bold"))
    console.print(_amounts(results), highlight=False, markup=False)
    if snapshot.status is SourceStatus.COMPLETED_WITH_ERRORS:
        console.print(f"The note is complete, its study tools are not: {snapshot.error}", style="yellow", markup=False)
    console.print()
    for name, path in (
        ("page", results.html),
        ("Markdown", results.markdown),
        ("quiz", results.quiz),
        ("flashcards", results.flashcards),
        ("database", work / "study_notes.db"),
    ):
        console.print(f"  {name:<12}{path}", highlight=False, markup=False)
    console.print()
    console.print(_timings(snapshot, seconds))
    console.print()
    console.print(cost.line(), highlight=False, markup=False)
    console.print(
        "Made by the offline model: every sentence is the document's own; the pictures are drawn offline. "
        "No key, no network.",
        highlight=False,
    )


def _amounts(results: Results) -> str:
    missing = f" ({results.missing_pictures} missing)" if results.missing_pictures else ""
    return (
        f"{results.sections} sections, {results.pictures} pictures{missing}, {results.questions} quiz questions, "
        f"{results.cards} flashcards; tags: {', '.join(results.tags)}"
    )


def _timings(snapshot: Snapshot, seconds: float) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0))
    table.add_column("  stage")
    table.add_column("jobs", justify="right")
    table.add_column("seconds", justify="right")
    for kind in snapshot.kinds:
        table.add_row(f"  {kind.label}", str(kind.total), f"{kind.seconds:.2f}")
    table.add_row("  from start to end", str(sum(kind.total for kind in snapshot.kinds)), f"{seconds:.2f}")
    return table
