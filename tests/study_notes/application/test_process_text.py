"""From a text to its lesson."""

import json

import pytest

from systems.study_notes.application.ai_service import AiService
from systems.study_notes.application.process_source_text import ProcessSourceText
from systems.study_notes.domain.errors import PermanentSourceError, StageError
from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from tests.study_notes.application.fakes import ScriptedModel, source_text, unavailable
from tests.study_notes.application.steps import MemorySteps

LESSON = {"title": "The model's", "structure": [{"contentType": "paragraph", "content": "x"}]}
SCRIPTS = {"lesson_structure": json.dumps(LESSON), "tags": '{"tags": ["a", "b", "c"]}'}


def names(events):
    return [(event.name, event.stage, event.percent) for event in events]


@pytest.fixture
def model(world):
    return ScriptedModel(world, dict(SCRIPTS))


class German:
    """Finds every text German, and keeps what it was asked about."""

    def __init__(self):
        self.asked = []

    def __call__(self, text, /):
        self.asked.append(text)
        return "deu"


@pytest.fixture
def detector():
    return German()


@pytest.fixture
def process(world, model, detector, clock):
    return ProcessSourceText(world.reads, AiService(model), detector, clock)


async def test_a_text_becomes_lesson_title_tags_and_language(world, process, detector):
    source_id = world.put(status=SourceStatus.PENDING)
    world.sources.texts[source_id] = "Wasser " * 400
    begun = await process.begin(world, source_id)
    assert names(begun.events) == [("source.stage_changed", Stage.ANALYZING_TEXT, 10)]
    analysed = await process.store(world, await process.prepare(source_id, steps=MemorySteps()))
    assert names(analysed.events) == [("source.stage_changed", Stage.PENDING_VISUAL_PROCESSING, 50)]
    source = world.source(source_id)
    assert (source.title, source.language_code) == ("The model's", "deu")
    assert [len(text) for text in detector.asked] == [1_000]
    assert world.sources.known[source_id]["tags"] == ["a", "b", "c"]
    answerer = [{"provider": "google", "model": "g-1", "offline": False}]
    assert world.sources.known[source_id]["models"] == {"lesson_structure": answerer, "tags": answerer}
    assert world.sources.structures[source_id]["structure"] == [{"content_type": "paragraph", "content": "x"}]


async def test_the_learners_title_and_language_stay(world, process, detector, model):
    source_id = world.put(title="Mine", language_code="spa")
    analysed = await process.prepare(source_id, "Agua", steps=MemorySteps())
    await process.store(world, analysed)
    assert (world.source(source_id).title, world.source(source_id).language_code) == ("Mine", "spa")
    assert detector.asked == []
    assert all("Language: spa" in request.prompt_text for request in model.requests)


async def test_text_given_with_the_job_is_used_and_else_the_stored_one(world, process, model):
    source_id = world.put()
    world.sources.texts[source_id] = "stored"
    await process.prepare(source_id, "given", steps=MemorySteps())
    await process.prepare(source_id, steps=MemorySteps())
    assert [source_text(request) for request in model.of("lesson_structure")] == ["given", "stored"]


async def test_what_the_model_has_answered_is_not_asked_again(world, model, detector, clock):
    process = ProcessSourceText(world.reads, AiService(model, chunk_max_chars=2_000), detector, clock)
    source_id, steps = world.put(), MemorySteps()
    text = "\n\n".join(f"Paragraph {number}. " + "Water turns the wheel. " * 40 for number in range(5))
    asked: list[str] = []

    class Stopped(Exception):
        pass

    def stop_after_two(request):
        asked.append(source_text(request))
        if len(asked) == 3:
            raise Stopped
        return SCRIPTS["lesson_structure"]

    model.scripts["lesson_structure"] = stop_after_two
    with pytest.raises(Stopped):
        await process.prepare(source_id, text, steps=steps)
    done = list(steps.done)
    resumed = await process.prepare(source_id, text, steps=steps)
    assert done == ["chunk 1 of 3", "chunk 2 of 3"]
    assert list(steps.done) == ["chunk 1 of 3", "chunk 2 of 3", "chunk 3 of 3", "tags"]
    assert list(steps.streams) == list(steps.done)
    assert all(live.text == SCRIPTS["lesson_structure"] for live in list(steps.streams.values())[:3])
    assert asked[:2] + asked[3:] == [*dict.fromkeys(asked)]
    assert resumed is not None
    assert len(resumed.lesson.structure) == 3


async def test_a_source_without_text_fails_for_good(world, process):
    with pytest.raises(PermanentSourceError, match="no text"):
        await process.prepare(world.put(), steps=MemorySteps())


async def test_model_trouble_leaves_everything_as_it_was(world, process, model):
    model.scripts["tags"] = unavailable()
    source_id = world.put(stage=Stage.ANALYZING_TEXT)
    with pytest.raises(StageError):
        await process.prepare(source_id, "text", steps=MemorySteps())
    assert world.stands(source_id) == (SourceStatus.PROCESSING, Stage.ANALYZING_TEXT)
    assert world.sources.structures == {}


async def test_a_second_attempt_changes_no_stage_and_tells_none(world, process):
    source_id = world.put(stage=Stage.ANALYZING_TEXT)
    begun = await process.begin(world, source_id)
    assert begun is not None
    assert begun.events == ()


@pytest.mark.parametrize(
    "late",
    [
        {"status": SourceStatus.CANCELLED, "stage": Stage.ANALYZING_TEXT},
        {"status": SourceStatus.FAILED, "stage": Stage.ANALYZING_TEXT},
        {"status": SourceStatus.COMPLETED},
        {"stage": Stage.GENERATING_VISUALS},
    ],
)
async def test_a_late_job_has_no_effect(world, process, late):
    source_id = world.put(**late)
    before = world.source(source_id)
    analysed = await process.prepare(source_id, "text", steps=MemorySteps())
    assert await process.begin(world, source_id) is None
    assert await process.store(world, analysed) is None
    assert world.source(source_id) == before
    assert world.sources.structures == {}


async def test_a_deleted_source_ends_its_job_quietly(world, process):
    assert await process.begin(world, 99) is None
    assert await process.prepare(99, steps=MemorySteps()) is None
