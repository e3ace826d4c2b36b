"""Write `docs/acceptance.md`: the points that each system has to meet, and the tests that hold them.

Usage: `python tools/acceptance.py` writes the page; with `--check` it writes nothing and exits 1 if the page is stale.
A test holds the point after which it is named: `test_sn_14_…` point 14 of study notes.
"""

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "acceptance.md"
COMMAND = "python tools/acceptance.py"
Function = ast.FunctionDef | ast.AsyncFunctionDef
NO_TEST = "**no test yet**"
BOTH_STORES = ("sqlite", "postgresql")
"""The parameters of a fixture that runs its tests on SQLite and on PostgreSQL."""


@dataclass(frozen=True, slots=True)
class System:
    """A system's points by number; `mark` stands in the names of their tests, which are below `tests/<folder>`."""

    title: str
    folder: str
    mark: str
    points: Mapping[int, str]


STUDY_NOTES = System(
    "Study notes",
    "study_notes",
    "sn",
    {
        1: "A text becomes one note with quiz, cards and three to five tags, its stages in order.",
        2: "No pictures, or only ones without description: assembled at once, fallback blocks in their places.",
        3: "Fifty pictures, ten workers, a thousand schedules: one assembly, after the last picture.",
        4: "Pictures that finish before the placeholder job returns: still one assembly.",
        5: "A job that runs twice leaves the same rows.",
        6: "Killed around the commit of the fan-out: complete after a restart, nothing doubled.",
        7: "A careless answer of the model still gives a whole note.",
        8: "The fallback answers and is recorded; when all fail, FAILED with stage and reason after the third attempt.",
        9: "A used-up quota leads to the other image provider; blocked hosts are not used; pictures name a source.",
        10: "Both image providers down: the note is complete, with reasons in the places of pictures.",
        11: "Bad quiz items and cards are dropped and listed; too few are asked for again.",
        12: "A text of 300 pages: every chunk in order within the limit, and none asked about twice after a kill.",
        13: "No captions: failed after one attempt; each type of source has its own extraction.",
        14: "OCR for scanned pages only; encrypted is for good; only the failing chunk goes to the second transcriber.",
        15: "Another's source is not found; the percent never falls; three of six pictures are 65.",
        16: "Cancelled during pictures: no note. Deleted: neither rows nor files.",
        17: "The language is in every prompt and with the note.",
        18: "A retry goes on at the failed stage; what is complete or running cannot be retried.",
        19: "Unhealthy when jobs wait a minute without a worker; another build is a warning.",
        20: "Nothing temporary is left of an audio job, however it ends.",
        21: "Live events in order up to the end; a reconnect misses nothing.",
        22: "Never more jobs at once than set; the gaps between attempts; unknown kinds fail; each end is logged.",
        23: "Metrics: queue length, failure rate, workers.",
        24: "Killed on every attempt: the source fails with its stage, a picture fails alone.",
        25: "A provider's Retry-After is kept, and so is a limit of calls a minute.",
    },
)
LEARNING_PLANS = System(
    "Learning plans",
    "learning_plans",
    "lp",
    {
        1: "Two workers and a hundred jobs: each runs once, by priority, then age; what is due later stays.",
        2: "Killed in a job: it runs again after the lease; the first holder's finish changes nothing.",
        3: "Retryable failures wait longer each time and then fail, with their history; a permanent one fails at once.",
        4: "Finishing twice answers the same row; an unknown job is None.",
        5: "The first module by 25.0 s extends the deadline to 45 s, once; later it does not.",
        6: "A late answer of a provider that is deaf to cancellation is discarded.",
        7: "Each row of the failure table: its class, its retry, its end; a foreign plan fails after one attempt.",
        8: "The fourth run of five is capped, calls no model and ends the job.",
        9: "A regeneration changes only what is given; wrong fields are named; others' plans are not found.",
        10: "A second regeneration is refused with the open one's id, and counts nothing.",
        11: "The eleventh plan within the hour is refused with the time to wait.",
        12: "Minutes are clamped and flagged; fenced JSON is read; empty or incomplete answers have their class.",
        13: "Progress and id stay with a task whose title differs by case and punctuation only.",
        14: "Plan length by tier; a past deadline is a week; without a deadline all tasks stay.",
        15: "The best resources: cut-off, early stop, diversity, no dead links; curating twice adds nothing.",
        16: "A budget used up in the middle skips the rest, and another curation takes up only that.",
        17: "Stopped in the middle of curation, finished tasks are not searched again.",
        18: "A completion is written whole or not at all; a dead Stripe is told later, once.",
        19: "SIGTERM gives long jobs back without an attempt and exit code 1; idle it is 0 at once.",
        20: "Health with both reasons, statistics that equal a recount, retention of what has ended.",
        21: "Priority by tier and topic.",
        22: "The layers hold, and the services keep to their length.",
        23: "Never more than three at once; the figures are the facts; unknown kinds fail; each end is logged.",
        24: "A new job type is a type, a handler and a line.",
        25: "Killed on every attempt: plan and job failed, the reservation refunded.",
    },
)
SYSTEMS = (STUDY_NOTES, LEARNING_PLANS)

