"""The whole system on a database of its own, with a scripted model and scripted pictures."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from penstock import FlowView
from penstock.ai import ModelAnswer, ModelChain, ModelFailure, ModelRequest, Provider
from systems.study_notes.application.inputs import FileInput, TextInput, VideoInput, Wishes
from systems.study_notes.application.ports import Captions, Clock, ImageSearch, Ocr, Transcriber
from systems.study_notes.application.source_status import StatusView
from systems.study_notes.domain.lifecycle import SourceType
from systems.study_notes.domain.similarity import ImageCandidate
from systems.study_notes.infrastructure.tables import FlashcardRow, NoteRow, QuizRow, SourceRow, TagRow, VisualRow
from systems.study_notes.infrastructure.unit_of_work import SqlUnitOfWork
from systems.study_notes.settings import Settings
from systems.study_notes.wiring import StudyNotes, build

USER = 1
TEXT = "Water turns the wheel. The wheel turns the stone. The stone grinds the grain into flour for bread."
QUIZ = [
    {
        "question": f"{number}: the wheel turns the ...?",
        "options": ["stone", "water", "grain", "bread"],
        "correct_index": 0,
    }
    for number in range(3)
]
CARDS = [{"term": term, "definition": f"What {term} means."} for term in ("wheel", "stone", "grain", "flour")]


def lesson(*descriptions: str, title: str = "Mills") -> dict[str, Any]:
    """A model's lesson of one section that asks for the described pictures."""
    blocks: list[dict[str, Any]] = [{"content_type": "paragraph", "content": TEXT}]
    opportunities = []
    for number, description in enumerate(descriptions, 1):
        key = f"p{number}"
        blocks.append({"content_type": "visual_placeholder", "placeholder_id": key})
        opportunities.append(
            {"placeholder_id": key, "concept": "c", "description": description, "search_query": description}
        )
    section = {
        "content_type": "heading",
        "level": 1,
        "content": "The mill",
        "section_summary": "How a mill works.",
        "key_points": ["The wheel turns the stone."],
        "sub_structure": blocks,
    }
    return {
        "title": title,
        "summary": "About mills.",
        "structure": [section],
        "visual_opportunities": opportunities,
    }


Script = str | ModelFailure | Callable[[ModelRequest], str]


@dataclass
class FakeModel:
    """A provider that answers by task; a list of scripts is used up one by one, its last stays. Keeps all requests."""

    scripts: dict[str, Script | list[Script]] = field(default_factory=dict)
    name: str = "fake"
    requests: list[ModelRequest] = field(default_factory=list)
    model: str = "m"
    account: str = ""
    offline: bool = False

    def __post_init__(self) -> None:
        usual: dict[str, Script] = {
            "lesson_structure": json.dumps(lesson()),
            "tags": json.dumps({"tags": ["mill", "wheel", "stone"]}),
            "quiz": json.dumps({"quiz": QUIZ}),
            "flashcards": json.dumps({"flashcards": CARDS}),
        }
        self.scripts = {**usual, **self.scripts}

    async def call(self, request: ModelRequest[Any], **told: Any) -> ModelAnswer[str] | ModelFailure:
        self.requests.append(request)
        task = task_of(request)
        script = self.scripts[task]
        if isinstance(script, list):
            script = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(script, ModelFailure):
            return script
        text = script if isinstance(script, str) else script(request)
        return ModelAnswer(text, text, self.name, self.model)

    async def close(self) -> None:
        pass

    def of(self, task: str) -> list[ModelRequest]:
        return [request for request in self.requests if task_of(request) == task]


def task_of(request: ModelRequest) -> str:
    return request.instructions.splitlines()[0].removeprefix("Task: ")


def source_text(request: ModelRequest) -> str:
    found = re.search(r"<source_text>\n(.*)\n</source_text>", request.prompt_text, re.DOTALL)
    assert found is not None
    return found.group(1)


@dataclass
class GatedSearch:
    """Offline pictures, as many at once as let through by `release`; `failing` says for which queries it fails."""

    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    failing: Callable[[str], Exception | None] = lambda query: None
    asked: list[str] = field(default_factory=list)

    def release(self, number: int = 1) -> None:
        for _ in range(number):
            self.gate.release()

    async def search(self, query: str, n: int) -> Sequence[ImageCandidate]:
        self.asked.append(query)
        await self.gate.acquire()
        error = self.failing(query)
        if error is not None:
            raise error
        return [ImageCandidate("", query, "", "offline picture", offline=True)]


