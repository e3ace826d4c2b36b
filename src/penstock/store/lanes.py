"""Lanes already seen: their numbers never change, the queue settings they carry may."""

import time
from collections.abc import Mapping, Sequence

from penstock import codec
from penstock.store.program import Call, Lane, LaneKey, Row

SECONDS_TO_LIVE = 5.0
"""Queue settings may change: no answer is older than this."""


class LaneCache:
    """Lanes that were committed. Read and written by several threads; an entry is replaced as a whole."""

    def __init__(self) -> None:
        self._known: dict[LaneKey, tuple[float, Lane]] = {}

    def get(self, keys: Sequence[LaneKey]) -> list[Lane] | None:
        """One lane per key, or None when one of them is not known or too old."""
        oldest = time.monotonic() - SECONDS_TO_LIVE
        found = []
        for key in keys:
            seen, lane = self._known.get(key, (oldest, None))
            if lane is None or seen < oldest:
                return None
            found.append(lane)
        return found

    def remember(self, lanes: Mapping[LaneKey, Lane]) -> None:
        """Take over lanes whose transaction has committed."""
        now = time.monotonic()
        self._known.update({key: (now, lane) for key, lane in lanes.items()})

    def forget(self) -> None:
        """Drop everything."""
        self._known.clear()


def ensure_lanes(keys: Sequence[LaneKey]) -> Call:
    """The call that finds or makes these lanes."""
    return Call("ensure_lanes", {"lanes": codec.rows([key._asdict() for key in keys])}, only=True)


def lanes_of(rows: Sequence[Row]) -> dict[LaneKey, Lane]:
    """The answer of `ensure_lanes`, by key."""
    return {
        LaneKey(queue, kind, tenant, seal_key, bool(solo)): Lane(number, aging_step, max_length)
        for queue, kind, tenant, seal_key, solo, number, aging_step, max_length in rows
    }
