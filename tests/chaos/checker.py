"""The independent checker: reads the evidence of a scenario and names what must not be. It knows no engine code."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos import checks_flows, checks_history, checks_runs
from tests.chaos.case import Allowed, Case, Findings
from tests.chaos.evidence import Evidence

RULES: dict[str, Callable[[Case], Findings]] = {
    "nothing lost": checks_runs.check_nothing_lost,
    "legal path": checks_history.check_paths,
    "ended once": checks_history.check_ends,
    "claims": checks_history.check_claims,
    "bounds": checks_history.check_counts,
    "runs": checks_runs.check_runs,
    "no late write": checks_runs.check_writes,
    "streams": checks_runs.check_streams,
    "losses": checks_runs.check_losses,
    "fan-in": checks_flows.check_fan_ins,
    "flows": checks_flows.check_flows,
    "hand-over": checks_flows.check_hand_overs,
    "events": checks_flows.check_events,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, the job (or flow) it concerns, and what was seen."""

    rule: str
    job: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.job}: {self.text}"


def check(evidence: Evidence, allowed: Allowed) -> list[Violation]:
    """Everything that breaks a rule."""
    case = Case(evidence, allowed)
    return [Violation(rule, job, text) for rule, find in RULES.items() for job, text in find(case)]
