"""Write `docs/lifecycle.md`, the page about the life of a job, from the table of transitions.

Usage: `python tools/lifecycle.py` writes the page; with `--check` it writes nothing and exits 1 if the page is stale.
"""

import argparse
import sys
from pathlib import Path

from penstock.domain.states import FINAL, TRANSITIONS, JobState, Transition, status_of

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "lifecycle.md"
COMMAND = "python tools/lifecycle.py"

STATES = {
    JobState.BLOCKED: (
        "It comes after jobs or flows of which some have not ended.",
        "Whoever ends the last of them, in the same transaction.",
    ),
    JobState.SCHEDULED: (
        "Its time has not come (delay, retry, snooze), or its concurrency key is full.",
        "Any worker of the database when it is due; whoever ends a job that held the key.",
    ),
    JobState.READY: (
        "It may start; it stands in its queue's order.",
        "The worker that claims it.",
    ),
    JobState.RUNNING: (
        "A worker holds it under a claim, prefetched or in its handler.",
        "That worker, fenced by the claim; the leading worker, if that one is lost.",
    ),
    JobState.COMPLETED: (
        "Its handler returned, or completed it in its own transaction.",
        "A person who retries it, or a flow in which a job before it failed.",
    ),
    JobState.FAILED: (
        "It failed for good: permanently, without an attempt left, or past its deadline.",
        "A person who retries it, or its flow.",
    ),
    JobState.CANCELLED: (
        "Somebody cancelled it, or its condition can no longer be met.",
        "A person who retries it, its flow, or the job whose end cancelled it.",
    ),
}
"""What each state means, and who moves a job on from it."""

INTRODUCTION = f"""# Life of a job

This page is written by `{COMMAND}` from `penstock.domain.states.TRANSITIONS`; change it there.

A state is changed in the places named below and nowhere else, always in one transaction with all that follows from it.
`completed`, `failed` and `cancelled` are final: nothing but a retry by a person leaves them. A cancel request is a fact
beside the state: from then on a running job can only end, and it ends as `cancelled`. A job that waits may be cancelled
by a person at any time, and the leading worker fails it when its deadline passes.
"""


def page() -> str:
    """Return the whole page as Markdown, ending in a newline."""
    return "\n".join(
        [INTRODUCTION, "## States", "", *_states(), "", *_diagram(), "", "## Transitions", "", *_table(), ""]
    )


def _states() -> list[str]:
    rows: list[str] = []
    for state in JobState:
        meaning, mover = STATES[state]
        final = " (final)" if state in FINAL else ""
        rows.append(f"| `{state}`{final} | `{status_of(state)}` | {meaning} | {mover} |")
    return ["| state | status outside | meaning | who moves it on |", "| --- | --- | --- | --- |", *rows]


def _diagram() -> list[str]:
    """One arrow from state to state, however many ways lead along it."""
    ways: dict[tuple[str, str], list[str]] = {}
    for one in TRANSITIONS:
        ways.setdefault((one.source or "[*]", one.target), []).append(one.way)
    arrows = [f"    {source} --> {target}: {' / '.join(named)}" for (source, target), named in ways.items()]
    return ["```mermaid", "stateDiagram-v2", *arrows, "```"]


def _table() -> list[str]:
    """One row for each way, target and reason; the sources it may start from stand together."""
    rows: dict[Transition, list[str]] = {}
    for one in TRANSITIONS:
        alike = Transition(one.way, None, one.target, one.place, one.why)
        rows.setdefault(alike, []).append(f"`{one.source}`" if one.source else "(new)")
    lines = [
        f"| `{row.way}` | {', '.join(sources)} | `{row.target}` | {_link(row.place)} | {row.why} |"
        for row, sources in rows.items()
    ]
    return ["| way | from | to | place | why |", "| --- | --- | --- | --- | --- |", *lines]


def _link(place: str) -> str:
    return f"[{place}](../src/penstock/store/{place.replace('.', '/')}.py)"


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit code: 1 if the page was to be checked and is stale."""
    parser = argparse.ArgumentParser(description="Write docs/lifecycle.md from the table of transitions.")
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
