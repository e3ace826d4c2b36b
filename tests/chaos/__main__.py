"""`python -m tests.chaos`: the crash suite in its long form. It says its seed first; a violation ends it with 1."""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.scenario import Scenario, play
from tests.chaos.scenarios import SCENARIOS

MOST_LINES = 20


def main(arguments: list[str]) -> int:
    """Play what is asked for; answers the exit code."""
    asked = _parser().parse_args(arguments)
    chosen = [scenario for scenario in SCENARIOS if not asked.only or scenario.name in asked.only]
    if asked.list:
        for scenario in chosen:
            _say(f"{scenario.name:<16} {', '.join(scenario.places):<17} {(scenario.act.__doc__ or '').strip()}")
        return 0
    _say(f"seed {asked.seed}")
    plays = [(s, store) for s in chosen for store in s.places if asked.store in ("all", store)]
    broken = [_play(scenario, store, asked) for scenario, store in plays]
    return 1 if any(broken) else 0


def _play(scenario: Scenario, store: str, asked: argparse.Namespace) -> bool:
    """Play one and say what came of it; True when something was broken, and its folder is then kept."""
    folder = Path(tempfile.mkdtemp(prefix=f"penstock-chaos-{scenario.name}-"))
    size = scenario.short if asked.short else scenario.long
    verdict = play(scenario, store, folder, asked.seed, size)
    _say(f"{scenario.name:<16} {store:<9} {'BROKEN' if verdict.broken else 'ok':<7} {verdict.text}")
    if not verdict.broken:
        shutil.rmtree(folder)
        return False
    for line in verdict.broken[:MOST_LINES]:
        _say(f"    {line}")
    short = " --short" if asked.short else ""
    _say(f"    {len(verdict.broken)} in all; logs are in {folder}; once more:")
    _say(f"    python -m tests.chaos --seed {asked.seed} --store {store} --only {scenario.name}{short}")
    return True


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", default=str(secrets.randbelow(1_000_000)), help="what the dice are thrown from")
    parser.add_argument("--store", choices=("sqlite", "postgres", "all"), default="all")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[s.name for s in SCENARIOS], default=[])
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    parser.add_argument("--short", action="store_true", help="the sizes of the tests: seconds each")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
