"""The kinds of jobs, their data and their fixed options; what a deployment chooses is in `enqueueing.py`."""

from collections.abc import Mapping
from types import MappingProxyType

from penstock import Exponential, JobData, JobEnded
from systems.study_notes.domain.lifecycle import SourceType

QUEUE = "note-processing"
ATTEMPTS = 3
# 1 s before the second attempt, 2 s before the third, each ± 25 %.
RETRY = Exponential(base=1.0, factor=2.0, jitter=0.25)
# What tells of an end must outlive a database that is away for a while, and comes before other work.
END_ATTEMPTS = 20


class SourceStageEnded(
    JobEnded,
    kind="SOURCE_STAGE_ENDED",
    queue=QUEUE,
    max_attempts=END_ATTEMPTS,
    retry=RETRY,
    timeout=60,
    priority="high",
):
    """A stage's job ended without its handler: lost or timed out on its last attempt, or cancelled by an operator."""


class VisualEnded(
    JobEnded, kind="VISUAL_ENDED", queue=QUEUE, max_attempts=END_ATTEMPTS, retry=RETRY, timeout=60, priority="high"
):
    """A picture's job ended without its handler."""


class ExtractYoutubeJob(
    JobData,
    kind="EXTRACT_YOUTUBE",
    queue=QUEUE,
    max_attempts=ATTEMPTS,
    retry=RETRY,
    timeout=60,
    ended_by=SourceStageEnded,
):
    """Fetch the captions of a video."""

    source_id: int


class ExtractPdfJob(
    JobData,
    kind="EXTRACT_PDF",
    queue=QUEUE,
    max_attempts=ATTEMPTS,
    retry=RETRY,
    timeout=300,
    steps=("page *",),
    ended_by=SourceStageEnded,
):
    """Read the text of an uploaded PDF."""

    source_id: int
    earlier_job: str | None = None


class ExtractImageJob(
    JobData,
    kind="EXTRACT_IMAGE",
    queue=QUEUE,
    max_attempts=ATTEMPTS,
    retry=RETRY,
    timeout=120,
    steps=("picture",),
    ended_by=SourceStageEnded,
):
    """Read the text of an uploaded picture."""

    source_id: int
    earlier_job: str | None = None


class TranscribeAudioJob(
    JobData,
    kind="TRANSCRIBE_AUDIO",
    queue=QUEUE,
    max_attempts=ATTEMPTS,
    retry=RETRY,
    timeout=3_600,
    steps=("chunk *",),
    ended_by=SourceStageEnded,
):
    """Write down what is said in an uploaded recording."""

    source_id: int
    earlier_job: str | None = None


class ProcessSourceTextJob(
    JobData,
    kind="PROCESS_SOURCE_TEXT",
    queue=QUEUE,
    max_attempts=ATTEMPTS,
    retry=RETRY,
    timeout=300,
    steps=("chunk *", "tags"),
    ended_by=SourceStageEnded,
):
    """Make the lesson of a text; `text_content` None: the text stands with the source."""

    source_id: int
    text_content: str | None = None


class ProcessVisualPlaceholdersJob(
    JobData,
    kind="PROCESS_VISUAL_PLACEHOLDERS",
    queue=QUEUE,
    max_attempts=ATTEMPTS,
    retry=RETRY,
    timeout=60,
    ended_by=SourceStageEnded,
):
    """Find out which pictures a lesson wants, and fan out."""

    source_id: int


class GenerateVisualJob(
    JobData,
    kind="GENERATE_VISUAL",
    queue=QUEUE,
    max_attempts=ATTEMPTS,
    retry=RETRY,
    timeout=60,
    ended_by=VisualEnded,
):
    """Find one picture."""

    visual_id: int


class AssembleNoteJob(
    JobData,
    kind="ASSEMBLE_NOTE",
    queue=QUEUE,
    max_attempts=ATTEMPTS,
    retry=RETRY,
    timeout=60,
    ended_by=SourceStageEnded,
):
    """Make the note, once every picture's job has ended."""

    source_id: int


class GenerateStudyToolsJob(
    JobData,
    kind="GENERATE_STUDY_TOOLS",
    queue=QUEUE,
    max_attempts=ATTEMPTS,
    retry=RETRY,
    timeout=180,
    steps=("quiz", "flashcards"),
    ended_by=SourceStageEnded,
):
    """Make quiz and flashcards of a note."""

    note_id: int


# 64 KiB: a longer text is read from the source instead of being carried by the job.
MAX_TEXT_BYTES = 65_536


def text_job(source_id: int, text: str | None) -> ProcessSourceTextJob:
    """The job for a text of any length."""
    carried = text if text is not None and len(text.encode("utf-8", "replace")) <= MAX_TEXT_BYTES else None
    return ProcessSourceTextJob(source_id=source_id, text_content=carried)


# `earlier_job` is that of the run before: what its steps have is not asked for again.
ExtractionJob = ExtractYoutubeJob | ExtractPdfJob | ExtractImageJob | TranscribeAudioJob

EXTRACTIONS: Mapping[SourceType, type[ExtractionJob]] = MappingProxyType(
    {
        SourceType.YOUTUBE: ExtractYoutubeJob,
        SourceType.PDF: ExtractPdfJob,
        SourceType.IMAGE: ExtractImageJob,
        SourceType.AUDIO: TranscribeAudioJob,
    }
)
"""The job by which a source of each type begins; a text has none."""
