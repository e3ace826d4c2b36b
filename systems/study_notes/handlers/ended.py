"""What is written when a job has ended without its handler: lost or timed out on its last attempt, or cancelled."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from penstock import Job, JobEnded
from systems.study_notes.application.fail_source import FailSource
from systems.study_notes.application.generate_study_tools import GenerateStudyTools
from systems.study_notes.application.generate_visual import GenerateVisual
from systems.study_notes.domain.events import SourceEvent
from systems.study_notes.domain.lifecycle import Stage
from systems.study_notes.handlers.base import LoggedHandler
from systems.study_notes.handlers.desk import Desk, WritingUnit
from systems.study_notes.handlers.events import publish_all
from systems.study_notes.handlers.jobs import GenerateStudyToolsJob, SourceStageEnded, VisualEnded

E = TypeVar("E", bound=JobEnded)


class EndedHandler(LoggedHandler[E], Generic[E]):
    """Writes the failure of what the ended job was about.

    Nothing when that has ended already (a person's cancel), or is in another run by now (a cancel and then a retry).
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def run(self, job: Job[E]) -> str | None:
        """See the base class."""
        async with self._desk.units() as uow, job.transaction(on=uow.session) as tx:
            source_id = await self.source_of(uow, job.data)
            source = await uow.sources.hold(source_id) if source_id is not None else None
            if source is not None and source.flow_id == job.data.flow_id:
                await publish_all(tx, await self.failed(uow, job.data))
            tx.complete()
        return None

    @abstractmethod
    async def source_of(self, uow: WritingUnit, ended: E) -> int | None:
        """The id of the source that the ended job worked for; None when it is gone."""

    @abstractmethod
    async def failed(self, uow: WritingUnit, ended: E) -> Iterable[SourceEvent]:
        """Write it; what is to be told."""


class SourceStageEndedHandler(EndedHandler[SourceStageEnded]):
    """FAILED with the stage of the ended kind; for study tools COMPLETED_WITH_ERRORS."""

    handles = SourceStageEnded

    def __init__(
        self, desk: Desk, failing: FailSource, tools: GenerateStudyTools, stages: Mapping[str, Sequence[Stage]]
    ) -> None:
        """`stages`: those that each kind brings its source to, without the study tools."""
        super().__init__(desk)
        self._failing = failing
        self._tools = tools
        self._stages = stages

    async def source_of(self, uow: WritingUnit, ended: SourceStageEnded) -> int | None:
        """See the base class."""
        if ended.kind != GenerateStudyToolsJob.job_kind.kind:
            return int(ended.data["source_id"])
        note = await uow.notes.get(int(ended.data["note_id"]))
        return note.source_id if note else None

    async def failed(self, uow: WritingUnit, ended: SourceStageEnded) -> Iterable[SourceEvent]:
        """See the base class."""
        if ended.kind == GenerateStudyToolsJob.job_kind.kind:
            finished = await self._tools.give_up(uow, int(ended.data["note_id"]), _reason(ended))
            return finished.events if finished else ()
        return await self._failing.fail(uow, int(ended.data["source_id"]), self._stages[ended.kind], _reason(ended))


class VisualEndedHandler(EndedHandler[VisualEnded]):
    """The visual is FAILED; the note goes on."""

    handles = VisualEnded

    def __init__(self, desk: Desk, generate: GenerateVisual) -> None:
        super().__init__(desk)
        self._generate = generate

    async def source_of(self, uow: WritingUnit, ended: VisualEnded) -> int | None:
        """See the base class."""
        visual = await uow.visuals.get(int(ended.data["visual_id"]))
        return visual.source_id if visual else None

    async def failed(self, uow: WritingUnit, ended: VisualEnded) -> Iterable[SourceEvent]:
        """See the base class."""
        done = await self._generate.give_up(uow, int(ended.data["visual_id"]), _reason(ended))
        return done.events if done else ()


def _reason(ended: JobEnded) -> str:
    return f"the work was {ended.state} before it could finish: {ended.reason}"
