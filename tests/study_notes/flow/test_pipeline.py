"""The pipeline from a source to its study tools, by a real worker."""

import json
from pathlib import Path

import pytest

from penstock import JobState
from penstock.ai import ModelChain, ModelFailure
from systems.study_notes.domain.lifecycle import SourceStatus, Stage
from tests.study_notes.flow.support import (
    CARDS,
    QUIZ,
    TEXT,
    USER,
    FakeModel,
    events,
    flow_of,
    jobs,
    lesson,
    made,
    metadata,
    open_search,
    row_counts,
    source_text,
    status,
    submit,
    system,
)


def busy(*, retryable: bool = True) -> ModelFailure:
    return ModelFailure("provider_error", "busy", retryable=retryable)


async def test_sn_01_a_text_becomes_a_note_with_quiz_cards_and_tags(tmp_path: Path, url: str | None) -> None:
    model = FakeModel({"lesson_structure": json.dumps(lesson("a wheel in a river", "a stone", "a sack of flour"))})
    async with system(tmp_path, url=url, model=model, search=open_search()) as notes:
        source_id = await submit(notes)
        assert (await status(notes, source_id)).status is SourceStatus.PENDING
        await notes.run_until_idle()
        view = await status(notes, source_id)
        told = await events(notes, source_id)
        note = await notes.library.note(USER, view.note_id or 0)
        quiz, cards = await notes.library.quiz(USER, note.id), await notes.library.flashcards(USER, note.id)
        counts = await row_counts(notes)
        flow = await flow_of(notes, source_id)
    assert (view.status, view.stage, view.percent, view.attempts) == (SourceStatus.COMPLETED, None, 100, 1)
    assert (view.visuals.total, view.visuals.finished, view.visuals.failed) == (3, 3, 0)
    stages = [stage for kind, stage, _ in told if kind == "source.stage_changed"]
    assert stages == [
        "ANALYZING_TEXT", "PENDING_VISUAL_PROCESSING", "GENERATING_VISUALS", "ASSEMBLING_NOTE", "PENDING_STUDY_TOOLS",
        "GENERATING_STUDY_TOOLS",
    ]  # fmt: skip
    assert [told[0][0], told[-1]] == ["source.created", ("source.completed", None, 100)]
    assert [percent for _, _, percent in told] == sorted(percent for _, _, percent in told)
    assert (counts["sources"], counts["notes"], counts["visuals"]) == (1, 1, 3)
    assert (len(quiz), len(cards), len(note.tags)) == (len(QUIZ), len(CARDS), 3)
    assert note.title == "Mills"
    assert (flow.name, flow.tenant, flow.status, flow.counts.total) == ("study_notes", f"user:{USER}", "completed", 7)


async def test_sn_02_without_pictures_the_note_is_assembled_at_once(tmp_path: Path, url: str | None) -> None:
    async with system(tmp_path, url=url) as notes:
        source_id = await made(notes)
        view = await status(notes, source_id)
        kinds = [job.kind for job in await jobs(notes, source_id)]
        stages = [stage for kind, stage, _ in await events(notes, source_id) if kind == "source.stage_changed"]
    assert view.status is SourceStatus.COMPLETED
    assert kinds.count("GENERATE_VISUAL") == 0
    assert kinds.count("ASSEMBLE_NOTE") == 1
    assert "PENDING_ASSEMBLY" in stages
    assert "GENERATING_VISUALS" not in stages


async def test_sn_02_placeholders_without_description_become_fallback_blocks(tmp_path: Path) -> None:
    bare = lesson()
    bare["structure"][0]["sub_structure"].append({"content_type": "visual_placeholder"})
    async with system(tmp_path, model=FakeModel({"lesson_structure": json.dumps(bare)})) as notes:
        view = await status(notes, await made(notes))
        note = await notes.library.note(USER, view.note_id or 0)
    assert (view.status, view.visuals.total) == (SourceStatus.COMPLETED, 0)
    assert "no description of the picture was given" in note.markdown_content
    assert 'class="box placeholder"' in note.html_content


