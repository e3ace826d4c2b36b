"""What all extractions have in common: they end with a text, and PROCESS_SOURCE_TEXT comes next."""

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from penstock import Job, JobTransaction
from systems.study_notes.application.extraction import ExtractedText, StoreText
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.application.ports import Steps
from systems.study_notes.application.progress import Entered
from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.handlers.desk import Desk, WritingUnit
from systems.study_notes.handlers.earlier import with_earlier_steps
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import ExtractionJob, text_job
from systems.study_notes.handlers.source_stage import SourceStageHandler

E = TypeVar("E", bound=ExtractionJob)


class Extraction(Protocol):
    """A use case that extracts a text."""

    async def begin(self, uow: UnitOfWork, source_id: int) -> Entered | None: ...


class PreparedExtraction(Extraction, Protocol):
    """One that does its slow part at one go."""

    async def prepare(self, source_id: int, steps: Steps) -> ExtractedText | None: ...


class ExtractionHandler(SourceStageHandler[E, ExtractedText], Generic[E]):
    """The text of a source, then PROCESS_SOURCE_TEXT."""

    def __init__(self, desk: Desk, failing: FailSource, storing: StoreText, extract: Extraction) -> None:
        super().__init__(desk, failing)
        self._storing = storing
        self._begin = extract.begin

    async def begin(self, uow: WritingUnit, data: E) -> Iterable[SourceEvent] | None:
        """See the base class."""
        entered = await self._begin(uow, data.source_id)
        return entered.events if entered else None

    async def steps(self, job: Job[E]) -> Steps:
        """The steps of the job, with those that an earlier run has done."""
        return await with_earlier_steps(self._desk.engine, job, getattr(job.data, "earlier_job", None))

    async def store(self, uow: WritingUnit, tx: JobTransaction, prepared: ExtractedText) -> None:
        """See the base class."""
        stored = await self._storing.store(uow, prepared)
        if stored is None:
            return
        await publish_all(tx, stored.events)
        await self._next(uow, tx, prepared.source_id, text_job(prepared.source_id, stored.text))


class OneGoHandler(ExtractionHandler[E], Generic[E]):
    """An extraction whose slow part is one call."""

    def __init__(self, desk: Desk, failing: FailSource, storing: StoreText, extract: PreparedExtraction) -> None:
        super().__init__(desk, failing, storing, extract)
        self._prepare = extract.prepare

    async def prepare(self, job: Job[E]) -> ExtractedText | None:
        """See the base class."""
        return await self._prepare(job.data.source_id, await self.steps(job))
