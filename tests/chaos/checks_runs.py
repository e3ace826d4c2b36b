"""Rules that hold the database against what producers were told and handlers did."""

from tests.chaos.case import FINAL, Case, Findings
from tests.chaos.effects import has_a_say, said
from tests.chaos.evidence import Fact

REPORTED = frozenset({"piece", "follow", "collect", "hold"})
"""Kinds whose results name the claim of the run that returned them."""


def check_nothing_lost(case: Case) -> Findings:
    """Every job whose producer was answered is there, and every job that is there has ended, healthy ones completed."""
    for job, kind in case.evidence.told.items():
        if job not in case.evidence.jobs:
            yield job, f"this {kind} was committed, and is not there"
    for job, row in case.evidence.jobs.items():
        if row.state not in FINAL:
            yield job, f"this {row.kind} has not ended: {row.state} ({row.reason})"
        elif row.state != "completed" and row.kind not in case.allowed.failing:
            yield job, f"this healthy {row.kind} is {row.state}: {row.reason}"
        elif row.state != "completed" and not row.reason:
            yield job, f"this {row.kind} is {row.state} without a reason"


def check_runs(case: Case) -> Findings:
    """A claim begins its job once; who begins was given the job; what completed was done by the run that counts."""
    for job in case.runs.keys() & case.evidence.jobs.keys():
        given = {move.new_claim for move in case.moves.get(job, ())}
        begun = [line.claim for line in case.lines(job, "begin")]
        if len(set(begun)) < len(begun):
            yield job, "a claim began it twice"
        if not case.allowed.forgetful and not given.issuperset(begun):
            yield job, "a run began whose claim the store never gave"
    for job, row in case.evidence.jobs.items():
        end = case.end_of(job)
        if row.state != "completed" or row.kind not in REPORTED or end is None:
            continue
        if end.old_claim not in {line.claim for line in case.lines(job, "end")}:
            yield job, "it completed, but the run that counts did not do its work"
        if row.result is None or row.result["claim"] != end.old_claim:
            yield job, f"its result is not that of the run that counts ({end.old_claim}): {row.result}"


def check_writes(case: Case) -> Findings:
    """No write of a run was accepted but while it held its job, or in the transaction that ended it."""
    for job, facts in case.facts.items():
        held: Fact | None = None
        for fact in facts:
            if fact.is_move:
                held = fact
            elif fact.claim is not None and not _may_write(fact, held):
                yield job, f"a late {fact.what} of claim {fact.claim} was accepted"
    for effect in case.evidence.effects:
        if effect.what == "accepted":
            yield effect.job, f"its run under claim {effect.claim} was late, and its write was not refused"


def _may_write(write: Fact, held: Fact | None) -> bool:
    if held is None:
        return False
    return held.new_claim == write.claim or (held.old_claim == write.claim and None is not held.tx == write.tx)


def check_streams(case: Case) -> Findings:
    """What has been streamed is of one run, without a gap; all that it had to say, where that run completed its job."""
    for job, chunks in case.evidence.chunks.items():
        text = ""
        for start, more in chunks:
            if start != len(text):
                yield job, f"its stream has a gap, or text twice, at {start}: {chunks}"
            text += more
        if len({line.partition(" ")[0] for line in text.splitlines()}) > 1:
            yield job, f"its stream is of several runs: {text!r}"
    for job, row in case.evidence.jobs.items():
        end = case.end_of(job)
        if row.state != "completed" or row.kind != "piece" or end is None or not has_a_say(row.data["number"]):
            continue
        text = "".join(text for _, text in case.evidence.chunks.get(job, ()))
        if text != "".join(said(end.old_claim or 0)):
            yield job, f"its stream is not all that the run that counts ({end.old_claim}) had to say: {text!r}"


def check_losses(case: Case) -> Findings:
    """Each lost run is named in the job's errors; where nothing may be lost, nothing was."""
    for job, row in case.evidence.jobs.items():
        named = case.evidence.lost.get(job, 0)
        if named != row.losses:
            yield job, f"{row.losses} losses, {named} of them named in its errors"
        if row.losses and not case.allowed.losses:
            yield job, f"it was taken from a worker that was alive ({row.losses} times)"
