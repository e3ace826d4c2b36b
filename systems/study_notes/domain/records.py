"""Sources, visuals and notes as the rules see them (rows without their database)."""

from dataclasses import dataclass

from systems.study_notes.domain.lifecycle import SourceStatus, SourceType, Stage, VisualStatus


@dataclass(frozen=True, slots=True)
class Source:
    """A source without what may be long: extracted text, lesson structure and metadata are asked for separately.

    `run_number` starts at 1 and is raised by each retry request; `flow_id` is the job engine's id of the current run;
    `language_code` is ISO 639-3 or None while unknown.
    """

    id: int
    user_id: int
    type: SourceType
    status: SourceStatus
    stage: Stage | None = None
    error: str | None = None
    failed_stage: Stage | None = None
    run_number: int = 1
    flow_id: str | None = None
    folder_id: int | None = None
    title: str | None = None
    filename: str | None = None
    storage_path: str | None = None
    url: str | None = None
    language_code: str | None = None


@dataclass(frozen=True, slots=True)
class Visual:
    """The picture wanted for a placeholder, and what became of it."""

    id: int
    source_id: int
    placeholder_id: str
    concept: str
    description: str
    search_query: str
    status: VisualStatus = VisualStatus.PENDING
    image_url: str | None = None
    alt_text: str | None = None
    source_url: str | None = None
    source_title: str | None = None
    provider: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class VisualCounts:
    """How many visuals a source has; `finished` includes `failed` (status FAILED)."""

    total: int = 0
    finished: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """A stored note, as far as making its study tools needs it."""

    id: int
    source_id: int
    markdown: str
    language_code: str
