"""How every job of the pipeline is run, logged, retried and given up: in one place."""

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

from penstock import ClaimLost, Job, JobData, JobTransaction, Retry, Snooze
from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.handlers.desk import Desk, WritingUnit

logger = logging.getLogger(__name__)

D = TypeVar("D", bound=JobData)
P = TypeVar("P")

# Before a failure that could not be written is tried again.
_GIVE_UP_AGAIN_S = 5.0


class LoggedHandler(ABC, Generic[D]):
    """Runs a job and logs its end with kind, id, attempt, duration and error."""

    handles: ClassVar[type[JobData]]

    async def process_job(self, job: Job[D]) -> None:
        """Run it. Raises what the engine is to know: `Retry`, `Snooze`, `ClaimLost`, or a failed attempt's error."""
        began = time.monotonic()
        fields: dict[str, object] = {"kind": job.kind, "job_id": job.id, "attempt": job.attempt}
        try:
            failure = await self.run(job)
        except Exception as error:
            fields["error"] = f"{type(error).__name__}: {error}"
            logger.info("attempt not finished", extra=fields | {"duration_s": _since(began)})
            raise
        fields["duration_s"] = _since(began)
        if failure is None:
            logger.info("job completed", extra=fields)
        else:
            logger.warning("job failed", extra=fields | {"error": failure})

    @abstractmethod
    async def run(self, job: Job[D]) -> str | None:
        """Do the work; why the job has failed for good, None when it has completed."""


class StageHandler(LoggedHandler[D], Generic[D, P]):
    """A job in three steps: `begin` (a short transaction), `prepare` (slow, no transaction is open), `store` (the
    transaction that also ends the job).

    An error of `begin`, `prepare` or `store` is retried while attempts are left; then, or at once when it is permanent,
    `give_up` writes what the learner is to see, and ends the job in the same transaction.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @abstractmethod
    async def begin(self, uow: WritingUnit, data: D) -> Iterable[SourceEvent] | None:
        """Mark the work as begun and answer what is to be told; None when nothing is left to do."""

    @abstractmethod
    async def prepare(self, job: Job[D]) -> P | None:
        """Do the slow part, in steps where a repetition would cost; None when what it is about is gone."""

    @abstractmethod
    async def store(self, uow: WritingUnit, tx: JobTransaction, prepared: P) -> None:
        """Write, tell and enqueue what follows."""

    @abstractmethod
    async def give_up(self, uow: WritingUnit, tx: JobTransaction, data: D, reason: str) -> bool:
        """Write and tell the failure; whether the job itself has failed with it."""

    async def run(self, job: Job[D]) -> str | None:
        """See the class."""
        try:
            await self._work(job)
        except (ClaimLost, Retry, Snooze):
            raise
        except PermanentSourceError as error:
            return await self._end(job, error.reason)
        except StageError as error:
            if job.is_last_attempt:
                return await self._end(job, error.reason)
            if error.retry_after_s is None:
                raise
            policy_s = self._desk.enqueueing.retry.base * 2 ** (job.attempt - 1)
            raise Retry(error.reason, after=max(error.retry_after_s, policy_s)) from error
        except Exception as error:
            if not job.is_last_attempt:
                raise
            logger.exception("a stage failed unexpectedly", extra={"kind": job.kind, "job_id": job.id})
            return await self._end(job, f"an unexpected error stopped this stage ({type(error).__name__})")
        return None

    async def _work(self, job: Job[D]) -> None:
        async with self._desk.units() as uow:
            told = await self.begin(uow, job.data)
            if told is None:
                return
            await self._desk.tell(uow, told)
            await uow.session.commit()
        prepared = await self.prepare(job)
        async with self._desk.units() as uow, job.transaction(on=uow.session) as tx:
            if prepared is not None:
                await self.store(uow, tx, prepared)
            tx.complete()

    async def _next(self, uow: WritingUnit, tx: JobTransaction, source_id: int, job: JobData) -> None:
        """Enqueue what follows in the source's flow, in the transaction that ends this job."""
        source = await uow.sources.get(source_id)
        if source is not None:
            await tx.enqueue(job, **self._desk.enqueueing.options(job, source))

    async def _end(self, job: Job[D], reason: str) -> str | None:
        try:
            async with self._desk.units() as uow, job.transaction(on=uow.session) as tx:
                failed = await self.give_up(uow, tx, job.data, reason)
                if failed:
                    tx.fail(reason)
                else:
                    tx.complete()
        except ClaimLost:
            raise
        except Exception as error:
            # The job must not end while its source still says PROCESSING: nobody would ever end that.
            logger.exception("a failure could not be written", extra={"kind": job.kind, "job_id": job.id})
            raise Snooze(_GIVE_UP_AGAIN_S, f"its failure could not be written: {error}") from error
        return reason if failed else None


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