def open_search() -> GatedSearch:
    search = GatedSearch()
    search.release(100_000)
    return search


@asynccontextmanager
async def system(
    folder: Path,
    *,
    url: str | None = None,
    model: Provider | ModelChain | None = None,
    search: ImageSearch | None = None,
    captions: Captions | None = None,
    ocr: Ocr | None = None,
    transcriber: Transcriber | None = None,
    clock: Clock | None = None,
    **settings: Any,
) -> AsyncIterator[StudyNotes]:
    """The open system on a SQLite file in `folder`, or on `url`; failed attempts are retried at once."""
    notes = build(
        fast_settings(folder, url, **settings),
        language_model=model if isinstance(model, ModelChain) else ModelChain([model or FakeModel()]),
        image_search=search,
        captions=captions,
        ocr=ocr,
        transcriber=transcriber,
        clock=clock,
    )
    await notes.open()
    try:
        yield notes
    finally:
        await notes.stop()


def fast_settings(folder: Path, url: str | None = None, **settings: Any) -> Settings:
    usual: dict[str, Any] = {
        "database_url": url or f"sqlite:///{folder}/study_notes.db",
        "files_dir": folder / "files",
        "job_backoff_ms": 0,
        "queue_rate_per_second": 100_000,
        "shutdown_grace_ms": 200,
    }
    return Settings(**{**usual, **settings})


async def submit(notes: StudyNotes, text: str = TEXT, **wishes: Any) -> int:
    given = TextInput(text, Wishes(**({"user_id": USER} | wishes)))
    return (await notes.pipeline.submit(given)).source_id


async def submit_file(
    notes: StudyNotes, kind: SourceType, content: bytes, filename: str = "file", **wishes: Any
) -> int:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    given = FileInput(kind, filename, pieces(), Wishes(**({"user_id": USER} | wishes)))
    return (await notes.pipeline.submit(given)).source_id


async def submit_pdf(notes: StudyNotes, content: bytes) -> int:
    return await submit_file(notes, SourceType.PDF, content, "paper.pdf")


async def submit_video(notes: StudyNotes, url: str, **wishes: Any) -> int:
    given = VideoInput(url, Wishes(**({"user_id": USER} | wishes)))
    return (await notes.pipeline.submit(given)).source_id


async def made(notes: StudyNotes, text: str = TEXT, **wishes: Any) -> int:
    """The id of a source that was handed in and processed to its end."""
    source_id = await submit(notes, text, **wishes)
    await notes.run_until_idle()
    return source_id


async def status(notes: StudyNotes, source_id: int) -> StatusView:
    return (await notes.stands(USER, source_id))[1]


async def events(notes: StudyNotes, source_id: int) -> list[tuple[str, str | None, int]]:
    """(type, stage, percent) of all events of a source in order."""
    found = await notes.engine.events.read(stream="study_notes", subject=str(source_id))
    return [(event.type, event.data["stage"], event.data["percent"]) for event in found]


async def flow_of(notes: StudyNotes, source_id: int) -> FlowView:
    source, _ = await notes.stands(USER, source_id)
    assert source.flow_id is not None
    return await notes.engine.flows.get(source.flow_id)


async def jobs(notes: StudyNotes, source_id: int, kind: str | None = None) -> list[Any]:
    """The jobs of the source's present run."""
    source, _ = await notes.stands(USER, source_id)
    found = await notes.engine.flows.jobs(source.flow_id or "", 10_000)
    return [job for job in found if kind in (None, job.kind)]


async def row_counts(notes: StudyNotes) -> dict[str, int]:
    tables = {
        "sources": SourceRow, "visuals": VisualRow, "notes": NoteRow, "tags": TagRow, "quizzes": QuizRow,
        "flashcards": FlashcardRow,
    }  # fmt: skip
    async with notes.database.reads() as session:
        return {
            name: (await session.execute(select(func.count()).select_from(table))).scalar_one()
            for name, table in tables.items()
        }


async def metadata(notes: StudyNotes, source_id: int) -> dict[str, Any]:
    async with notes.database.reads() as session:
        return dict(await SqlUnitOfWork(session).sources.metadata(source_id))


async def until(fact: Callable[[], Any], timeout_s: float = 20) -> None:
    """Wait until `fact` (plain or async) is true."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = fact()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)
