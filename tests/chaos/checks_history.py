"""Rules about the history of each job, as the witness in the database noted it."""

from itertools import pairwise

from tests.chaos.case import FINAL, Case, Findings

# Written down here by hand, from DESIGN and not from the engine: a claim, its endings, and nothing out of an end.
LEGAL = {
    (None, "blocked"), (None, "scheduled"), (None, "ready"),
    ("blocked", "ready"), ("blocked", "scheduled"), ("blocked", "cancelled"), ("blocked", "failed"),
    ("scheduled", "ready"), ("scheduled", "cancelled"), ("scheduled", "failed"),
    ("ready", "running"), ("ready", "scheduled"), ("ready", "cancelled"), ("ready", "failed"),
    ("running", "ready"), ("running", "scheduled"), ("running", "completed"), ("running", "failed"),
    ("running", "cancelled"),
}  # fmt: skip
MOST_LOSSES = 10
"""Runs lost with unknown start before a job fails."""


def check_paths(case: Case) -> Findings:
    """Each job was born once, went by legal steps only, without a gap, and is where its last step led."""
    for job, moves in case.moves.items():
        for before, after in pairwise([None, *moves]):
            left = None if before is None else before.new
            if after is not None and after.old != left:
                yield job, f"its history has a gap: {left}, then from {after.old} to {after.new}"
            if after is not None and after.old != after.new and (after.old, after.new) not in LEGAL:
                yield job, f"illegal step from {after.old} to {after.new}"
        row = case.evidence.jobs.get(job)
        if row is not None and row.state != moves[-1].new:
            yield job, f"it is {row.state}, but its last step led to {moves[-1].new}"
    for job in case.evidence.jobs.keys() - case.moves.keys():
        yield job, "it is there without a history"


def check_ends(case: Case) -> Findings:
    """Each job ended once."""
    for job, moves in case.moves.items():
        ends = [move for move in moves if move.new in FINAL and move.old != move.new]
        if len(ends) > 1:
            yield job, f"it ended {len(ends)} times: {', '.join(str(end.new) for end in ends)}"


def check_claims(case: Case) -> Findings:
    """A running job has a claim, of its own, that no run of it had before; any other has none."""
    for job, moves in case.moves.items():
        claims = [move.new_claim for move in moves if move.new == "running" and move.old != "running"]
        if len(set(claims)) < len(claims):
            yield job, "two of its runs had the same claim"
        for move in moves:
            if (move.new == "running") != (move.new_claim is not None):
                yield job, f"{move.new} with claim {move.new_claim}"
            if move.old == move.new == "running" and move.old_claim != move.new_claim:
                yield job, "its claim changed while it ran"


def check_counts(case: Case) -> Findings:
    """Attempts and losses grow by one, at the end of a run, and stay within their bounds."""
    for job, moves in case.moves.items():
        for before, after in pairwise(moves):
            for name in ("attempt", "losses"):
                old, new = getattr(before, name), getattr(after, name)
                if new is not None and new != old and (new != old + 1 or after.old != "running"):
                    yield job, f"{name} went from {old} to {new} by the step from {after.old} to {after.new}"
    for job, row in case.evidence.jobs.items():
        if not 0 <= row.attempt <= row.max_attempts:
            yield job, f"{row.attempt} attempts of {row.max_attempts}"
        if row.losses > MOST_LOSSES + row.max_attempts:
            yield job, f"{row.losses} losses"
        if row.state == "failed" and row.attempt < row.max_attempts and row.losses < MOST_LOSSES:
            yield job, f"it failed after {row.attempt} of {row.max_attempts} attempts and {row.losses} losses"
