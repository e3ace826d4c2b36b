"""What the command line changes of a worker that code has made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from penstock.domain.queue import Queue
from penstock.errors import ConfigurationError
from penstock.worker import Engine, Worker


@dataclass(frozen=True, slots=True)
class Changes:
    """Only these queues, so many jobs at once of each, so long a grace (seconds); None: as the code says."""

    queues: Sequence[str] | None = None
    concurrency: int | None = None
    grace_s: float | None = None

    @property
    def arguments(self) -> list[str]:
        """The same as arguments of `penstock worker`."""
        arguments = [part for name in self.queues or () for part in ("--queue", name)]
        if self.concurrency is not None:
            arguments += ["--concurrency", str(self.concurrency)]
        if self.grace_s is not None:
            arguments += ["--grace", f"{self.grace_s:g}"]
        return arguments

    def of(self, worker: Worker) -> tuple[Engine, Worker]:
        """The worker's engine, and a worker like it so changed. Raises ConfigurationError for an unknown queue."""
        plan = worker.blueprint
        options = plan.options
        changed = Worker(
            plan.engine, plan.registry, queues=self._queues(options.queues), name=options.name,
            build_id=options.build_id, grace_s=options.grace_s if self.grace_s is None else self.grace_s,
            lease_s=options.lease_s, kill_grace_s=options.kill_grace_s, duties=plan.duties,
        )  # fmt: skip
        return plan.engine, changed

    def _queues(self, given: Mapping[str, Queue]) -> dict[str, Queue]:
        unknown = sorted(set(self.queues or ()) - given.keys())
        if unknown:
            raise ConfigurationError(f"--queue {unknown[0]}: this worker has the queues {', '.join(sorted(given))}")
        kept = {name: queue for name, queue in given.items() if not self.queues or name in self.queues}
        if self.concurrency is None:
            return kept
        return {name: replace(queue, concurrency=self.concurrency) for name, queue in kept.items()}
