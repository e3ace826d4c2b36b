"""Claims of one worker: what is asked, and which claims are under way."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from penstock.store.base import Store
from penstock.store.program import Program
from penstock.store.programs.claim import Claimed, ClaimRequest, HeldKind, LaneFacts, admit, claim
from penstock.worker.feed import Feed
from penstock.worker.outage import Outage

R = TypeVar("R")

LANES_KNOWN = 500
"""Each claim names the lanes it need not be told of; before they become more than this they are forgotten."""


@dataclass(slots=True)
class Claims:
    """Asks the store for jobs in the name of a worker.

    kinds: those it has handlers for; seal_keys: ids of the keys it can open secrets with; under_way: claim ids whose
    answer has not come yet; lanes: lane id -> what claims have told of it.
    """

    store: Store
    outage: Outage
    kinds: tuple[str, ...]
    seal_keys: tuple[str, ...]
    worker_id: Callable[[], int]
    under_way: set[int] = field(default_factory=set)
    lanes: dict[int, LaneFacts] = field(default_factory=dict)

    async def claim(
        self, feed: Feed, limit: int, *, solo: bool = False, only: Sequence[str] = (), held: Sequence[HeldKind] = ()
    ) -> Claimed:
        """Claim from one queue; `only` these kinds if there are any, none that are `held`.

        A wake-up that comes meanwhile makes it due again. Raises StoreUnavailable.
        """
        request = ClaimRequest(
            feed.name, tuple(only) or self.kinds, limit, secrets.randbits(63), self.worker_id(), self.seal_keys, solo,
            feed.settings.unknown_kinds == "fail" and not only, feed.settings.gated, {} if solo else feed.after, held,
            feed.turns.ahead, self.lanes,
        )  # fmt: skip
        feed.due, was_due = False, feed.due
        self.under_way.add(request.claim_id)
        feed.counts.polls += 1
        try:
            claimed = await self.write(claim(request, self.store.clock.now()))
            if claimed.unadmitted:
                admitted = await self.write(admit(request.claim_id, claimed.jobs))
                claimed = replace(claimed, jobs=admitted.jobs, stopped=admitted.stopped)
        except BaseException:
            feed.due = True
            raise
        finally:
            self.under_way.discard(request.claim_id)
        self._learn(claimed.learnt)
        if not claimed.jobs:
            feed.counts.idle_polls += 1
        if solo:
            feed.due = was_due or feed.due
        return claimed

    def _learn(self, lanes: Mapping[int, LaneFacts]) -> None:
        if lanes:
            # A new one: claims under way go by what they were asked with.
            self.lanes = {**self.lanes, **lanes} if len(self.lanes) + len(lanes) <= LANES_KNOWN else dict(lanes)

    async def write(self, program: Program[R]) -> R:
        """Run a program that need not reach the disk."""
        answer = await self.store.run(program, durable=False)
        self.outage.over()
        return answer
