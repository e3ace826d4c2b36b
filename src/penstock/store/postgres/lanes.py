"""Lanes already seen: their numbers never change, the queue settings they carry may."""

import time
from collections.abc import Sequence

from penstock import codec
from penstock.store.program import Call, Lane, LaneKey, Row

SECONDS_TO_LIVE = 5.0
"""Queue settings may change: no answer is older than this."""


class LaneCache:
    """Committed lanes. Read and written by several threads; an entry is replaced as a whole."""

    def __init__(self) -> None:
        self._known: dict[LaneKey, tuple[float, Lane]] = {}

    def get(self, keys: Sequence[LaneKey]) -> list[Lane] | None:
        """One lane per key, or None when one of them is not known or too old."""
        oldest = time.monotonic() - SECONDS_TO_LIVE
        found = [self._known.get(key) for key in keys]
        lanes = [entry[1] for entry in found if entry is not None and entry[0] >= oldest]
        return lanes if len(lanes) == len(keys) else None

    def learn(self, keys: Sequence[LaneKey], rows: Sequence[Row]) -> list[Lane]:
        """Take over the rows that `ensure_lanes` answered for these keys; one lane per key."""
        now = time.monotonic()
        by_key = {LaneKey(*row[:5]): Lane(*row[5:]) for row in rows}
        self._known.update({key: (now, lane) for key, lane in by_key.items()})
        return [by_key[key] for key in keys]


def ensure_lanes(keys: Sequence[LaneKey]) -> Call:
    """The call that finds or makes these lanes."""
    return Call("ensure_lanes", {"lanes": codec.rows([key._asdict() for key in keys])}, only=True)
