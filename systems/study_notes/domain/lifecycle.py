"""Statuses and stages of a source, statuses of a visual, and every legal change between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class SourceType(StrEnum):
    """What was handed in. Markdown, HTML and text files are TEXT with a filename."""

    TEXT = "TEXT"
    YOUTUBE = "YOUTUBE"
    PDF = "PDF"
    IMAGE = "IMAGE"
    AUDIO = "AUDIO"


class SourceStatus(StrEnum):
    """Overall state of a source."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_terminal(self) -> bool:
        """Whether only a request of a person (retry) can leave this status."""
        return self not in ACTIVE


class Stage(StrEnum):
    """The step at which a source stands, in the order of the pipeline (extraction of any type comes first)."""

    TRANSCRIPTION_PENDING = "TRANSCRIPTION_PENDING"
    TRANSCRIPTION_IN_PROGRESS = "TRANSCRIPTION_IN_PROGRESS"
    TRANSCRIPTION_FAILED = "TRANSCRIPTION_FAILED"
    FETCHING_CAPTIONS = "FETCHING_CAPTIONS"
    PDF_DOWNLOADING = "PDF_DOWNLOADING"
    PDF_OCR_IN_PROGRESS = "PDF_OCR_IN_PROGRESS"
    OCR_IMAGE = "OCR_IMAGE"
    ANALYZING_TEXT = "ANALYZING_TEXT"
    PENDING_VISUAL_PROCESSING = "PENDING_VISUAL_PROCESSING"
    GENERATING_VISUALS = "GENERATING_VISUALS"
    PENDING_ASSEMBLY = "PENDING_ASSEMBLY"
    ASSEMBLING_NOTE = "ASSEMBLING_NOTE"
    PENDING_STUDY_TOOLS = "PENDING_STUDY_TOOLS"
    GENERATING_STUDY_TOOLS = "GENERATING_STUDY_TOOLS"

    @property
    def rank(self) -> int:
        """Place in the pipeline; within a run it never falls."""
        return RANKS[self]


class VisualStatus(StrEnum):
    """State of one wanted picture."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    NO_IMAGE_FOUND = "NO_IMAGE_FOUND"

    @property
    def is_finished(self) -> bool:
        """Whether the picture's outcome is settled, in success or failure."""
        return self not in UNFINISHED_VISUAL


RANKS: Mapping[Stage, int] = MappingProxyType({stage: rank for rank, stage in enumerate(Stage)})
EXTRACTION_STAGES = frozenset(stage for stage in Stage if stage.rank < Stage.ANALYZING_TEXT.rank)
ACTIVE = frozenset({SourceStatus.PENDING, SourceStatus.PROCESSING})
RETRYABLE = frozenset({SourceStatus.FAILED, SourceStatus.CANCELLED, SourceStatus.COMPLETED_WITH_ERRORS})
# How a stage is called once it has failed; any other keeps its name.
FAILED_AT: Mapping[Stage, Stage] = MappingProxyType(
    dict.fromkeys((Stage.TRANSCRIPTION_PENDING, Stage.TRANSCRIPTION_IN_PROGRESS), Stage.TRANSCRIPTION_FAILED)
)
# A visual that is PROCESSING may be entered again: its job was lost or is retried.
UNFINISHED_VISUAL = frozenset({VisualStatus.PENDING, VisualStatus.PROCESSING})


@dataclass(frozen=True, slots=True)
class SourceChange:
    """One compare-and-set: where the source must stand, and how it stands afterwards.

    It applies only when the present status is in `from_statuses` and the present stage (None included) is in
    `from_stages`. `error` and `failed_stage` are written as they are, so None clears them. `new_run` raises the
    source's run number by one.
    """

    from_statuses: frozenset[SourceStatus]
    from_stages: frozenset[Stage | None]
    status: SourceStatus
    stage: Stage | None
    error: str | None = None
    failed_stage: Stage | None = None
    new_run: bool = False


ANY_STAGE: frozenset[Stage | None] = frozenset({None, *Stage})


def up_to(stage: Stage) -> frozenset[Stage | None]:
    """All stages from which `stage` may be entered: none yet, an earlier one, or `stage` itself (a second attempt)."""
    return frozenset({None, *(earlier for earlier in Stage if earlier.rank <= stage.rank)})


def enter(stage: Stage) -> SourceChange:
    """A job of the pipeline begins (or leaves the source at) `stage`; a late job of an earlier one cannot go back."""
    return SourceChange(ACTIVE, up_to(stage), SourceStatus.PROCESSING, stage)


def complete() -> SourceChange:
    """The study tools are stored: all is done."""
    return SourceChange(frozenset({SourceStatus.PROCESSING}), ANY_STAGE, SourceStatus.COMPLETED, None)


def complete_with_errors(reason: str) -> SourceChange:
    """The study tools failed for good; the note stays readable."""
    stage = Stage.GENERATING_STUDY_TOOLS
    return SourceChange(
        frozenset({SourceStatus.PROCESSING}), up_to(stage), SourceStatus.COMPLETED_WITH_ERRORS, stage, reason, stage
    )


def fail(stage: Stage, reason: str) -> SourceChange:
    """`stage` failed for good. A source that has already passed it is left alone."""
    return SourceChange(frozenset({SourceStatus.PROCESSING}), up_to(stage), SourceStatus.FAILED, stage, reason, stage)


def cancel(stage: Stage | None) -> SourceChange:
    """A person stops the source at `stage`, which is kept so that a retry knows where to go on."""
    return SourceChange(ACTIVE, frozenset({stage}), SourceStatus.CANCELLED, stage)


def retry(stage: Stage) -> SourceChange:
    """A person starts a new run at `stage`."""
    return SourceChange(RETRYABLE, ANY_STAGE, SourceStatus.PROCESSING, stage, new_run=True)
