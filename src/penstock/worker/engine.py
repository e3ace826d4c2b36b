"""What a worker needs of the engine it works for; `Penstock` has all of it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from penstock.config import Settings
from penstock.context import Job
from penstock.domain.events import Event
from penstock.domain.job import JobData
from penstock.ledger import Ledger
from penstock.sealing import Keyring
from penstock.store.base import Store
from penstock.store.programs.upkeep import Declared


class RunProducer(Protocol):
    """Writes on behalf of a run, each fenced by its claim (`job.id`, `job.claim_id`); all may raise ClaimLost."""

    async def enqueue_for_run(self, job: Job[Any], data: Sequence[JobData], options: dict[str, Any]) -> Sequence[Any]:
        """Enqueue in the job's flow, unless told otherwise; answers handles."""
        ...

    async def publish_for_run(self, job: Job[Any], events: Sequence[tuple[Event, str | None]], on: Any = None) -> None:
        """Publish (event, subject) pairs."""
        ...

    def transaction_for_run(self, job: Job[Any], on: Any, worker: str) -> AbstractAsyncContextManager[Any]:
        """The transaction that ends the job, written in the name of `worker`. Once committed it has set `job.ended`."""
        ...

    async def parent_results(self, job: Job[Any]) -> dict[str, Any]:
        """Results of the jobs this one comes after, by id."""
        ...


class Engine(Protocol):
    """An engine whose store is open for as long as the worker runs."""

    @property
    def store(self) -> Store:
        """Where the jobs are."""
        ...

    @property
    def settings(self) -> Settings:
        """What the engine was told."""
        ...

    @property
    def keyring(self) -> Keyring:
        """Opens sealed secrets."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Lets model calls through, knows what waits for that, and which sinks are told of calls."""
        ...

    @property
    def schedules(self) -> Mapping[str, Declared]:
        """The schedules this code declares, by name."""
        ...

    @property
    def producer(self) -> RunProducer:
        """Writes on behalf of runs."""
        ...
