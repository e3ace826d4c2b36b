"""How far a run is: its jobs by kind, its pictures, its percent."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock import JobState
from systems.study_notes.application.source_status import StatusView
from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from systems.study_notes.wiring import StudyNotes

KINDS = {
    "EXTRACT_YOUTUBE": "Fetch the captions",
    "EXTRACT_PDF": "Read the PDF",
    "EXTRACT_IMAGE": "Read the picture",
    "TRANSCRIBE_AUDIO": "Write down what is said",
    "PROCESS_SOURCE_TEXT": "Write the lesson",
    "PROCESS_VISUAL_PLACEHOLDERS": "Place the pictures",
    "GENERATE_VISUAL": "Make the pictures",
    "ASSEMBLE_NOTE": "Assemble the note",
    "GENERATE_STUDY_TOOLS": "Make quiz and cards",
}
_MOST_JOBS = 10_000
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class KindState:
    """All jobs of one kind. `seconds` is from the first start to the last end, so far; `retries` counts attempts
    beyond the first of each job."""

    kind: str
    total: int
    ended: int
    running: int
    failed: int
    retries: int
    seconds: float

    @property
    def label(self) -> str:
        """What the jobs do, in words."""
        return KINDS.get(self.kind, self.kind)

    @property
    def word(self) -> str:
        """The state in one word."""
        if self.failed:
            return "failed"
        if self.ended == self.total:
            return "done"
        return "running" if self.running or self.ended else "waiting"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The run at one moment."""

    percent: int
    status: SourceStatus
    stage: Stage | None
    error: str | None
    kinds: Sequence[KindState]
    note_id: int | None
    flow_id: str

    @property
    def is_over(self) -> bool:
        """Whether the source has ended."""
        return self.status.is_terminal


async def take_snapshot(notes: StudyNotes, view: StatusView, flow_id: str) -> Snapshot:
    """The run of `flow_id` now, in the order of the pipeline."""
    jobs = await notes.engine.flows.jobs(flow_id, _MOST_JOBS)
    kinds = []
    for kind in KINDS:
        mine = [job for job in jobs if job.kind == kind]
        if not mine:
            continue
        begins = [job.started_at for job in mine if job.started_at is not None]
        ends = [job.finished_at for job in mine if job.finished_at is not None]
        kinds.append(
            KindState(
                kind=kind,
                total=len(mine),
                ended=len(ends),
                running=sum(job.state == JobState.RUNNING for job in mine),
                failed=sum(job.state == JobState.FAILED for job in mine),
                retries=sum(max(0, job.attempt - 1) for job in mine),
                seconds=max(0.0, (max(ends) - min(begins)) / _MICROSECONDS) if begins and ends else 0.0,
            )
        )
    return Snapshot(view.percent, view.status, view.stage, view.error, kinds, view.note_id, flow_id)
