"""What all handlers work with: the engine, units of work on its database, and the options of what they enqueue."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from penstock import Exponential, JobData, Penstock
from systems.study_notes.application.ports import Clock
from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.domain.records import Source
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import ATTEMPTS, QUEUE, RETRY, GenerateStudyToolsJob, GenerateVisualJob


class WritingUnit(UnitOfWork, Protocol):
    """A unit of work whose session the engine can write through."""

    @property
    def session(self) -> AsyncSession: ...


class WriteUnits(Protocol):
    """Opens a unit for writing; nothing of it stays unless its session is committed."""

    def __call__(self) -> AbstractAsyncContextManager[WritingUnit]: ...


@dataclass(frozen=True, slots=True)
class Enqueueing:
    """What a deployment chooses for all jobs: queue, attempts, and seconds before the second attempt."""

    queue: str = QUEUE
    attempts: int = ATTEMPTS
    backoff_s: float = RETRY.base

    @property
    def retry(self) -> Exponential:
        """The policy of every job."""
        return Exponential(base=self.backoff_s, factor=RETRY.factor, jitter=RETRY.jitter)

    def options(self, job: JobData, source: Source) -> dict[str, Any]:
        """Options for one job of a source's present run. Its key keeps a second one of the same run from being made."""
        return {
            "queue": self.queue,
            "max_attempts": self.attempts,
            "retry": self.retry,
            "tenant": tenant_of(source.user_id),
            "unique": f"{job.job_kind.kind}:{_number(job)}:{source.run_number}",
        }


@dataclass(frozen=True, slots=True)
class Desk:
    """See the module."""

    engine: Penstock
    units: WriteUnits
    enqueueing: Enqueueing
    clock: Clock

    async def tell(self, uow: WritingUnit, events: Iterable[SourceEvent]) -> None:
        """Publish in the unit's transaction, which stays open."""
        async with self.engine.transaction(on=uow.session) as tx:
            await publish_all(tx, events)


def tenant_of(user_id: int) -> str:
    """Jobs of different learners take turns."""
    return f"user:{user_id}"


def _number(job: JobData) -> int:
    """The id a job's key is made with: of its visual, its note or its source."""
    if isinstance(job, GenerateVisualJob):
        return job.visual_id
    if isinstance(job, GenerateStudyToolsJob):
        return job.note_id
    fields: Mapping[str, Any] = job.model_dump(include={"source_id"})
    return int(fields["source_id"])
