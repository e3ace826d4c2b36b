"""Fairness between tenants at a limit: whoever has had least goes first, in tokens, and nothing is kept for the absent.

Start-time fair queueing (Goyal, Vin, Cheng 1996): a tenant's next call is tagged with the end of its last one, or with
the tag of the call that went last of all, where that is more. The smallest tag goes first. Shares are kept only while
calls have to wait; a tenant counts as long as one of its calls waits somewhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass

GRACE = 500_000
"""A waiting call that should have asked again by now is taken to be gone this much later (µs)."""
TURN = 20_000
"""A call that is not its tenant's turn looks again after this (µs)."""


@dataclass(slots=True)
class Share:
    """What a tenant has had at a limit (`finish`, in tokens); until when it counts as waiting, and up to when its calls

    that left have a time of their own (µs).
    """

    finish: int = 0
    wants_until: int = 0
    booked_until: int = 0


class Shares:
    """Those of one limit. `clock`: the tag of the call that went last; `contested_until` (µs): calls have to wait."""

    def __init__(self, clock: int = 0, contested_until: int = 0) -> None:
        self.clock = clock
        self.contested_until = contested_until
        self.of: dict[str, Share] = {}

    def tag(self, tenant: str) -> int:
        """Where the next call of a tenant stands."""
        share = self.of.get(tenant)
        return self.clock if share is None else max(self.clock, share.finish)

    def is_turn(self, tenant: str, now: int, *, besides: Iterable[str] = ()) -> bool:
        """Whether no other tenant that waits has had less. `besides`: tenants that are not looked at."""
        tag, passed = self.tag(tenant), {tenant, *besides}
        return not any(
            share.wants_until > now and max(self.clock, share.finish) < tag
            for other, share in self.of.items()
            if other not in passed
        )

    def went(self, tenant: str, tokens: int) -> None:
        """A call of this tenant goes. Others of its calls count as waiting again when they next ask."""
        share = self.of.setdefault(tenant, Share())
        self.clock = max(self.clock, share.finish)
        share.finish = self.clock + max(tokens, 1)
        share.wants_until = 0

    def waits(self, tenant: str, until: int) -> None:
        """A call of this tenant asks again at `until` (µs)."""
        share = self.of.setdefault(tenant, Share())
        share.wants_until = max(share.wants_until, until + GRACE)
        self.contested_until = max(self.contested_until, share.wants_until)

    def books(self, tenant: str, soonest: int, pace: int, now: int) -> int:
        """A time of its own (µs) for a call that does not stay; calls of one tenant lie `pace` apart (µs), more so the

        more tenants wait.
        """
        waiting = sum(share.wants_until > now for other, share in self.of.items() if other != tenant) + 1
        share = self.of.setdefault(tenant, Share())
        share.booked_until = max(soonest, share.booked_until + pace * waiting)
        # As long as times are booked nothing is forgotten.
        self.contested_until = max(self.contested_until, share.booked_until + GRACE)
        return share.booked_until

    def idle(self, now: int) -> list[str]:
        """Tenants of whom there is nothing to remember."""
        return [
            tenant
            for tenant, share in self.of.items()
            if share.finish <= self.clock and max(share.wants_until, share.booked_until) <= now
        ]
