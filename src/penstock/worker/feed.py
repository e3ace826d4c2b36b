"""One queue as the fetcher sees it: its buffer of claimed jobs, when to look for more, and how many to take. No I/O."""

from collections import deque
from collections.abc import Sequence

from penstock.domain.claimed import ClaimedJob
from penstock.domain.queue import Queue
from penstock.store.programs.claim import Claimed
from penstock.worker.pacing import jittered
from penstock.worker.stats import Counts
from penstock.worker.turns import Turns

SOON_S = 0.05
"""A job is claimed ahead of a free slot only if, at the pace of late, it starts within this."""
STALE_S = 1.0
"""Prefetched jobs that have not moved for this long are given back: another worker may be free."""
HINT_S = 1.0
"""How long a claim position may be relied on (DESIGN, Order)."""
MARGIN_US = 2_000_000
"""How far behind the last claimed job a claim looks all the same: what was enqueued before it may commit after it."""
_LEARN = 0.1


class Feed:
    """State of one queue. Times are the loop's seconds.

    due: whether there may be something to claim; look_at: when to look even if nothing woke us; solo_at: when to ask
    for jobs that must be claimed alone; low: with so few in the buffer it is time for the next claim; after: lane ->
    position up to which all is claimed, a hint until `hints_until`; turns: whose turn it is of its tenants.
    """

    def __init__(self, name: str, settings: Queue, counts: Counts, poll_s: float, now: float) -> None:
        self.name = name
        self.settings = settings
        self.counts = counts
        self.buffer: deque[ClaimedJob] = deque()
        self.due = True
        self.look_at = now
        self.solo_at = now + jittered(poll_s)
        self.moved_at = now
        self.after: dict[int, int] = {}
        self.hints_until = now
        self.low = 0
        self._poll_s = poll_s
        self.turns = Turns()
        self._mean_s: float | None = None

    def wake(self, *, tail: bool = False) -> None:
        """There may be work: at the end of the queue's order, or also below the position claimed so far."""
        self.due = True
        if not tail:
            self.after.clear()

    def tick(self, now: float) -> None:
        """Let what is due by time happen."""
        if now >= self.look_at:
            self.due = True
            self.look_at = now + jittered(self._poll_s)
        if now >= self.hints_until:
            self.hints_until = now + HINT_S
            if self.after:  # what committed late, beyond the margin, is found now
                self.after.clear()
                self.due = True

    def learn(self, seconds: float) -> None:
        """A job has taken so long."""
        self._mean_s = seconds if self._mean_s is None else self._mean_s + _LEARN * (seconds - self._mean_s)

    def ahead(self, prefetch: int) -> int:
        """How many jobs to hold beyond those that run: as many as start soon, none while the pace is unknown."""
        if self._mean_s is None or self.settings.gated:
            return 0
        return min(prefetch, int(self.settings.concurrency * SOON_S / max(self._mean_s, 1e-6)))

    def wanted(self, running: int, prefetch: int) -> int:
        """How many to claim now; 0 while three quarters of the buffer are full, so that claims are worth their trip.

        No emptier: what is left has to last until the claim comes back.
        """
        free = self.settings.concurrency - running - len(self.buffer)
        ahead = self.ahead(prefetch)
        self.low = 3 * ahead // 4
        if free <= 0 and len(self.buffer) >= self.low:
            return 0
        return max(0, free + ahead)

    def take(self, claimed: Claimed, now: float, now_us: int) -> None:
        """Take over what a claim brought."""
        if not self.buffer:
            self.moved_at = now
        self.buffer.extend(claimed.jobs)
        self.turns.taken(claimed.jobs)
        if claimed.full:
            self.due = True
        # A lane's jobs come in the order of their positions: the last one stays.
        for lane, position in {job.lane_id: job.position for job in claimed.jobs}.items():
            reached = min(position, now_us) - MARGIN_US
            self.after[lane] = max(reached, self.after.get(lane, reached))
        if claimed.next_at is not None:
            self.look_at = min(self.look_at, now + max(0.0, (claimed.next_at - now_us) / 1_000_000))

    def give_back_stale(self, now: float) -> Sequence[ClaimedJob]:
        """The buffer, if it has not moved for long; the pace is then taken to be that slow."""
        if not self.buffer or now - self.moved_at < STALE_S:
            return ()
        self._mean_s = max(self._mean_s or 0.0, now - self.moved_at)
        return self.empty()

    def empty(self) -> list[ClaimedJob]:
        """Everything that is buffered, which is then no longer."""
        jobs = list(self.buffer)
        self.buffer.clear()
        return jobs

    def remove(self, job_id: str) -> ClaimedJob | None:
        """Take one job out of the buffer."""
        for job in self.buffer:
            if job.id == job_id:
                self.buffer.remove(job)
                return job
        return None
