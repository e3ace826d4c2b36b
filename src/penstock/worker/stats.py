"""What a worker counts."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class Counts:
    """Counts of one queue since the worker started.

    polls: claims asked; idle_polls: those that brought nothing; started: jobs handed to handlers; completed, failed,
    retried, snoozed, cancelled, released: how runs were settled; refused: results of runs that held their job no more.
    """

    polls: int = 0
    idle_polls: int = 0
    started: int = 0
    completed: int = 0
    failed: int = 0
    retried: int = 0
    snoozed: int = 0
    cancelled: int = 0
    released: int = 0
    refused: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """The sum of both."""
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{name: value + theirs[name] for name, value in mine.items()})


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue of a worker: its counts, and how many jobs run and wait inside the process now."""

    counts: Counts
    running: int = 0
    prefetched: int = 0


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """What a worker has done and does now.

    running includes handlers that would not stop when asked (`stubborn` of them); unwritten: results not yet in the
    store; idle: nothing runs, nothing is prefetched, nothing is unwritten.
    """

    polls: int
    idle_polls: int
    started: int
    completed: int
    failed: int
    retried: int
    snoozed: int
    cancelled: int
    released: int
    refused: int
    running: int
    stubborn: int
    prefetched: int
    unwritten: int
    idle: bool
    queues: Mapping[str, QueueStats] = field(default_factory=dict)

    @classmethod
    def of(cls, queues: Mapping[str, QueueStats], *, stubborn: int, unwritten: int) -> "WorkerStats":
        """The sum over queues."""
        total = _sum(queue.counts for queue in queues.values())
        running = sum(queue.running for queue in queues.values())
        prefetched = sum(queue.prefetched for queue in queues.values())
        return cls(
            **asdict(total), running=running, stubborn=stubborn, prefetched=prefetched, unwritten=unwritten,
            idle=not (running or prefetched or unwritten), queues=queues,
        )  # fmt: skip

    def as_row(self) -> dict[str, Any]:
        """What a heartbeat stores, without the queues."""
        row = asdict(self)
        del row["queues"]
        return row


def _sum(counts: Iterable[Counts]) -> Counts:
    total = Counts()
    for one in counts:
        total = total.plus(one)
    return total
