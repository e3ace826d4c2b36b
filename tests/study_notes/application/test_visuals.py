"""From placeholders to pictures."""

from dataclasses import replace
from typing import Any

import pytest

from systems.study_notes.application.generate_visual import GenerateVisual
from systems.study_notes.application.process_visual_placeholders import ProcessVisualPlaceholders
from systems.study_notes.domain.errors import ImageSearchError, NoImageProvider, PermanentSourceError, QuotaExceeded
from systems.study_notes.domain.lifecycle import SourceStatus, Stage, VisualStatus
from systems.study_notes.domain.repair import lesson_from
from systems.study_notes.domain.similarity import ImageCandidate
from tests.study_notes.application.fakes import ScriptedCheck, ScriptedSearch


def lesson(*descriptions):
    return lesson_from(["text", *({"content_type": "visual_placeholder", "content": text} for text in descriptions)])


def ready_source(world, *descriptions, **values):
    source_id = world.put(**{"stage": Stage.PENDING_VISUAL_PROCESSING} | values)
    world.sources.structures[source_id] = lesson(*descriptions).as_json()
    return source_id


async def test_each_wanted_picture_gets_one_visual_however_often_the_job_runs(world, clock):
    source_id = ready_source(world, "A dam", "A wheel", "a  DAM")
    place: Any = ProcessVisualPlaceholders(clock)
    placed = await place.store(world, source_id)
    assert [world.visuals.rows[visual_id].description for visual_id in placed.visual_ids] == ["A dam", "A wheel"]
    (event,) = placed.events
    assert (event.stage, event.percent) == (Stage.GENERATING_VISUALS, 55)
    again = await place.store(world, source_id)
    assert again.visual_ids == placed.visual_ids
    assert len(world.visuals.rows) == 2


async def test_without_wanted_pictures_assembly_is_next_at_once(world, clock):
    source_id = ready_source(world, "")
    placed: Any = await ProcessVisualPlaceholders(clock).store(world, source_id)
    assert placed.visual_ids == ()
    assert [(event.stage, event.percent) for event in placed.events] == [(Stage.PENDING_ASSEMBLY, 75)]


async def test_placing_needs_a_lesson(world, clock):
    with pytest.raises(PermanentSourceError, match="no lesson"):
        await ProcessVisualPlaceholders(clock).store(world, world.put())


@pytest.mark.parametrize("late", [{"status": SourceStatus.CANCELLED}, {"stage": Stage.ASSEMBLING_NOTE}])
async def test_a_late_placing_inserts_nothing(world, clock, late):
    source_id = ready_source(world, "A dam", **late)
    assert await ProcessVisualPlaceholders(clock).store(world, source_id) is None
    assert await ProcessVisualPlaceholders(clock).store(world, 99) is None
    assert world.visuals.rows == {}


def found(title, url="https://pics.org/1.png", **values):
    return ImageCandidate(url, title, "https://pics.org/page", "serper", **values)


async def visual_job(world, clock, results, check=None):
    """A use case on the first of two visuals of a source."""
    source_id = ready_source(world, "A mill wheel", "A dam")
    placed: Any = await ProcessVisualPlaceholders(clock).store(world, source_id)
    first, _ = placed.visual_ids
    search = ScriptedSearch(results)
    return GenerateVisual(world.reads, search, check or ScriptedCheck(), clock), first, search


async def test_the_best_candidate_that_passes_the_check_is_taken(world, clock):
    best, next_best = found("A mill wheel", "https://a.org/1"), found("Mill wheels", "https://b.org/2")
    check = ScriptedCheck({"https://a.org/1": "a.org is blocked"})
    generate, visual_id, search = await visual_job(world, clock, [next_best, best, found("Cats")], check)
    assert await generate.begin(world, visual_id)
    assert world.visuals.rows[visual_id].status is VisualStatus.PROCESSING
    done = await generate.store(world, await generate.prepare(visual_id))
    visual = world.visuals.rows[visual_id]
    assert (visual.status, visual.image_url, visual.alt_text) == (
        VisualStatus.COMPLETED,
        "https://b.org/2",
        "A mill wheel",
    )
    assert (visual.source_url, visual.source_title, visual.provider) == (
        "https://pics.org/page",
        "Mill wheels",
        "serper",
    )
    assert check.asked == ["https://a.org/1", "https://b.org/2"]
    assert search.queries == [("A mill wheel", 5)]
    (event,) = done.events
    assert (event.name, event.visual_id, event.percent) == ("visual.finished", visual_id, 65)


@pytest.mark.parametrize(
    ("results", "refusals", "reason"),
    [
        ([], {}, "no picture was found"),
        ([found("Cats and dogs")], {}, "fits the description"),
        ([found("A mill wheel")], {"https://pics.org/1.png": "not a picture"}, "can be used: not a picture"),
        (NoImageProvider(), {}, "no image provider configured"),
    ],
)
async def test_without_a_usable_picture_none_is_found_and_the_reason_kept(world, clock, results, refusals, reason):
    generate, visual_id, _ = await visual_job(world, clock, results, ScriptedCheck(refusals))
    done = await generate.store(world, await generate.prepare(visual_id))
    assert done.status is VisualStatus.NO_IMAGE_FOUND
    assert reason in world.visuals.rows[visual_id].error_message


async def test_an_offline_picture_needs_no_check_and_is_served_by_ourselves(world, clock):
    drawn = ImageCandidate("", "q", "", "offline picture", offline=True)
    check = ScriptedCheck()
    generate, visual_id, _ = await visual_job(world, clock, [drawn], check)
    await generate.store(world, await generate.prepare(visual_id))
    visual = world.visuals.rows[visual_id]
    assert (visual.image_url, visual.provider) == (f"/api/visuals/{visual_id}/image", "offline picture")
    assert (visual.source_url, visual.source_title) == (None, None)
    assert check.asked == []


@pytest.mark.parametrize("error", [ImageSearchError("down"), QuotaExceeded("quota used up")])
async def test_providers_that_fail_may_be_asked_again_and_at_last_given_up(world, clock, error):
    generate, visual_id, _ = await visual_job(world, clock, error)
    with pytest.raises(ImageSearchError):
        await generate.prepare(visual_id)
    done = await generate.give_up(world, visual_id, str(error))
    visual = world.visuals.rows[visual_id]
    assert (visual.status, visual.error_message) == (VisualStatus.FAILED, str(error))
    assert done.events[0].percent == 65


async def test_a_finished_visual_is_left_alone(world, clock):
    generate, visual_id, _ = await visual_job(world, clock, [found("A mill wheel")])
    outcome = await generate.prepare(visual_id)
    await generate.store(world, outcome)
    before = world.visuals.rows[visual_id]
    assert not await generate.begin(world, visual_id)
    assert await generate.store(world, outcome) is None
    assert await generate.give_up(world, visual_id, "late") is None
    assert world.visuals.rows[visual_id] == before


async def test_a_cancelled_or_deleted_source_gets_no_picture(world, clock):
    generate, visual_id, _ = await visual_job(world, clock, [found("A mill wheel")])
    outcome = await generate.prepare(visual_id)
    source_id = world.visuals.rows[visual_id].source_id
    world.sources.rows[source_id] = replace(world.source(source_id), status=SourceStatus.CANCELLED)
    assert not await generate.begin(world, visual_id)
    assert await generate.store(world, outcome) is None
    world.visuals.rows.clear()
    assert not await generate.begin(world, visual_id)
    assert await generate.prepare(visual_id) is None
