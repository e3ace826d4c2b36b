"""Weighted round robin between queues."""

from collections.abc import Mapping, Sequence


class Rotation:
    """Whose turn it is: over any stretch of turns each name gets its weight's share of them, evenly spread.

    Smooth weighted round robin: every candidate gains its weight, the richest has the turn and pays what all gained.
    A name that sits a turn out (no room, nothing due) neither gains nor pays, so it cannot save turns up.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = dict(weights)
        self._credit = dict.fromkeys(weights, 0)

    def pick(self, candidates: Sequence[str]) -> str:
        """The one of `candidates` (at least one, all known) whose turn it is."""
        if len(candidates) == 1:
            return candidates[0]
        for name in candidates:
            self._credit[name] += self._weights[name]
        chosen = max(candidates, key=self._credit.__getitem__)
        self._credit[chosen] -= sum(self._weights[name] for name in candidates)
        return chosen
