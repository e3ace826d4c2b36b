"""What a `Worker` was told, checked."""

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.config import Settings
from penstock.domain.job import checked_name, seconds_of
from penstock.domain.queue import Queue
from penstock.errors import ConfigurationError
from penstock.registry import Registry
from penstock.worker.feed import Feed
from penstock.worker.stats import Counts

KILL_GRACE_S = 5.0
"""How long a handler that was asked to stop has for it, before its outcome is written without it."""
_SECONDS_PER_QUEUE = 0.2


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Durations in seconds; grace_s: for running jobs when the worker stops."""

    name: str
    queues: Mapping[str, Queue]
    build_id: str | None
    grace_s: float
    lease_s: float
    kill_grace_s: float

    @property
    def timeouts(self) -> dict[str, float | None]:
        """The timeout of each queue, for jobs without their own."""
        return {name: seconds_of("Queue.timeout", queue.timeout) for name, queue in self.queues.items()}

    @property
    def slots(self) -> int:
        """How many handlers run at once at most."""
        return sum(queue.concurrency for queue in self.queues.values())

    def feeds(self, counts: Mapping[str, Counts], poll_s: float, now: float) -> list[Feed]:
        """A feed for each queue. With many queues each is looked at more seldom, so that an idle worker stays quiet."""
        poll_s = max(poll_s, _SECONDS_PER_QUEUE * len(self.queues))
        return [Feed(name, queue, counts[name], poll_s, now) for name, queue in self.queues.items()]


def worker_options(
    settings: Settings,
    registry: Registry,
    *,
    queues: Mapping[str, Queue] | None,
    name: str | None,
    concurrency: int | None,
    build_id: str | None,
    grace_s: float | None,
    lease_s: float | None,
    kill_grace_s: float,
) -> WorkerOptions:
    """The options of a worker, the settings' where none is given. Raises ConfigurationError naming what is wrong."""
    if queues is not None and concurrency is not None:
        raise ConfigurationError("give concurrency= either for each of queues= or for the worker, not both")
    if queues is None:
        queues = {queue: _queue(concurrency) for queue in sorted(registry.queues)}
    if not queues:
        raise ConfigurationError("a worker needs a queue: give it handlers or queues=")
    for queue in queues:
        checked_name("queue", queue)
    return WorkerOptions(
        name=name or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}",
        queues=dict(queues),
        build_id=build_id,
        grace_s=_seconds("grace_s", settings.grace_s if grace_s is None else grace_s, 0),
        lease_s=_seconds("lease_s", settings.lease_s if lease_s is None else lease_s, 0.3),
        kill_grace_s=_seconds("kill_grace_s", kill_grace_s, 0),
    )


def _queue(concurrency: int | None) -> Queue:
    return Queue() if concurrency is None else Queue(concurrency=concurrency)


def _seconds(option: str, value: float, least: float) -> float:
    if not least <= value <= 86_400:
        raise ConfigurationError(f"{option} must be from {least:g} to 86400 seconds, not {value!r}")
    return float(value)
