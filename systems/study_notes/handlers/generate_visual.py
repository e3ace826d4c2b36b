"""GENERATE_VISUAL."""

from collections.abc import Iterable

from penstock import Job, JobTransaction
from systems.study_notes.application.generate_visual import FoundVisual, GenerateVisual
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.handlers.base import StageHandler
from systems.study_notes.handlers.desk import Desk, WritingUnit
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import GenerateVisualJob


class GenerateVisualHandler(StageHandler[GenerateVisualJob, FoundVisual]):
    """One picture. The job ends well whatever becomes of it, so that the note goes on."""

    handles = GenerateVisualJob

    def __init__(self, desk: Desk, generate: GenerateVisual) -> None:
        super().__init__(desk)
        self._generate = generate

    async def begin(self, uow: WritingUnit, data: GenerateVisualJob) -> Iterable[SourceEvent] | None:
        """See the base class."""
        return () if await self._generate.begin(uow, data.visual_id) else None

    async def prepare(self, job: Job[GenerateVisualJob]) -> FoundVisual | None:
        """See the base class."""
        return await self._generate.prepare(job.data.visual_id)

    async def store(self, uow: WritingUnit, tx: JobTransaction, prepared: FoundVisual) -> None:
        """See the base class."""
        done = await self._generate.store(uow, prepared)
        await publish_all(tx, done.events if done else ())

    async def give_up(self, uow: WritingUnit, tx: JobTransaction, data: GenerateVisualJob, reason: str) -> bool:
        """The visual is FAILED; the job is not."""
        done = await self._generate.give_up(uow, data.visual_id, reason)
        await publish_all(tx, done.events if done else ())
        return False
