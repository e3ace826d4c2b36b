"""Rows that the store assigns to this worker and that it does not hold: given back."""

import random
from collections.abc import Callable, Collection, Sequence

from penstock import codec
from penstock.domain.outcomes import Released, RunFacts, decide
from penstock.domain.retry import load_policy
from penstock.store.program import Call, LaneKey, Row, Steps, program
from penstock.store.programs.settle import RunEnd, settle
from penstock.store.programs.workers import HeldRun

STRAY_S = 5.0
"""How long a row may be assigned to us without being held: its claim's answer, or its settlement, may be on the way."""
_MOST_ROWS = 100_000

RunKey = tuple[str, int]
"""Job id and claim id."""


class Reconciler:
    """Remembers since when (monotonic s) the store has assigned us runs that nothing here holds.

    `holds(job id, claim id)`: whether the run executes, waits, is being claimed or being settled in this process.
    """

    def __init__(self, holds: Callable[[str, int], bool], stray_s: float = STRAY_S) -> None:
        self._holds = holds
        self._stray_s = stray_s
        self._since: dict[RunKey, float] = {}

    def strays(self, assigned: Sequence[HeldRun], now: float) -> frozenset[RunKey]:
        """The runs that have been nobody's for too long, given what a heartbeat found assigned to us."""
        loose = [(run.job_id, run.claim_id) for run in assigned if not self._holds(run.job_id, run.claim_id)]
        self._since = {key: self._since.get(key, now) for key in loose}
        return frozenset(key for key, since in self._since.items() if now - since >= self._stray_s)


@program
def give_back(worker_id: int, worker: str, now: int, only: Collection[RunKey] | None = None) -> Steps[int]:
    """Release runs assigned to this worker (all, or only these); answers how many.

    Each is fenced by its claim, so one that was settled meanwhile stays as it is.
    """
    rows = yield Call("runs_of_worker", {"worker_id": worker_id, "limit": _MOST_ROWS})
    ends = [_released(row, now) for row in rows if only is None or (row[0], row[1]) in only]
    if not ends:
        return 0
    return len((yield from settle(ends, now, worker)))


def _released(row: Row, now: int) -> RunEnd:
    (job_id, claim_id, queue, kind, tenant, seal_key, solo, level, attempt, losses, max_attempts, started_at, deadline,
     place, aging, options, _) = row  # fmt: skip
    stored = codec.loads(options) if options else {}
    facts = RunFacts(
        level=level, attempts_before=attempt, losses_before=losses, max_attempts=max_attempts,
        retry=load_policy(stored.get("retry")), aging_step=aging, deadline=deadline, position=place,
    )  # fmt: skip
    outcome = Released("the store assigned it to a worker that did not hold it")
    settlement = decide(outcome, facts, now, random.Random())  # noqa: S311 - a release draws nothing
    return RunEnd(job_id, claim_id, LaneKey(queue, kind, tenant, seal_key, bool(solo)), settlement, started_at)
