"""The offline model's answers for real texts: right in shape, true to the text, usable by the system's own rules."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.ai import ModelAnswer, ModelRequest, OfflineModel
from penstock.ai.offline import BLANK, plain_text
from systems.study_notes.domain.rendering import render
from systems.study_notes.domain.repair import lesson_from
from systems.study_notes.domain.study_tools import FLASHCARD_BOUNDS, QUIZ_BOUNDS, check_flashcards, check_quiz
from systems.study_notes.infrastructure.offline_request import requested_language, source_text
from systems.study_notes.infrastructure.offline_tasks import offline_tasks

TEXTS = Path(__file__).parent / "offline_texts"
SOURCES = {"english.md": "eng", "spanish.md": "spa", "plain.txt": "eng", "tiny.txt": "eng"}
INTRODUCTIONS = {"Introduction", "Introducción"}
BLOCK_TEXTS = ("section_summary", "definition", "question", "answer")


async def ask(task: str, text: str, language: str = "eng") -> dict[str, Any]:
    prompt = f"Language: {language}\n\n<source_text>\n{text}\n</source_text>"
    answer = await OfflineModel(offline_tasks()).call(ModelRequest(f"Task: {task}\nAnswer in JSON.", prompt, json=True))
    assert isinstance(answer, ModelAnswer)
    found = json.loads(answer.text)
    assert isinstance(found, dict)
    return found


async def note_of(name: str) -> str:
    lesson = await ask("lesson_structure", (TEXTS / name).read_text(), SOURCES[name])
    return render(lesson["title"], lesson_from(lesson), [], SOURCES[name]).markdown


def blocks(structure: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in structure:
        yield block
        yield from blocks(block.get("sub_structure", []))


def flat(text: str) -> str:
    """Letters and digits alone: what is compared when a text must be part of another."""
    return re.sub(r"[\W_]+", " ", plain_text(text)).casefold().strip()


@pytest.mark.parametrize("name", SOURCES)
async def test_lesson_says_nothing_that_the_text_does_not_say(name: str) -> None:
    text = (TEXTS / name).read_text()
    lesson = await ask("lesson_structure", text, SOURCES[name])
    source = flat(" ".join(plain_text(line) for line in text.splitlines()))
    said = re.split(r"(?<=[.!?]) (?=[A-ZÁÉÍÓÚ])", lesson["summary"])
    for block in blocks(lesson["structure"]):
        kind = block["content_type"]
        said += [block[field] for field in BLOCK_TEXTS if field in block]
        said += [*block.get("key_points", []), *block.get("items", [])]
        if kind not in {"visual_placeholder", "code_block"} and block.get("content") not in INTRODUCTIONS:
            said.append(block.get("content", ""))
    assert [text for text in said if flat(text) not in source] == []


@pytest.mark.parametrize("name", SOURCES)
async def test_lesson_keeps_every_word_of_the_text(name: str) -> None:
    text = (TEXTS / name).read_text()
    kept = set(flat(json.dumps(await ask("lesson_structure", text, SOURCES[name]), ensure_ascii=False)).split())
    # The verb between a term and its meaning, and the word before a note, are what these blocks say by their kind.
    shown = {"means", "important"}
    assert set(flat(re.sub(r"[`*|#>]", " ", text)).split()) - kept - shown == set()


@pytest.mark.parametrize("name", SOURCES)
async def test_lesson_has_headed_sections_with_summaries_and_at_most_eight_pictures(name: str) -> None:
    lesson = await ask("lesson_structure", (TEXTS / name).read_text(), SOURCES[name])
    assert lesson["title"]
    assert lesson["summary"]
    headings = [section["content"] for section in lesson["structure"]]
    assert len(set(headings)) == len(headings)
    assert all((section["content_type"], section["level"]) == ("heading", 1) for section in lesson["structure"])
    assert all(section["section_summary"] and section["sub_structure"] for section in lesson["structure"])
    wanted = [picture["placeholder_id"] for picture in lesson["visual_opportunities"]]
    placed = [block["placeholder_id"] for block in blocks(lesson["structure"]) if "placeholder_id" in block]
    assert wanted == placed
    assert 1 <= len(wanted) <= 8
    assert all(all(picture.values()) for picture in lesson["visual_opportunities"])


async def test_lesson_follows_the_documents_headings_and_uses_fitting_blocks() -> None:
    lesson = await ask("lesson_structure", (TEXTS / "english.md").read_text())
    assert lesson["title"] == "How vaccines train the immune system"
    assert [section["content"] for section in lesson["structure"]] == [
        "Introduction",
        "Two lines of defence",
        "What happens after an injection",
        "Types of vaccines",
        "How a vaccine is tested",
        "Herd immunity",
        "Conclusion",
    ]
    found = list(blocks(lesson["structure"]))
    kinds = {block["content_type"] for block in found}
    assert kinds == {
        *("heading", "paragraph", "list", "code_block", "definition", "key_takeaway_box", "note_box", "qa", "example"),
        *("conclusion", "visual_placeholder"),
    }
    assert next(block["language"] for block in found if block["content_type"] == "code_block") == "python"
    assert [block["level"] for block in found if block.get("content") == "Cells that matter"] == [2]


async def test_text_without_headings_gets_several_named_sections() -> None:
    lesson = await ask("lesson_structure", (TEXTS / "plain.txt").read_text())
    assert len(lesson["structure"]) >= 3


async def test_key_points_do_not_repeat_the_summary_or_the_takeaway() -> None:
    lesson = await ask("lesson_structure", (TEXTS / "english.md").read_text())
    for section in lesson["structure"]:
        takeaways = [block["content"] for block in blocks([section]) if block["content_type"] == "key_takeaway_box"]
        assert not {section["section_summary"], *takeaways} & set(section["key_points"])


@pytest.mark.parametrize("name", SOURCES)
async def test_quiz_of_the_note_passes_the_systems_own_check(name: str) -> None:
    note = await note_of(name)
    items = (await ask("quiz", note, SOURCES[name]))["quiz"]
    checked = check_quiz(items, note)
    assert checked.dropped == ()
    assert len(checked.within(QUIZ_BOUNDS)) == len(items)
    assert len({item["question"] for item in items}) == len(items)
    assert all(BLANK in item["question"] or item["explanation"] for item in items)
    assert len({item["correct_index"] for item in items}) > 1


@pytest.mark.parametrize("name", SOURCES)
async def test_flashcards_of_the_note_pass_the_systems_own_check(name: str) -> None:
    cards = (await ask("flashcards", await note_of(name), SOURCES[name]))["flashcards"]
    checked = check_flashcards(cards)
    assert checked.dropped == ()
    assert len(checked.within(FLASHCARD_BOUNDS)) == len(cards)
    assert all(card["term"].casefold() != card["definition"].casefold() for card in cards)


@pytest.mark.parametrize("task", ["quiz", "flashcards"])
async def test_labels_and_pictures_of_the_note_are_no_study_material(task: str) -> None:
    note = await note_of("english.md")
    note += "\n![A wheel](/api/visuals/1/image)\n\n*Picture: offline picture*\n"
    answer = json.dumps(await ask(task, note))
    assert not [word for word in ("Picture", "Key takeaway", "Key points", "/api/", "not made") if word in answer]


@pytest.mark.parametrize("name", SOURCES)
async def test_tags_are_three_to_five_terms_of_the_text(name: str) -> None:
    text = (TEXTS / name).read_text()
    tags = (await ask("tags", text[:5000], SOURCES[name]))["tags"]
    assert 3 <= len(set(tags)) == len(tags) <= 5
    assert all(flat(tag) in flat(" ".join(text.splitlines())) for tag in tags)


async def test_same_text_gives_the_same_answers() -> None:
    note = await note_of("english.md")
    for task in ("lesson_structure", "tags", "quiz", "flashcards"):
        assert await ask(task, note) == await ask(task, note)


async def test_three_hundred_pages_are_kept_in_order() -> None:
    text = "\n\n".join(
        f"## Chapter {n}\n\nPage {n} begins here. " + "The wheel of the mill turns. " * 60 for n in range(340)
    )
    lesson = await ask("lesson_structure", text)
    assert [section["content"] for section in lesson["structure"]] == [f"Chapter {n}" for n in range(340)]
    assert len(lesson["visual_opportunities"]) == 8


@pytest.mark.parametrize(
    "text", ["", "Hello", "...", "```\ncode\n```", "## Only a heading", "- a\n- b", "水の循環。雨が降る。"]
)
async def test_texts_that_carry_little_are_answered_all_the_same(text: str) -> None:
    for task in ("lesson_structure", "tags", "quiz", "flashcards"):
        assert await ask(task, text)


def test_source_text_is_the_whole_block_unescaped() -> None:
    prompt = "Data:\n<source_text>\na <source_text> b <\\/source_text> c\n</source_text>\n"
    assert source_text(prompt) == "a <source_text> b </source_text> c"
    assert source_text("<source_text>\na </source_text> b\n</source_text>") == "a </source_text> b"
    assert source_text("no block") == "no block"


def test_language_is_read_before_the_block_only() -> None:
    assert requested_language("Language: spa\n<source_text>\nx\n</source_text>") == "spa"
    assert requested_language("<source_text>\nLanguage: spa\n</source_text>") is None
