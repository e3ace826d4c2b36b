"""What a run's `Job` writes through: progress and streams here, everything else by the engine's producer."""

from collections.abc import Sequence
from typing import Any

from penstock.context import Job
from penstock.context.steps import StepPort
from penstock.context.streams import Stream
from penstock.domain.events import Event
from penstock.domain.job import JobData
from penstock.store.programs.settle import Progress
from penstock.worker.engine import RunProducer
from penstock.worker.progress import ProgressWriter
from penstock.worker.redaction import Redactor
from penstock.worker.steps import StepDesk
from penstock.worker.streams import StreamDesk


class WorkerPort:
    """The `RunPort` of all runs of a worker."""

    def __init__(
        self,
        producer: RunProducer,
        progress: ProgressWriter,
        steps: StepDesk,
        streams: StreamDesk,
        redactor: Redactor,
        worker: str,
    ) -> None:
        self._producer = producer
        self._progress = progress
        self._steps = steps
        self._streams = streams
        self._redactor = redactor
        self._worker = worker

    def progress(self, job: Job[Any], share: float | None, message: str | None) -> None:
        """Note the latest progress. From any thread."""
        if message is not None:
            message = self._redactor.clean(job.id, job.claim_id, message)
        self._progress.note(Progress(job.id, job.claim_id, share, message))

    async def enqueue_many(self, job: Job[Any], data: Sequence[JobData], options: dict[str, Any]) -> Sequence[Any]:
        """Enqueue on behalf of the run."""
        return await self._producer.enqueue_for_run(job, data, options)

    async def publish(self, job: Job[Any], events: Sequence[tuple[Event, str | None]], on: Any = None) -> None:
        """Publish on behalf of the run."""
        await self._producer.publish_for_run(job, events, on)

    def transaction(self, job: Job[Any], on: Any) -> Any:
        """The transaction that ends the run's job."""
        return self._producer.transaction_for_run(job, on, self._worker)

    async def parent_results(self, job: Job[Any]) -> dict[str, Any]:
        """Results of the jobs before this one."""
        return await self._producer.parent_results(job)

    def steps(self, job: Job[Any]) -> StepPort:
        """The steps of the run."""
        return self._steps.of(job)

    def stream(self, job: Job[Any], name: str) -> Stream:
        """A stream of the run."""
        return self._streams.open(job, name)
