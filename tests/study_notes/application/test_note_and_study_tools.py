"""From a lesson to a note, from a note to its study tools."""

import json
from dataclasses import replace

import pytest

from systems.study_notes.application.ai_service import AiService
from systems.study_notes.application.assemble_note import AssembleNote
from systems.study_notes.application.generate_study_tools import GenerateStudyTools
from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from systems.study_notes.domain.repair import lesson_from
from tests.study_notes.application.fakes import ScriptedModel, unavailable
from tests.study_notes.application.steps import MemorySteps

LESSON = lesson_from(
    {
        "title": "Water <mills>",
        "summary": "Mills use water.",
        "structure": [
            {
                "content_type": "heading",
                "content": "Penstocks",
                "section_summary": "Pipes carry water.",
                "key_points": ["They are strong"],
                "sub_structure": ["A penstock carries water. [VISUAL::A penstock]"],
            }
        ],
    }
)


def quiz_item(n=0, **changes):
    options = ["penstock", "mills", "water", "pipes"]
    return {"question": f"What carries water {n}?", "options": options, "correct_index": 0} | changes


def cards(*terms):
    return json.dumps({"flashcards": [{"term": term, "definition": "d"} for term in terms]})


@pytest.fixture
def source_id(world):
    source_id = world.put(stage=Stage.GENERATING_VISUALS, language_code="eng")
    world.sources.known[source_id] = {"tags": ["mills", "water", "pipes"]}
    world.sources.structures[source_id] = LESSON.as_json()
    return source_id


@pytest.fixture
def assemble(world, clock):
    return AssembleNote(world.reads, lambda html: html.replace("<article", "<article data-clean"), clock)


@pytest.fixture
async def note_id(world, source_id, assemble):
    return (await assemble.store(world, await assemble.prepare(source_id))).note_id


@pytest.fixture
def model(world):
    quiz = json.dumps({"quiz": [quiz_item(n) for n in range(3)]})
    return ScriptedModel(world, {"quiz": quiz, "flashcards": cards("a", "b", "c")})


@pytest.fixture
def tools(world, model, clock):
    return GenerateStudyTools(world.reads, AiService(model), clock)


async def test_the_note_holds_all_of_the_lesson_and_its_tags(world, source_id, assemble):
    begun = await assemble.begin(world, source_id)
    assert [(event.stage, event.percent) for event in begun.events] == [(Stage.ASSEMBLING_NOTE, 75)]
    stored = await assemble.store(world, await assemble.prepare(source_id))
    note = world.notes.rows[stored.note_id]
    assert (note.title, note.summary, note.language_code) == ("Water <mills>", "Mills use water.", "eng")
    for text in ("Penstocks", "Pipes carry water.", "They are strong", "A penstock carries water.", "was not made"):
        assert text in note.markdown_content
        assert text in note.html_content
    assert "<h1>Water &lt;mills&gt;</h1>" in note.html_content
    assert note.html_content.startswith("<article data-clean")
    assert world.notes.tags[stored.note_id] == ["mills", "water", "pipes"]
    assert [(event.name, event.percent) for event in stored.events] == [
        ("note.assembled", 85),
        ("source.stage_changed", 85),
    ]
    assert world.stands(source_id) == (SourceStatus.PROCESSING, Stage.PENDING_STUDY_TOOLS)


async def test_assembling_twice_gives_one_note(world, source_id, assemble):
    assembled = await assemble.prepare(source_id)
    first = await assemble.store(world, assembled)
    assert await assemble.begin(world, source_id) is None
    again = await assemble.store(world, assembled)
    assert again.note_id == first.note_id
    assert len(world.notes.rows) == 1


async def test_assembly_needs_a_lesson_and_a_source(world, assemble):
    with pytest.raises(PermanentSourceError, match="no lesson"):
        await assemble.prepare(world.put())
    assert await assemble.prepare(99) is None


async def test_a_cancelled_source_gets_no_note(world, assemble, source_id):
    assembled = await assemble.prepare(source_id)
    world.sources.rows[source_id] = replace(world.source(source_id), status=SourceStatus.CANCELLED)
    assert await assemble.begin(world, source_id) is None
    assert await assemble.store(world, assembled) is None
    assert world.notes.rows == {}


async def test_study_tools_complete_the_source(world, source_id, note_id, tools):
    begun = await tools.begin(world, note_id)
    assert [(event.stage, event.percent) for event in begun.events] == [(Stage.GENERATING_STUDY_TOOLS, 85)]
    finished = await tools.store(world, await tools.prepare(note_id, MemorySteps()))
    assert len(world.study_tools.quiz[note_id]) == 3
    assert [card.term for card in world.study_tools.flashcards[note_id]] == ["a", "b", "c"]
    assert world.stands(source_id) == (SourceStatus.COMPLETED, None)
    assert [(event.name, event.percent) for event in finished.events] == [
        ("study_tools.finished", 100),
        ("source.completed", 100),
    ]
    metadata = world.sources.known[source_id]
    assert metadata["tags"] == ["mills", "water", "pipes"]
    assert set(metadata["models"]) == {"quiz", "flashcards"}
    assert metadata["dropped"] == []


async def test_bad_items_are_dropped_and_listed(world, source_id, note_id, tools, model):
    bad = [quiz_item(options=["a", "b", "c"]), quiz_item(correct_index=4), quiz_item(question="Whose planet orbits?")]
    model.scripts["quiz"] = json.dumps([*bad, *(quiz_item(n) for n in range(12))])
    model.scripts["flashcards"] = cards("a", " A ", "b", "", "c")
    await tools.store(world, await tools.prepare(note_id, MemorySteps()))
    assert len(world.study_tools.quiz[note_id]) == 10
    dropped = world.sources.known[source_id]["dropped"]
    assert [item["reason"] for item in dropped] == [
        "not exactly four distinct options",
        "the right option's index is not 0 to 3",
        "foreign to the note",
        "the term is repeated",
        "no term",
    ]


@pytest.mark.parametrize(
    ("task", "script"), [("quiz", json.dumps([quiz_item()])), ("flashcards", cards("a", "A", "b"))]
)
async def test_too_few_good_items_may_be_asked_for_again(world, note_id, tools, model, task, script):
    model.scripts[task] = script
    with pytest.raises(StageError, match="usable items where 3 are needed"):
        await tools.prepare(note_id, MemorySteps())
    assert world.study_tools.quiz == {}


async def test_given_up_study_tools_leave_the_note_readable(world, source_id, note_id, tools, model):
    model.scripts["quiz"] = unavailable()
    note = world.notes.rows[note_id]
    with pytest.raises(StageError):
        await tools.prepare(note_id, MemorySteps())
    finished = await tools.give_up(world, note_id, "busy")
    source = world.source(source_id)
    assert (source.status, source.error, source.failed_stage) == (
        SourceStatus.COMPLETED_WITH_ERRORS,
        "busy",
        Stage.GENERATING_STUDY_TOOLS,
    )
    assert [(event.name, event.percent) for event in finished.events] == [("source.completed", 85)]
    assert world.notes.rows[note_id] == note


async def test_late_study_tools_have_no_effect(world, source_id, note_id, tools):
    made = await tools.prepare(note_id, MemorySteps())
    await tools.store(world, made)
    before = world.source(source_id)
    assert await tools.begin(world, note_id) is None
    assert await tools.store(world, made) is None
    assert await tools.give_up(world, note_id, "late") is None
    assert world.source(source_id) == before
    assert await tools.begin(world, 999) is None
    assert await tools.prepare(999, MemorySteps()) is None
