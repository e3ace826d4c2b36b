"""What waits at limits in this process: by it workers know how many jobs whose model calls wait are worth claiming.

A gate only: what a limit allows is decided at the call. A job that had to leave has an appointment, a time at which a
call like it is expected to go; which job of its kind and tenant then comes does not matter. Times are seconds.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import NamedTuple

TIGHT_S = 5.0
"""A kind is watched for so long after one of its calls had to wait."""
ROOM = 4
"""So many calls of a kind and tenant may wait in a process at least: enough to be there when the limit opens."""
_AHEAD_S = 0.25
"""What has gone in this time may wait besides."""
ARRIVES_S = 0.1
"""How long a claimed job may take until its call is seen here."""
_SCOUT_S = (2.0, 60.0)
"""While all have appointments one job is claimed now and then all the same, in case the limit opens sooner."""


class Waiting(NamedTuple):
    """Whose calls: a kind, and a tenant of it."""

    kind: str
    tenant: str | None


class Plan(NamedTuple):
    """How many jobs of watched kinds to claim at most, and of whom none."""

    most: int
    held: list[Waiting]


class Pressure:
    """Calls of jobs that wait. `listen`: told when there may be room again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: Counter[Waiting] = Counter()
        self._appointments: dict[Waiting, list[float]] = {}
        self._held_at: dict[str, float] = {}
        self._went: deque[float] = deque(maxlen=4_000)
        self._coming: deque[tuple[float, int]] = deque()
        self._scout_at = 0.0
        self._scout_s = _SCOUT_S[0]
        self._scouts = False
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have it called when calls that waited have gone; answers what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def waits(self, who: Waiting) -> None:
        """One of its calls is held."""
        self._waiting[who] += 1
        self._held_at[who.kind] = self._clock()

    def goes(self, who: Waiting, *, was_held: bool) -> None:
        """One is let through."""
        if was_held:
            self._rest(who)
        if self._held_at:
            self._went.append(self._clock())
            if self._scouts:
                self._scouts, self._scout_s, self._scout_at = False, _SCOUT_S[0], 0.0
            self._tell()

    def gives_up(self, who: Waiting) -> None:
        """One that was held asks no more."""
        self._rest(who)
        self._tell()

    def leaves(self, who: Waiting, seconds: float) -> None:
        """One that was held has given its slot back, with an appointment so far ahead."""
        self._rest(who)
        now = self._clock()
        heappush(self._appointments.setdefault(who, []), now + seconds)
        if self._scouts:
            self._scouts, self._scout_s = False, min(2 * self._scout_s, _SCOUT_S[1])
            self._scout_at = now + self._scout_s
        self._tell()

    def tight(self) -> list[str]:
        """The kinds whose calls have to wait, or had to of late."""
        if not self._held_at:
            return []
        since = self._clock() - TIGHT_S
        kept = {who.kind for who in (*self._waiting, *self._appointments)}
        self._held_at = {kind: at for kind, at in self._held_at.items() if at > since or kind in kept}
        return list(self._held_at)

    def plan(self) -> Plan:
        """What to claim of the kinds that are tight."""
        now = self._clock()
        while self._coming and self._coming[0][0] < now - ARRIVES_S:
            self._coming.popleft()
        room, coming = self._room(now), sum(n for _, n in self._coming)
        due = {who: sum(at <= now for at in times) for who, times in self._appointments.items()}
        away = [who for who, n in due.items() if not n]
        crowded = [who for who, n in self._waiting.items() if n >= room and who not in away]
        if wanted := sum(due.values()):
            return Plan(max(0, min(room, wanted) - coming), away + crowded)
        if away and not self._waiting and not coming and now >= self._scout_at:
            self._scouts, self._scout_at = True, now + self._scout_s
            return Plan(1, [])
        return Plan(max(0, room - coming), away + crowded)

    def comes(self, who: Iterable[Waiting]) -> None:
        """Jobs of watched kinds have been claimed: they keep the appointments that are due."""
        now, claimed = self._clock(), list(who)
        for one in claimed:
            times = self._appointments.get(one, [])
            if times and times[0] <= now:
                heappop(times)
        self._appointments = {one: times for one, times in self._appointments.items() if times}
        self._coming.append((now, len(claimed)))

    def look_in(self) -> float:
        """Seconds until there may be something to claim again without anybody's telling."""
        now = self._clock()
        if self._coming:
            return ARRIVES_S
        moments = [times[0] for times in self._appointments.values()]
        return max(ARRIVES_S, min([*moments, self._scout_at or now + TIGHT_S]) - now)

    def _rest(self, who: Waiting) -> None:
        self._waiting[who] -= 1
        if self._waiting[who] <= 0:
            del self._waiting[who]

    def _room(self, now: float) -> int:
        return max(ROOM, sum(at > now - _AHEAD_S for at in self._went))

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