async def test_sn_07_a_careless_answer_still_gives_a_complete_note(tmp_path: Path) -> None:
    answer = {
        "title": "Mills of the north",
        "summary": None,
        "mood": "cheerful",
        "structure": [
            {
                "contentType": "heading",
                "level": 1,
                "content": "Wheels",
                "sectionSummary": "Wheels in short.",
                "keyPoints": ["Wheels turn.", "Stones grind."],
                "subStructure": [
                    {"contentType": "sermon", "content": f"Kept as a paragraph. {TEXT}", "items": None},
                    {"contentType": "visual_placeholder", "placeholderId": "x"},
                    {"contentType": "visual_placeholder", "placeholderId": "x"},
                    {"contentType": "visual_placeholder", "content": "A mill pond at dawn"},
                ],
            }
        ],
        "visualOpportunities": [{"placeholderId": "x", "description": "A wheel", "concept": "wheel"}],
    }
    fenced = f"Here it is:\n```json\n{json.dumps(answer)}\n```"
    async with system(tmp_path, model=FakeModel({"lesson_structure": fenced}), search=open_search()) as notes:
        view = await status(notes, await made(notes))
        note = await notes.library.note(USER, view.note_id or 0)
    assert (view.status, view.visuals.total) == (SourceStatus.COMPLETED, 2)
    for text in ("Mills of the north", "Wheels in short.", "Wheels turn.", "Stones grind.", "Kept as a paragraph."):
        assert text in note.markdown_content
        assert text in note.html_content
    assert note.html_content.count("<img") == 3


async def test_sn_08_the_fallback_answers_when_the_primary_fails_and_is_recorded(tmp_path: Path) -> None:
    primary = FakeModel({"lesson_structure": busy()}, name="google")
    chain = ModelChain([primary, FakeModel(name="openai")])
    async with system(tmp_path, model=chain) as notes:
        source_id = await made(notes)
        known = await metadata(notes, source_id)
        view = await status(notes, source_id)
    assert (view.status, view.attempts) == (SourceStatus.COMPLETED, 1)
    assert [by["provider"] for by in known["models"]["lesson_structure"]] == ["openai"]
    assert [by["provider"] for by in known["models"]["tags"]] == ["google"]


async def test_sn_08_when_all_models_fail_the_source_is_processing_until_the_third_attempt(
    tmp_path: Path, url: str | None
) -> None:
    seen: list[SourceStatus] = []
    async with system(tmp_path, url=url) as notes:
        source_id = 1

        class Watching(FakeModel):
            async def call(self, request, **told):
                seen.append((await status(notes, source_id)).status)
                return await super().call(request, **told)

        chain = ModelChain([Watching({"lesson_structure": busy()}), FakeModel({"lesson_structure": busy()})])
        async with system(tmp_path, url=url, model=chain) as failing:
            assert await made(failing) == source_id
        view = await status(notes, source_id)
        told = await events(notes, source_id)
        ran = await jobs(notes, source_id)
    assert seen == [SourceStatus.PROCESSING] * 3
    assert (view.status, view.stage, view.attempts) == (SourceStatus.FAILED, Stage.ANALYZING_TEXT, 3)
    assert "busy" in (view.error or "")
    assert told[-1][0] == "source.failed"
    assert [(job.kind, job.state) for job in ran] == [("PROCESS_SOURCE_TEXT", JobState.FAILED)]


async def test_sn_08_a_permanent_refusal_fails_at_once(tmp_path: Path) -> None:
    model = FakeModel({"lesson_structure": busy(retryable=False)})
    async with system(tmp_path, model=model) as notes:
        view = await status(notes, await made(notes))
    assert (view.status, view.attempts) == (SourceStatus.FAILED, 1)


