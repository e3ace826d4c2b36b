"""In-memory rows and ports for the use cases: one `World` per test."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from penstock.ai import ModelAnswer, ModelFailure, ModelRequest
from systems.study_notes.application.ports import PdfPages, Picture
from systems.study_notes.application.repositories import Analysis, NewSource, NoteDraft, UnitOfWork, VisualResult
from systems.study_notes.domain.errors import PermanentSourceError, TooLarge
from systems.study_notes.domain.lifecycle import SourceChange, SourceStatus, SourceType, VisualStatus
from systems.study_notes.domain.placeholders import Placeholder
from systems.study_notes.domain.records import Note, Source, Visual, VisualCounts
from systems.study_notes.domain.similarity import ImageCandidate
from systems.study_notes.domain.study_tools import Flashcard, QuizItem

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        return NOW


class MemoryUsers:
    def __init__(self) -> None:
        self.ids: set[int] = set()

    async def ensure(self, user_id: int, now: datetime) -> None:
        self.ids.add(user_id)


class MemoryFolders:
    def __init__(self) -> None:
        self.owners: dict[int, int] = {}

    async def belongs_to(self, folder_id: int, user_id: int) -> bool:
        return self.owners.get(folder_id) == user_id


class MemorySources:
    def __init__(self) -> None:
        self.rows: dict[int, Source] = {}
        self.texts: dict[int, str] = {}
        self.structures: dict[int, Mapping[str, object]] = {}
        self.known: dict[int, Any] = {}

    async def add(self, source: NewSource, now: datetime) -> int:
        source_id = len(self.rows) + 1
        self.rows[source_id] = Source(
            id=source_id,
            user_id=source.user_id,
            type=source.type,
            status=SourceStatus.PENDING,
            folder_id=source.folder_id,
            title=source.title,
            filename=source.filename,
            storage_path=source.storage_path,
            url=source.url,
            stage=source.stage,
            language_code=source.language_code,
        )
        if source.extracted_text is not None:
            self.texts[source_id] = source.extracted_text
        return source_id

    async def get(self, source_id: int) -> Source | None:
        return self.rows.get(source_id)

    async def hold(self, source_id: int) -> Source | None:
        return self.rows.get(source_id)

    async def text(self, source_id: int) -> str | None:
        return self.texts.get(source_id)

    async def structure(self, source_id: int) -> Mapping[str, object] | None:
        return self.structures.get(source_id)

    async def metadata(self, source_id: int) -> Mapping[str, object]:
        return self.known.get(source_id, {})

    async def change(self, source_id: int, change: SourceChange, now: datetime) -> bool:
        row = self.rows.get(source_id)
        if row is None or row.status not in change.from_statuses or row.stage not in change.from_stages:
            return False
        self.rows[source_id] = replace(
            row,
            status=change.status,
            stage=change.stage,
            error=change.error,
            failed_stage=change.failed_stage,
            run_number=row.run_number + change.new_run,
        )
        return True

    async def set_text(self, source_id: int, text: str, now: datetime) -> None:
        self.texts[source_id] = text

    async def set_analysis(self, source_id: int, analysis: Analysis, now: datetime) -> None:
        self.structures[source_id] = analysis.structure
        self.known[source_id] = dict(analysis.metadata)
        self._set(source_id, title=analysis.title, language_code=analysis.language_code)

    async def set_metadata(self, source_id: int, metadata: Mapping[str, object], now: datetime) -> None:
        self.known[source_id] = dict(metadata)

    async def set_flow(self, source_id: int, flow_id: str, now: datetime) -> None:
        self._set(source_id, flow_id=flow_id)

    async def delete(self, source_id: int) -> None:
        del self.rows[source_id]

    def _set(self, source_id: int, **values: Any) -> None:
        self.rows[source_id] = replace(self.rows[source_id], **values)


class MemoryVisuals:
    def __init__(self) -> None:
        self.rows: dict[int, Visual] = {}

    async def get(self, visual_id: int) -> Visual | None:
        return self.rows.get(visual_id)

    async def of_source(self, source_id: int) -> Sequence[Visual]:
        return [visual for visual in self.rows.values() if visual.source_id == source_id]

    async def counts(self, source_id: int) -> VisualCounts:
        found = await self.of_source(source_id)
        finished = sum(visual.status.is_finished for visual in found)
        return VisualCounts(len(found), finished, sum(visual.status is VisualStatus.FAILED for visual in found))

    async def add_missing(self, source_id: int, placeholders: Sequence[Placeholder], now: datetime) -> list[int]:
        ids = {visual.placeholder_id: visual.id for visual in await self.of_source(source_id)}
        for wanted in placeholders:
            if wanted.placeholder_id not in ids:
                visual_id = ids[wanted.placeholder_id] = len(self.rows) + 1
                self.rows[visual_id] = Visual(
                    visual_id,
                    source_id,
                    wanted.placeholder_id,
                    wanted.concept,
                    wanted.description,
                    wanted.search_query,
                )
        return [ids[wanted.placeholder_id] for wanted in placeholders]

    async def start(self, visual_id: int, now: datetime) -> bool:
        visual = self.rows.get(visual_id)
        if visual is None or visual.status.is_finished:
            return False
        self.rows[visual_id] = replace(visual, status=VisualStatus.PROCESSING)
        return True

    async def finish(self, visual_id: int, result: VisualResult, now: datetime) -> bool:
        visual = self.rows.get(visual_id)
        if visual is None or visual.status.is_finished:
            return False
        self.rows[visual_id] = replace(
            visual,
            status=result.status,
            image_url=result.image_url,
            alt_text=result.alt_text,
            source_url=result.source_url,
            source_title=result.source_title,
            provider=result.provider,
            error_message=result.error_message,
        )
        return True


class MemoryNotes:
    def __init__(self) -> None:
        self.rows: dict[int, NoteDraft] = {}
        self.tags: dict[int, list[str]] = {}

    async def get(self, note_id: int) -> Note | None:
        draft = self.rows.get(note_id)
        return Note(note_id, draft.source_id, draft.markdown_content, draft.language_code) if draft else None

    async def id_of_source(self, source_id: int) -> int | None:
        return next((note_id for note_id, draft in self.rows.items() if draft.source_id == source_id), None)

    async def save(self, draft: NoteDraft, now: datetime) -> int:
        note_id = await self.id_of_source(draft.source_id) or 100 + len(self.rows)
        self.rows[note_id] = draft
        return note_id

    async def set_tags(self, note_id: int, user_id: int, names: Sequence[str]) -> None:
        self.tags[note_id] = list(names)


class MemoryStudyTools:
    def __init__(self) -> None:
        self.quiz: dict[int, Sequence[QuizItem]] = {}
        self.flashcards: dict[int, Sequence[Flashcard]] = {}

    async def replace(self, note_id: int, quiz: Sequence[QuizItem], flashcards: Sequence[Flashcard]) -> None:
        self.quiz[note_id], self.flashcards[note_id] = quiz, flashcards


@dataclass
class World:
    """All rows; itself the unit of work. `open_units` tells whether a unit of work is open at the moment."""

    users: MemoryUsers = field(default_factory=MemoryUsers)
    folders: MemoryFolders = field(default_factory=MemoryFolders)
    sources: MemorySources = field(default_factory=MemorySources)
    visuals: MemoryVisuals = field(default_factory=MemoryVisuals)
    notes: MemoryNotes = field(default_factory=MemoryNotes)
    study_tools: MemoryStudyTools = field(default_factory=MemoryStudyTools)
    open_units: int = 0

    @asynccontextmanager
    async def reads(self) -> AsyncIterator[UnitOfWork]:
        self.open_units += 1
        try:
            yield self
        finally:
            self.open_units -= 1

    def put(self, **values: Any) -> int:
        """A source with the given values."""
        source_id = len(self.sources.rows) + 1
        given: dict[str, Any] = {"user_id": 1, "type": SourceType.TEXT, "status": SourceStatus.PROCESSING} | values
        self.sources.rows[source_id] = Source(id=source_id, **given)
        return source_id

    def source(self, source_id: int) -> Source:
        return self.sources.rows[source_id]

    def stands(self, source_id: int) -> tuple[SourceStatus, object]:
        return self.source(source_id).status, self.source(source_id).stage


@dataclass
class ScriptedModel:
    """Answers each task with its script: a text, an error, or a function of the request. Keeps the requests."""

    world: World
    scripts: dict[str, str | ModelFailure | Callable[[ModelRequest], str]]
    requests: list[ModelRequest] = field(default_factory=list)

    async def ask(self, request: ModelRequest[Any], **told: Any) -> ModelAnswer[Any] | ModelFailure:
        assert self.world.open_units == 0, "a unit of work is open during a model call"
        self.requests.append(request)
        script = self.scripts[task_of(request)]
        if isinstance(script, ModelFailure):
            return script
        text = script if isinstance(script, str) else script(request)
        if "on_text" in told:
            told["on_text"](text)
        return ModelAnswer(text, text, "google", "g-1")

    def of(self, task: str) -> list[ModelRequest]:
        return [request for request in self.requests if task_of(request) == task]


def task_of(request: ModelRequest) -> str:
    return request.instructions.splitlines()[0].removeprefix("Task: ")


def source_text(request: ModelRequest) -> str:
    """What stands in the data block."""
    return request.prompt_text.split("<source_text>\n", 1)[1].rsplit("\n</source_text>", 1)[0]


def unavailable(*, retryable: bool = True, retry_after_s: float | None = None) -> ModelFailure:
    return ModelFailure("rate_limit", "busy", retryable=retryable, retry_after_s=retry_after_s)


@dataclass
class ScriptedSearch:
    found: Sequence[ImageCandidate] | Exception
    queries: list[tuple[str, int]] = field(default_factory=list)

    async def search(self, query: str, n: int) -> Sequence[ImageCandidate]:
        self.queries.append((query, n))
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@dataclass
class ScriptedCheck:
    refusals: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def refusal(self, image_url: str) -> str | None:
        self.asked.append(image_url)
        return self.refusals.get(image_url)


@dataclass
class MemoryFiles:
    contents: dict[str, bytes] = field(default_factory=dict)

    async def save(self, content: AsyncIterator[bytes], *, max_bytes: int) -> str:
        data = b"".join([piece async for piece in content])
        if len(data) > max_bytes:
            raise TooLarge("file", max_bytes)
        self.contents["stored"] = data
        return "stored"

    async def head(self, storage_path: str, size: int) -> bytes:
        return self.contents[storage_path][:size]

    async def read(self, storage_path: str) -> bytes:
        return self.contents[storage_path]

    async def delete(self, storage_path: str) -> None:
        self.contents.pop(storage_path, None)


@dataclass
class ScriptedReader:
    """Reads every document and PDF as the given text, or refuses it; `scanned` pages of a PDF have none."""

    text: str | PermanentSourceError = ""
    scanned: tuple[int, ...] = ()

    async def document_text(self, content: bytes, filename: str) -> str:
        return self._text()

    async def pdf_pages(self, storage_path: str) -> PdfPages:
        return PdfPages(bool(self._text()), self.scanned)

    async def pdf_text(self, storage_path: str, read: Mapping[int, str]) -> str:
        return "\n\n".join([self._text(), *read.values()])

    async def pdf_picture(self, storage_path: str, page: int) -> Picture:
        return Picture(f"page {page}".encode(), "image/png")

    def _text(self) -> str:
        if isinstance(self.text, PermanentSourceError):
            raise self.text
        return self.text