INTRODUCTION = f"""# Acceptance

Each system has points that it has to meet, and each point has tests named after its number. This page is written by
`{COMMAND}` from the tests themselves. ⛁ marks tests that run on SQLite and on PostgreSQL.
"""


@dataclass(frozen=True, slots=True)
class Test:
    """A test of a point."""

    name: str
    path: Path
    on_both_stores: bool


def tests_of(system: System) -> dict[int, list[Test]]:
    """The tests of each point that has some, by file. Raises ValueError for a number without a point."""
    found: defaultdict[int, list[Test]] = defaultdict(list)
    for path in sorted((ROOT / "tests" / system.folder).rglob("test_*.py")):
        fixtures = fixtures_at(path)
        for function in _functions(path):
            number = _number(function.name, system.mark)
            if number is None:
                continue
            if number not in system.points:
                raise ValueError(f"{path.relative_to(ROOT)}: {function.name}: {system.title} has no point {number}")
            found[number].append(Test(function.name, path.relative_to(ROOT), _is_on_both(function, fixtures)))
    return found


def missing(system: System) -> list[int]:
    """The points without a test."""
    tests = tests_of(system)
    return [number for number in system.points if number not in tests]


def page() -> str:
    """Return the whole page as Markdown, ending in a newline."""
    return "\n".join([INTRODUCTION, *(line for system in SYSTEMS for line in _table(system))])


def _table(system: System) -> list[str]:
    tests = tests_of(system)
    rows = [
        f"| {number} | {text} | {'<br>'.join(map(_link, tests.get(number, []))) or NO_TEST} |"
        for number, text in system.points.items()
    ]
    return [f"## {system.title}", "", "| point | what holds | tests |", "| --- | --- | --- |", *rows, ""]


def _link(test: Test) -> str:
    return f"[{test.name}](../{test.path.as_posix()}){' ⛁' if test.on_both_stores else ''}"


@cache
def fixtures_at(path: Path) -> Mapping[str, Function]:
    """The fixtures that tests in a file can ask for by name: its own, and those of the conftests above it."""
    folders = [folder for folder in reversed(path.parents) if folder.is_relative_to(ROOT / "tests")]
    files = [folder / "conftest.py" for folder in folders if (folder / "conftest.py").exists()]
    return {
        function.name: function
        for file in (*files, path)
        for function in _functions(file)
        if any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)
    }


def _is_on_both(function: Function, fixtures: Mapping[str, Function]) -> bool:
    """Whether the function, or a fixture that it stands on, has both stores as parameters."""
    if any(_parameters(decorator) == BOTH_STORES for decorator in function.decorator_list):
        return True
    asked = [argument.arg for argument in function.args.args if argument.arg != function.name]
    return any(_is_on_both(fixtures[name], fixtures) for name in asked if name in fixtures)


def _parameters(decorator: ast.expr) -> tuple[object, ...]:
    for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
        if keyword.arg == "params" and isinstance(keyword.value, ast.List):
            return tuple(item.value for item in keyword.value.elts if isinstance(item, ast.Constant))
    return ()


def _functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _number(name: str, mark: str) -> int | None:
    begin, _, rest = name.partition(f"test_{mark}_")
    digits = rest.partition("_")[0]
    return int(digits) if not begin and digits.isdigit() else None


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit code: 1 if the page was to be checked and is stale."""
    parser = argparse.ArgumentParser(description="Write docs/acceptance.md from the names of the tests.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the page is stale")
    if not parser.parse_args(arguments).check:
        PAGE.write_text(page(), "utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text("utf-8") == page():
        return 0
    print(f"{PAGE} is stale; run {COMMAND}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
