"""Steps of runs: read once a run, written at once, those of several runs together."""

import asyncio
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from penstock.context import Job
from penstock.domain.steps import Step
from penstock.errors import ClaimLost, InvalidJob, PayloadTooLarge, StoreUnavailable
from penstock.store.base import Store
from penstock.store.programs.steps import StepRow, StepWrite, await_signal, steps_of, write_steps
from penstock.worker.batches import Batches
from penstock.worker.logs import get_logger
from penstock.worker.outage import Outage
from penstock.worker.pacing import Backoff
from penstock.worker.service import OnFailure, Service

logger = get_logger(__name__)


class StepDesk(Service):
    """Keeps the steps of all runs of a worker. `declared`: the step names that a kind's code declares, `*` in them."""

    def __init__(
        self,
        store: Store,
        declared: Mapping[str, Sequence[str]],
        max_bytes: int,
        outage: Outage,
        on_failure: OnFailure,
    ) -> None:
        super().__init__("steps", on_failure)
        self._store = store
        self._declared = declared
        self._max_bytes = max_bytes
        self._reads: Batches[str, list[StepRow]] = Batches("step reads", self._read, outage, on_failure)
        self._writes: Batches[StepWrite, bool] = Batches("step writes", self._write, outage, on_failure)

    async def start(self) -> None:
        """Begin to read and write."""
        await self._reads.start()
        await self._writes.start()

    async def stop(self) -> None:
        """Read and write no more."""
        await self._reads.stop()
        await self._writes.stop()
        await super().stop()

    def of(self, job: Job[Any]) -> "RunSteps":
        """Those of one run."""
        return RunSteps(self, job)

    def now(self) -> int:
        """The store's time, in µs."""
        return self._store.clock.now()

    def check(self, kind: str, step: Step) -> None:
        """Raises InvalidJob for a name the kind does not declare, PayloadTooLarge for a result over the limit."""
        patterns = self._declared.get(kind)
        is_wait = step.signal is not None or step.until_at is not None
        if patterns and not is_wait and not any(fnmatchcase(step.name, pattern) for pattern in patterns):
            raise InvalidJob(f"kind {kind!r} declares no step {step.name!r}; it declares {', '.join(patterns)}")
        if step.result is not None and len(step.result) > self._max_bytes:
            raise PayloadTooLarge(f"the result of step {step.name!r}", len(step.result), self._max_bytes)

    async def load(self, job_id: str) -> list[StepRow]:
        """What is stored of a job."""
        return await self._reads.ask(job_id)

    async def write(self, write: StepWrite) -> None:
        """Write one. Raises ClaimLost."""
        if not await self._writes.ask(write):
            raise ClaimLost(write.job_id)

    async def await_signal(self, write: StepWrite) -> Step:
        """Look for the signal. Raises ClaimLost."""
        backoff = Backoff()
        while True:
            try:
                return await self._store.run(await_signal(write, self.now()))
            except StoreUnavailable:
                await asyncio.sleep(backoff.next())

    async def _read(self, job_ids: Sequence[str]) -> Sequence[list[StepRow]]:
        found = await self._store.read(steps_of(job_ids))
        return [found[id_] for id_ in job_ids]

    async def _write(self, writes: Sequence[StepWrite]) -> Sequence[bool]:
        written = await self._store.run(write_steps(writes, self.now()))
        return [(write.job_id, write.step.name) in written for write in writes]


class RunSteps:
    """The `StepPort` of one run."""

    def __init__(self, desk: StepDesk, job: Job[Any]) -> None:
        self._desk = desk
        self._job = job

    def now(self) -> int:
        """The store's time, in µs."""
        return self._desk.now()

    async def load(self) -> Mapping[str, Step]:
        """What earlier runs have stored."""
        return {row.step.name: row.step for row in await self._desk.load(self._job.id)}

    async def store(self, step: Step, started_at: int) -> None:
        """Write a step."""
        await self._desk.write(self._row(step, started_at))

    async def await_signal(self, step: Step) -> Step:
        """The step, with a result if its signal is there or its time is over."""
        return await self._desk.await_signal(self._row(step, self.now()))

    def refitted(self, name: str, why: str) -> None:
        """Log that a stored result no longer fits."""
        job = self._job
        logger.warning(
            "the stored result of a step no longer fits; it is done again",
            step=name, reason=why, job_id=job.id, kind=job.kind, attempt=job.attempt,
        )  # fmt: skip

    def _row(self, step: Step, started_at: int) -> StepWrite:
        job = self._job
        self._desk.check(job.kind, step)
        return StepWrite(job.id, job.claim_id, job.attempt, step, started_at)
