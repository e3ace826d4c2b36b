"""When a job that comes after others may start, and how a flow's counts become its status."""

from dataclasses import dataclass
from enum import StrEnum


class When(StrEnum):
    """The condition on the jobs (or flows) a job comes after."""

    ALL_COMPLETED = "all_completed"
    ALL_ENDED = "all_ended"
    ANY_COMPLETED = "any_completed"


class Verdict(StrEnum):
    """What becomes of a blocked job now."""

    WAIT = "wait"
    START = "start"
    UNMET = "unmet"


def judge(when: When, open_parents: int, completed: int, not_completed: int) -> Verdict:
    """The verdict for a job with so many parents still open, completed, and ended otherwise.

    Exactly once follows from the counts: each parent's end changes them once, under the child's row lock, and only
    a blocked child is judged.
    """
    match when:
        case When.ALL_COMPLETED:
            if not_completed:
                return Verdict.UNMET
            return Verdict.WAIT if open_parents else Verdict.START
        case When.ALL_ENDED:
            return Verdict.WAIT if open_parents else Verdict.START
        case When.ANY_COMPLETED:
            if completed:
                return Verdict.START
            return Verdict.WAIT if open_parents else Verdict.UNMET


class FlowStatus(StrEnum):
    """A flow is running until its open jobs reach zero; then the worst of its jobs names it."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class FlowCounts:
    """Counts of a flow's jobs. total = open + completed + failed + cancelled."""

    total: int
    open: int
    completed: int
    failed: int
    cancelled: int

    def status(self) -> FlowStatus:
        """`running` while a job is open (an empty flow has not begun to end), else failed > cancelled > completed."""
        if self.open or not self.total:
            return FlowStatus.RUNNING
        if self.failed:
            return FlowStatus.FAILED
        return FlowStatus.CANCELLED if self.cancelled else FlowStatus.COMPLETED

    def progress(self) -> float:
        """Share of jobs that have ended, 0 to 1."""
        return (self.total - self.open) / self.total if self.total else 0.0
