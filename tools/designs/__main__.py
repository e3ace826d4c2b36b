"""Measure the floors of storage designs: `python -m tools.designs drain in_place moved --batch 500`.

Scenarios: drain and held (a snapshot is held) on PostgreSQL, sqlite (a drain). One line of JSON for each measurement;
rounds are interleaved over the designs. The figures and what follows are in docs/decisions/0008-storage-design.md.
"""

import argparse
import json
from typing import Any

from tools.designs import drain, drain_sqlite, held
from tools.designs.postgres_design import Design

_SERVER = "postgresql://127.0.0.1:5432/postgres"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tools.designs", description=__doc__)
    parser.add_argument("scenario", choices=["drain", "held", "sqlite"])
    parser.add_argument("designs", nargs="+", help="files in postgres/ or sqlite/; `name:50` for a fillfactor of 50")
    parser.add_argument("--url", default=_SERVER, help="a PostgreSQL server on this machine (%(default)s)")
    parser.add_argument("--jobs", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--mode", choices=drain.MODES, default="serial")
    parser.add_argument("--finished", type=int, default=0, help="ended jobs that are there before")
    parser.add_argument("--waiting", type=int, default=0, help="ready jobs that are not drained")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    for _ in range(given.rounds):
        for text in given.designs:
            print(json.dumps(_measure(text, given)), flush=True)


def _measure(text: str, given: argparse.Namespace) -> dict[str, Any]:
    if given.scenario == "sqlite":
        return drain_sqlite.measure(text, jobs=given.jobs, batch=given.batch)
    name, _, fillfactor = text.partition(":")
    design = Design(name, int(fillfactor) if fillfactor else None)
    if given.scenario == "held":
        return held.measure(given.url, design, jobs=given.jobs, batch=given.batch)
    return drain.measure(
        given.url, design, jobs=given.jobs, batch=given.batch, mode=given.mode, finished=given.finished,
        waiting=given.waiting,
    )  # fmt: skip


main()
