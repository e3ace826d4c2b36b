"""The evidence of one scenario, sorted by job, and what that scenario allows."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.chaos.effects import Effect
from tests.chaos.evidence import Evidence, Fact

FINAL = frozenset({"completed", "failed", "cancelled"})

Findings: TypeAlias = Iterator[tuple[str, str]]
"""What a rule finds: the job (or flow) it concerns, and what was seen."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a scenario allows.

    failing: kinds whose jobs may end failed. losses: whether runs may be lost at all. forgetful: the store was cut off
    so that claims which had not reached its disk are forgotten, and runs may be logged of which it knows nothing.
    """

    failing: frozenset[str] = frozenset()
    losses: bool = True
    forgetful: bool = False


@dataclass(slots=True)
class Case:
    """Evidence by job, in order. facts: all of the witness; moves: those of its row; runs: lines of its handlers."""

    evidence: Evidence
    allowed: Allowed
    facts: dict[str, list[Fact]] = field(init=False)
    moves: dict[str, list[Fact]] = field(init=False)
    runs: dict[str, list[Effect]] = field(init=False)

    def __post_init__(self) -> None:
        facts, runs = defaultdict(list), defaultdict(list)
        for fact in self.evidence.facts:
            facts[fact.job].append(fact)
        for effect in self.evidence.effects:
            runs[effect.job].append(effect)
        self.facts, self.runs = dict(facts), dict(runs)
        moves = {job: [fact for fact in all_ if fact.is_move] for job, all_ in facts.items()}
        self.moves = {job: found for job, found in moves.items() if found}

    def lines(self, job: str, what: str) -> list[Effect]:
        """The lines of a job that say `what`."""
        return [effect for effect in self.runs.get(job, ()) if effect.what == what]

    def end_of(self, job: str) -> Fact | None:
        """The change that brought a job to its last end, None while it has none."""
        return next((move for move in reversed(self.moves.get(job, ())) if move.new in FINAL), None)
