"""PROCESS_VISUAL_PLACEHOLDERS: fan-out to one job per picture, and fan-in to the assembly, in one transaction."""

from collections.abc import Iterable

from penstock import Job, JobHandle, JobTransaction, When
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.application.process_visual_placeholders import PlaceholdersPlaced, ProcessVisualPlaceholders
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.domain.records import Source
from systems.study_notes.handlers.desk import Desk, WritingUnit
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import AssembleNoteJob, GenerateVisualJob, ProcessVisualPlaceholdersJob
from systems.study_notes.handlers.source_stage import SourceStageHandler


class ProcessVisualPlaceholdersHandler(SourceStageHandler[ProcessVisualPlaceholdersJob, int]):
    """Everything is in the database: there is nothing to prepare."""

    handles = ProcessVisualPlaceholdersJob
    stages = (ProcessVisualPlaceholders.stage,)

    def __init__(self, desk: Desk, failing: FailSource, place: ProcessVisualPlaceholders) -> None:
        super().__init__(desk, failing)
        self._place = place

    async def begin(self, uow: WritingUnit, data: ProcessVisualPlaceholdersJob) -> Iterable[SourceEvent] | None:
        """Nothing is marked: the stage of the waiting job is this job's own."""
        return ()

    async def prepare(self, job: Job[ProcessVisualPlaceholdersJob]) -> int | None:
        """The source's id."""
        return job.data.source_id

    async def store(self, uow: WritingUnit, tx: JobTransaction, prepared: int) -> None:
        """See the module. Without pictures the assembly is ready at once."""
        placed = await self._place.store(uow, prepared)
        source = await uow.sources.get(prepared) if placed else None
        if placed is None or source is None:
            return
        await publish_all(tx, placed.events)
        pictures = await self._fan_out(tx, placed, source)
        assembly = AssembleNoteJob(source_id=prepared)
        options = self._desk.enqueueing.options(assembly, source)
        await tx.enqueue(assembly, after=pictures, when=When.ALL_ENDED, **options)

    async def _fan_out(self, tx: JobTransaction, placed: PlaceholdersPlaced, source: Source) -> list[JobHandle]:
        jobs = [GenerateVisualJob(visual_id=visual_id) for visual_id in placed.visual_ids]
        return [await tx.enqueue(job, **self._desk.enqueueing.options(job, source)) for job in jobs]