async def test_sn_11_bad_quiz_items_are_dropped_and_listed_and_too_few_are_asked_for_again(tmp_path: Path) -> None:
    three = QUIZ[0] | {"options": ["stone", "water", "grain"]}
    beyond = QUIZ[0] | {"correct_index": 4}
    foreign = {
        "question": "Which quasar emits neutrinos?",
        "options": ["Andromeda", "Betelgeuse", "Cassiopeia", "Draconis"],
        "correct_index": 0,
    }
    bad = {"quiz": [*QUIZ[:2], three, beyond, foreign]}
    good = {"quiz": [*QUIZ, three, beyond, foreign]}
    repeated = {"flashcards": [*CARDS, CARDS[0]]}
    model = FakeModel({"quiz": [json.dumps(bad), json.dumps(good)], "flashcards": json.dumps(repeated)})
    async with system(tmp_path, model=model) as notes:
        source_id = await made(notes)
        view = await status(notes, source_id)
        dropped = (await metadata(notes, source_id))["dropped"]
        quiz = await notes.library.quiz(USER, view.note_id or 0)
        cards = await notes.library.flashcards(USER, view.note_id or 0)
    assert (view.status, view.attempts) == (SourceStatus.COMPLETED, 2)
    assert (len(quiz), len(cards)) == (len(QUIZ), len(CARDS))
    assert sorted(item["reason"] for item in dropped) == [
        "foreign to the note", "not exactly four distinct options", "the right option's index is not 0 to 3",
        "the term is repeated",
    ]  # fmt: skip


async def test_sn_11_without_a_usable_quiz_the_note_stays_readable(tmp_path: Path, url: str | None) -> None:
    model = FakeModel({"quiz": json.dumps({"quiz": QUIZ[:1]})})
    async with system(tmp_path, url=url, model=model) as notes:
        source_id = await made(notes)
        view = await status(notes, source_id)
        note = await notes.library.note(USER, view.note_id or 0)
        told = await events(notes, source_id)
    assert (view.status, view.percent, view.attempts) == (SourceStatus.COMPLETED_WITH_ERRORS, 85, 3)
    assert "only 1 usable items" in (view.error or "")
    assert TEXT[:20] in note.markdown_content
    assert told[-1] == ("source.completed", "GENERATING_STUDY_TOOLS", 85)


async def test_sn_12_every_chunk_of_a_long_text_is_asked_about_in_order_within_the_limit(tmp_path: Path) -> None:
    pages = [
        f"Page {number} begins here. " + "The wheel turns the stone and grinds grain. " * 45 for number in range(300)
    ]

    def answer(request) -> str:
        text = source_text(request)
        found = [word for word in text.replace(".", "").split() if word.isdigit()]
        content = f"Pages {' '.join(found)} of the text. {TEXT}"
        return json.dumps(lesson() | {"structure": [{"content_type": "paragraph", "content": content}]})

    model = FakeModel({"lesson_structure": answer})
    limit = 24_000
    async with system(tmp_path, model=model, chunk_max_chars=limit) as notes:
        view = await status(notes, await made(notes, "\n\n".join(pages)))
        note = await notes.library.note(USER, view.note_id or 0)
    asked = model.of("lesson_structure")
    assert view.status is SourceStatus.COMPLETED
    assert len(asked) > 20
    assert max(len(source_text(request)) for request in model.requests) <= limit
    numbers = [int(word) for word in note.markdown_content.split() if word.isdigit()]
    assert numbers == list(range(300))


async def test_sn_17_every_prompt_names_the_language_and_the_note_keeps_it(tmp_path: Path) -> None:
    model = FakeModel()
    async with system(tmp_path, model=model) as notes:
        view = await status(notes, await made(notes, language="spa"))
        note = await notes.library.note(USER, view.note_id or 0)
    assert len(model.requests) == 4
    assert all("Language: spa" in request.prompt_text for request in model.requests)
    assert note.language_code == "spa"


async def test_sn_25_a_named_waiting_time_is_kept(tmp_path: Path, url: str | None) -> None:
    limited = ModelFailure("rate_limit", "slow down", retryable=True, retry_after_s=3)
    async with system(tmp_path, url=url, model=FakeModel({"lesson_structure": limited})) as notes:
        source_id = await submit(notes)
        with pytest.raises(TimeoutError, match="scheduled"):
            await notes.run_until_idle(timeout_s=0.6)
        (job,) = await jobs(notes, source_id)
        full = await notes.engine.get(job.id)
        (failed,) = await notes.engine.jobs.errors(job.id)
    assert full.state is JobState.SCHEDULED
    assert full.due_at is not None
    assert (full.due_at - failed.at).total_seconds() >= 2.9
