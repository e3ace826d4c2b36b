"""Rows that the store assigns to this worker and that it does not hold: given back."""

from collections.abc import Callable, Sequence

from penstock.store.programs.workers import HeldRun

STRAY_S = 5.0
"""How long a row may be assigned to us without being held: its claim's answer, or its settlement, may be on the way."""

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
