"""`python -m tools.peers`: measure the rivals beside ours; exit code 1 when ours could not be measured."""

import argparse
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from tools.peers.install import NotRun, install
from tools.peers.parts import PARTS, Server, Sizes
from tools.peers.places import Postgres, Redis, Sqlite
from tools.peers.process import PeerError
from tools.peers.report import Report, Sample, show
from tools.peers.targets import TARGETS, StoreKind, Target, chosen


def measure(targets: list[Target], parts: list[str], sizes: Sizes, rounds: int, database: str | None) -> Report:
    """Each round measures each part of each target in turn, ours among them."""
    report = Report([], asdict(sizes))
    servers: dict[StoreKind, Server] = {}
    ready = [target for target in targets if _is_ready(target, servers, report, database)]
    for number in range(rounds):
        for part in parts:
            for target in [one for one in ready if one.name not in report.not_run]:
                print(f"round {number + 1} of {rounds}: {part}, {target.name}", file=sys.stderr, flush=True)
                try:
                    for one in PARTS[part](target, servers[target.store], sizes):
                        report.samples.append(Sample(number, target.name, one.name, one.unit, one.value))
                except PeerError as error:
                    report.not_run[target.name] = str(error)
    return report


def _is_ready(target: Target, servers: dict[StoreKind, Server], report: Report, database: str | None) -> bool:
    try:
        install(target)
        if target.store not in servers:
            servers[target.store] = _server(target.store, database)
            report.places.append(servers[target.store].described)
    except NotRun as why:
        report.not_run[target.name] = str(why)
        return False
    return True


def _server(store: StoreKind, database: str | None) -> Server:
    match store:
        case "postgres":
            return Postgres(database)
        case "sqlite":
            return Sqlite()
        case "redis":
            return Redis()


def main() -> int:
    """Read the command line, measure, print."""
    standard = Sizes()
    parser = argparse.ArgumentParser(prog="python -m tools.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[target.name for target in TARGETS], default=[], metavar="NAME",
                        help="these targets, and ours beside them: %(choices)s")  # fmt: skip
    parser.add_argument("--what", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART",
                        help="these parts: %(choices)s")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=standard.jobs, help="of a drain and of the bulk enqueue")
    parser.add_argument("--singles", type=int, default=standard.singles, help="jobs enqueued one by one")
    parser.add_argument("--pings", type=int, default=standard.pings, help="single jobs for the latency")
    parser.add_argument("--database", metavar="URL", help="a PostgreSQL server that lets us create databases")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file")
    given = parser.parse_args()
    # So that the databases of a run that is ended from outside are dropped as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sizes = Sizes(given.jobs, given.singles, given.pings)
    report = measure(chosen(given.only), given.what, sizes, given.rounds, given.database)
    if given.json:
        given.json.write_text(json.dumps(report.as_json(), indent=1, ensure_ascii=False) + "\n")
    show(report, Console())
    return int(any(target.is_ours and target.name in report.not_run for target in TARGETS))


if __name__ == "__main__":
    sys.exit(main())
