"""What waits at limits in this process: by it workers know of which kinds there is no use in claiming more.

A gate only: what a limit allows is decided at the call. Times are seconds of the loop's clock.
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

TIGHT_S = 5.0
"""A kind is watched for so long after one of its calls had to wait."""
ROOM = 4
"""So many calls of a tenant's kind may wait in a process at least: enough to be there when the limit opens."""
_AHEAD_S = 0.25
"""What has gone in this time may wait besides."""
ARRIVES_S = 0.1
"""How long a claimed job may take until its call is seen here."""


class Waiting(NamedTuple):
    """Whose calls: a kind, and a tenant of it."""

    kind: str
    tenant: str | None


class Pressure:
    """Calls of jobs that wait. `listen`: told when there may be room again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: Counter[Waiting] = Counter()
        self._closed: dict[Waiting, float] = {}
        self._held_at: dict[str, float] = {}
        self._went: deque[float] = deque(maxlen=4_000)
        self._coming: deque[tuple[float, int]] = deque()
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have it called when calls that waited have gone; answers what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def waits(self, who: Waiting) -> None:
        """One of its calls is held."""
        self._waiting[who] += 1
        self._held_at[who.kind] = self._clock()

    def went(self, who: Waiting) -> None:
        """One that was held has gone, or given up."""
        self._waiting[who] -= 1
        if self._waiting[who] <= 0:
            del self._waiting[who]
        self._went.append(self._clock())
        for listener in self._listeners:
            listener()

    def left(self, who: Waiting, seconds: float) -> None:
        """One has given its slot back, to come again after so long; until then there is no use in others like it."""
        until = self._clock() + seconds
        self._closed[who] = max(until, self._closed.get(who, until))
        self._held_at[who.kind] = self._clock()

    def comes(self, jobs: int) -> None:
        """So many jobs of watched kinds have been claimed."""
        self._coming.append((self._clock(), jobs))

    def tight(self) -> list[str]:
        """The kinds whose calls had to wait of late."""
        if not self._held_at:
            return []
        since = self._clock() - TIGHT_S
        waiting = {who.kind for who in self._waiting}
        self._held_at = {kind: at for kind, at in self._held_at.items() if at > since or kind in waiting}
        return list(self._held_at)

    def full(self) -> list[Waiting]:
        """Of whom no more is to be claimed now."""
        now = self._clock()
        self._closed = {who: until for who, until in self._closed.items() if until > now}
        room = self._room(now)
        return [*self._closed, *(who for who, n in self._waiting.items() if n >= room and who not in self._closed)]

    def room(self) -> int:
        """How many jobs of watched kinds to claim now at most."""
        now = self._clock()
        while self._coming and self._coming[0][0] < now - ARRIVES_S:
            self._coming.popleft()
        return max(0, self._room(now) - sum(n for _, n in self._coming))

    def _room(self, now: float) -> int:
        return max(ROOM, sum(at > now - _AHEAD_S for at in self._went))
