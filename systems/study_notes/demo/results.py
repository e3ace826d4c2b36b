"""The results as files: the note as Markdown (its pictures beside it) and as a page that stands alone,
both with quiz and cards, which are also there as JSON."""

import asyncio
import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from systems.study_notes.application.library import FlashcardView, QuizView
from systems.study_notes.demo.page import page
from systems.study_notes.domain.lifecycle import VisualStatus
from systems.study_notes.domain.links import own_picture
from systems.study_notes.infrastructure.offline_picture import offline_picture
from systems.study_notes.making.readable import readable
from systems.study_notes.wiring import StudyNotes

_UNSAFE = re.compile(r"[^\w.-]+")


@dataclass(frozen=True, slots=True)
class Results:
    """Where everything is, and how much of it."""

    html: Path
    markdown: Path
    quiz: Path
    flashcards: Path
    title: str
    tags: Sequence[str]
    sections: int
    pictures: int
    missing_pictures: int
    questions: int
    cards: int


async def write_results(notes: StudyNotes, user_id: int, note_id: int, folder: Path, stem: str) -> Results:
    """Read the note and what belongs to it, and write it below `folder` under the name `stem`."""
    library = notes.library
    note = await library.note(user_id, note_id)
    quiz = await library.quiz(user_id, note_id)
    cards = await library.flashcards(user_id, note_id)
    visuals = [view.visual for view in await library.visuals(user_id, note.source_id)]
    drawn = {
        visual.image_url: offline_picture(visual.concept, visual.description)
        for visual in visuals
        if visual.image_url == own_picture(visual.id)
    }
    name = _UNSAFE.sub("-", stem).strip("-.") or "note"
    files = {address: f"{name}.pictures/{number}.svg" for number, address in enumerate(drawn, 1)}
    results = Results(
        html=folder / f"{name}.html",
        markdown=folder / f"{name}.md",
        quiz=folder / f"{name}.quiz.json",
        flashcards=folder / f"{name}.flashcards.json",
        title=note.title,
        tags=note.tags,
        sections=note.html_content.count("<h2>"),
        pictures=sum(visual.status is VisualStatus.COMPLETED for visual in visuals),
        missing_pictures=sum(visual.status is not VisualStatus.COMPLETED for visual in visuals),
        questions=len(quiz),
        cards=len(cards),
    )
    contents = {
        results.html: page(replace(note, html_content=_replaced(note.html_content, _data_uris(drawn))), quiz, cards),
        results.markdown: readable(_replaced(note.markdown_content, files), quiz, cards),
        results.quiz: _json(quiz),
        results.flashcards: _json(cards),
        **{folder / files[address]: svg for address, svg in drawn.items()},
    }
    await asyncio.to_thread(_write, contents)
    return results


def _write(contents: Mapping[Path, str]) -> None:
    for path, text in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _replaced(text: str, addresses: Mapping[str, str]) -> str:
    for address, other in addresses.items():
        text = text.replace(address, other)
    return text


def _data_uris(drawn: Mapping[str, str]) -> dict[str, str]:
    return {
        address: f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
        for address, svg in drawn.items()
    }


def _json(items: Sequence[QuizView | FlashcardView]) -> str:
    return orjson.dumps([asdict(item) for item in items], option=orjson.OPT_INDENT_2).decode() + "\n"
