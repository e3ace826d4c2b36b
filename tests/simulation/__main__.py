"""`python -m tests.simulation [--seconds S] [--seed N] [--schedules N]`: simulate; exit 1 when a promise breaks."""

import argparse
import sys
import time

from tests.simulation.simulate import simulate, tell


def main() -> int:
    """Run schedules for so long, or so many, and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long (20 s, without --schedules)")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 1_000_000, help="the first seed (by the clock)")
    parser.add_argument("--schedules", type=int, help="how many, however long that takes")
    asked = parser.parse_args()
    sys.stdout.write(f"seeds from {asked.seed}\n")
    sys.stdout.flush()
    if asked.schedules is None:
        report = simulate(asked.seed, lambda _, seconds: seconds < asked.seconds)
    else:
        report = simulate(asked.seed, lambda schedules, _: schedules < asked.schedules)
    sys.stdout.write(tell(report) + "\n")
    if report.failure is not None:
        return 1
    if asked.schedules is None and asked.seconds >= 20 and report.missing:
        sys.stdout.write(f"never happened: {', '.join(report.missing)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
