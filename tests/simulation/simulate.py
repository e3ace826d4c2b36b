"""Many schedules, one seed after the other: how many there were, what happened in them, and what broke."""

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from penstock.store.sqlite.runner import Statements, own_statements
from tests.simulation.database import Database
from tests.simulation.schedule import Ran, run_schedule

MUST_HAPPEN = (
    "answer lost", "asked to stop", "blocked again", "call not sent", "call of a dead process",
    "cancelled while waiting", "claimed alone", "ended in its own transaction", "ending delivered twice",
    "ending of its own", "enqueued on behalf", "enqueued twice, once there", "events read",
    "fan-in after all of its parents", "fan-in after some of its parents", "fan-in before all of its parents",
    "fan-in of none", "flow revived", "found another leading", "found itself lost", "frozen", "key already held",
    "killed", "late ending refused", "late stream refused", "late write refused", "leader of a later term", "pruned",
    "retried", "revived with it", "runs rescued", "signed off", "slow call", "start after others", "streamed",
    "strays given back", "worker declared lost", "blocked to cancelled", "ready to failed", "running to cancelled",
    "running to completed", "running to failed", "running to ready", "running to scheduled", "scheduled to cancelled",
    "scheduled to ready",
)  # fmt: skip
"""Faults and turns of events: schedules that never come to them prove nothing of them."""
_SCHEDULES_PER_COLLECTION = 50
_SHOWN = 40


@dataclass(slots=True)
class Report:
    """What a simulation came to. `failure` is the first schedule that broke a promise, if one did."""

    schedules: int = 0
    steps: int = 0
    seconds: float = 0.0
    seen: Counter[str] = field(default_factory=Counter)
    failure: Ran | None = None

    @property
    def per_minute(self) -> float:
        """Schedules a minute."""
        return self.schedules / self.seconds * 60 if self.seconds else 0.0

    @property
    def missing(self) -> list[str]:
        """What should have happened, and has not."""
        return [what for what in MUST_HAPPEN if not self.seen[what]]


def simulate(
    first_seed: int,
    goes_on: Callable[[int, float], bool],
    statements: Statements | None = None,
) -> Report:
    """Run schedules from this seed on while `goes_on` (schedules so far, seconds so far), until one breaks.

    `statements`: the engine's own, unless a test has spoilt them.
    """
    report = Report()
    database = Database(statements or own_statements())
    began = time.monotonic()
    with _few_collections() as collect:
        while goes_on(report.schedules, time.monotonic() - began) and report.failure is None:
            ran = run_schedule(database, first_seed + report.schedules)
            report.schedules += 1
            report.steps += ran.steps
            report.seen += ran.seen
            if ran.error is not None:
                report.failure = ran
            if report.schedules % _SCHEDULES_PER_COLLECTION == 0:
                collect()
    report.seconds = time.monotonic() - began
    return report


@contextmanager
def _few_collections() -> Iterator[Callable[[], object]]:
    """Schedules make much garbage and little that lasts: it is collected between them, when asked."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield gc.collect
    finally:
        if was_on:
            gc.enable()


def tell(report: Report, *, with_counts: bool = True) -> str:
    """The report as text; of a failure its last events, and the command that replays it."""
    lines = [
        f"{report.schedules} schedules, {report.steps} steps in {report.seconds:.1f} s: "
        f"{report.per_minute:.0f} schedules a minute"
    ]
    if with_counts:
        lines += [f"{count:>9}  {what}" for what, count in sorted(report.seen.items())]
    if report.failure is not None:
        lines.append(tell_failure(report.failure))
    return "\n".join(lines)


def tell_failure(ran: Ran) -> str:
    """What broke, what led to it, and how to see it again."""
    begin = ran.trace[0].at if ran.trace else 0
    events = [
        f"{(event.at - begin) / 1_000_000:>10.3f} s  {event.who:<10} {event.what:<16} {_short(event.answer)}"
        for event in ran.trace[-_SHOWN:]
    ]
    return "\n".join(
        [
            f"seed {ran.seed} broke a promise after {ran.steps} steps; the last of what happened:",
            *events,
            f"{type(ran.error).__name__}: {_short(ran.error)}",
            f"replay: python -m tests.simulation --seed {ran.seed} --schedules 1",
        ]
    )


def _short(answer: object) -> str:
    """Ids as their numbers."""
    return "" if answer is None else str(answer).replace("-0000-7000-8000-000000000000", "").replace("'000000", "'")
