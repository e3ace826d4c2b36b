import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from systems.common.database.connections import Database
from systems.study_notes.application.repositories import Analysis, NoteDraft, VisualResult
from systems.study_notes.domain import lifecycle
from systems.study_notes.domain.lifecycle import SourceStatus, SourceType, Stage, VisualStatus
from systems.study_notes.domain.placeholders import Placeholder
from systems.study_notes.domain.records import VisualCounts
from systems.study_notes.domain.study_tools import Flashcard, QuizItem
from systems.study_notes.infrastructure.tables import (
    Base,
    FlashcardRow,
    FolderRow,
    NoteRow,
    NoteTagRow,
    QuizRow,
    SourceRow,
    TagRow,
    UserRow,
)
from systems.study_notes.infrastructure.unit_of_work import SqlUnitOfWork, read_units
from tests.study_notes.infrastructure.conftest import NOW, text_source

WHEEL = Placeholder("aaaa", "wheel", "An overshot wheel", "overshot wheel")
SLUICE = Placeholder("bbbb", "sluice", "A sluice gate", "sluice gate")
QUIZ = [QuizItem(f"Question {n}?", ("a", "b", "c", "d"), n, None) for n in range(3)]
CARDS = [Flashcard(" Head ", "The height of fall"), Flashcard("Flume", "A channel")]


def draft(source_id: int, title: str = "Mills") -> NoteDraft:
    return NoteDraft(
        source_id=source_id,
        user_id=1,
        folder_id=None,
        source_type=SourceType.TEXT,
        title=title,
        summary="About mills",
        markdown_content="# Mills",
        html_content="<h1>Mills</h1>",
        language_code="eng",
    )


async def count(database: Database, table: type[Base]) -> int:
    async with database.reads() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_a_new_source_is_pending_in_its_first_run(database: Database, source_id: int) -> None:
    async with read_units(database.reads)() as unit:
        source = await unit.sources.get(source_id)
        assert source is not None
        assert (source.status, source.stage, source.run_number) == (SourceStatus.PENDING, None, 1)
        assert (source.type, source.filename) == (SourceType.TEXT, "wheel.md")
        assert await unit.sources.metadata(source_id) == {}
        assert await unit.sources.text(source_id) == "Water turns the wheel."
        assert await unit.sources.structure(source_id) is None


async def test_what_is_not_there_is_none(database: Database) -> None:
    async with read_units(database.reads)() as unit:
        assert await unit.sources.get(9) is None
        assert await unit.sources.hold(9) is None
        assert await unit.sources.text(9) is None
        assert await unit.visuals.get(9) is None
        assert await unit.notes.get(9) is None
        assert await unit.notes.id_of_source(9) is None
        assert await unit.visuals.counts(9) == VisualCounts()


async def test_a_change_applies_only_from_where_it_may(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        sources = SqlUnitOfWork(session).sources
        assert not await sources.change(source_id, lifecycle.complete(), NOW)
        assert await sources.change(source_id, lifecycle.enter(Stage.GENERATING_VISUALS), NOW)
        assert not await sources.change(source_id, lifecycle.enter(Stage.ANALYZING_TEXT), NOW)
        assert await sources.change(source_id, lifecycle.fail(Stage.GENERATING_VISUALS, "no disk"), NOW)
        assert not await sources.change(source_id, lifecycle.complete(), NOW)
        source = await sources.get(source_id)
        assert source is not None
        assert (source.status, source.error) == (SourceStatus.FAILED, "no disk")
        assert source.failed_stage is Stage.GENERATING_VISUALS
        assert not await sources.change(source_id + 1, lifecycle.enter(Stage.ANALYZING_TEXT), NOW)


async def test_a_retry_raises_the_run_number_and_clears_the_error(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        sources = SqlUnitOfWork(session).sources
        await sources.change(source_id, lifecycle.enter(Stage.ANALYZING_TEXT), NOW)
        await sources.change(source_id, lifecycle.fail(Stage.ANALYZING_TEXT, "no model"), NOW)
        assert await sources.change(source_id, lifecycle.retry(Stage.ANALYZING_TEXT), NOW)
        source = await sources.get(source_id)
    assert source is not None
    assert (source.run_number, source.status, source.error) == (2, SourceStatus.PROCESSING, None)


async def test_of_two_changes_at_once_one_wins(database: Database, source_id: int) -> None:
    async def fail_it(reason: str) -> bool:
        async with database.sessions.begin() as session:
            return await SqlUnitOfWork(session).sources.change(
                source_id, lifecycle.fail(Stage.ANALYZING_TEXT, reason), NOW
            )

    async with database.sessions.begin() as session:
        await SqlUnitOfWork(session).sources.change(source_id, lifecycle.enter(Stage.ANALYZING_TEXT), NOW)
    assert sorted(await asyncio.gather(*(fail_it(str(n)) for n in range(5)))) == [False] * 4 + [True]


async def test_a_held_source_makes_the_next_holder_wait_and_see_the_change(database: Database, source_id: int) -> None:
    seen: list[SourceStatus] = []

    async def second() -> None:
        async with database.sessions.begin() as session:
            source = await SqlUnitOfWork(session).sources.hold(source_id)
            assert source is not None
            seen.append(source.status)

    async with database.sessions.begin() as session:
        unit = SqlUnitOfWork(session)
        await unit.sources.hold(source_id)
        waiting = asyncio.create_task(second())
        await unit.sources.change(source_id, lifecycle.enter(Stage.ANALYZING_TEXT), NOW)
    await waiting
    assert seen == [SourceStatus.PROCESSING]


async def test_the_analysis_is_stored_whole(database: Database, source_id: int) -> None:
    structure = {"title": "Mills", "structure": [{"content": "naïve ✓", "level": 1}]}
    async with database.sessions.begin() as session:
        sources = SqlUnitOfWork(session).sources
        await sources.set_text(source_id, "other text", NOW)
        await sources.set_analysis(source_id, Analysis("Mills", "eng", structure, {"provider": "offline"}), NOW)
        await sources.set_flow(source_id, "flow-1", NOW)
    async with read_units(database.reads)() as unit:
        source = await unit.sources.get(source_id)
        assert source is not None
        assert (source.title, source.language_code, source.flow_id) == ("Mills", "eng", "flow-1")
        assert await unit.sources.metadata(source_id) == {"provider": "offline"}
        assert await unit.sources.structure(source_id) == structure
        assert await unit.sources.text(source_id) == "other text"


async def test_visuals_are_reused_and_keep_the_asked_order(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        first = await SqlUnitOfWork(session).visuals.add_missing(source_id, [WHEEL], NOW)
    async with database.sessions.begin() as session:
        both = await SqlUnitOfWork(session).visuals.add_missing(source_id, [SLUICE, WHEEL, SLUICE], NOW)
    assert both[1:] == first
    assert len(both) == 2
    async with read_units(database.reads)() as unit:
        assert [visual.placeholder_id for visual in await unit.visuals.of_source(source_id)] == ["aaaa", "bbbb"]


async def test_a_finished_visual_is_left_alone(database: Database, source_id: int) -> None:
    found = VisualResult(VisualStatus.COMPLETED, image_url="https://e.org/a.png", alt_text="An overshot wheel")
    async with database.sessions.begin() as session:
        visuals = SqlUnitOfWork(session).visuals
        wheel, sluice = await visuals.add_missing(source_id, [WHEEL, SLUICE], NOW)
        assert await visuals.start(wheel, NOW)
        assert await visuals.start(wheel, NOW)  # its job was lost and runs again
        assert await visuals.finish(wheel, found, NOW)
        assert not await visuals.start(wheel, NOW)
        assert not await visuals.finish(wheel, VisualResult(VisualStatus.FAILED), NOW)
        assert await visuals.finish(sluice, VisualResult(VisualStatus.FAILED, error_message="no net"), NOW)
        assert await visuals.counts(source_id) == VisualCounts(total=2, finished=2, failed=1)
        stored = await visuals.get(wheel)
    assert stored is not None
    assert (stored.status, stored.image_url) == (VisualStatus.COMPLETED, "https://e.org/a.png")


async def test_saving_a_note_again_updates_it_and_keeps_what_the_learner_set(
    database: Database, source_id: int
) -> None:
    async with database.sessions.begin() as session:
        first = await SqlUnitOfWork(session).notes.save(draft(source_id), NOW)
    async with database.sessions.begin() as session:
        await session.execute(update(NoteRow).values(is_favorite=True))
    async with database.sessions.begin() as session:
        again = await SqlUnitOfWork(session).notes.save(replace(draft(source_id), title="Water mills"), NOW)
    assert again == first
    async with database.reads() as session:
        row = (await session.execute(select(NoteRow))).scalar_one()
        assert (row.title, row.is_favorite) == ("Water mills", True)


async def test_tags_are_shared_by_a_learners_notes_and_replaced_as_a_whole(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        unit = SqlUnitOfWork(session)
        other = await unit.sources.add(text_source(), NOW)
        one, two = await unit.notes.save(draft(source_id), NOW), await unit.notes.save(draft(other), NOW)
        await unit.notes.set_tags(one, 1, ["water", "mill", "water"])
        await unit.notes.set_tags(two, 1, ["water"])
        await unit.notes.set_tags(one, 1, ["wheel"])
        await unit.notes.set_tags(one, 1, ["wheel"])
    assert await count(database, TagRow) == 3
    async with database.reads() as session:
        pairs = await session.execute(
            select(NoteTagRow.note_id, TagRow.name).join(TagRow, TagRow.id == NoteTagRow.tag_id)
        )
        assert {tuple(pair) for pair in pairs} == {(one, "wheel"), (two, "water")}


async def test_a_note_may_lose_all_its_tags(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        unit = SqlUnitOfWork(session)
        note = await unit.notes.save(draft(source_id), NOW)
        await unit.notes.set_tags(note, 1, ["water"])
        await unit.notes.set_tags(note, 1, [])
    assert await count(database, NoteTagRow) == 0


async def test_study_tools_are_replaced_and_numbered_from_zero(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        unit = SqlUnitOfWork(session)
        note = await unit.notes.save(draft(source_id), NOW)
        await unit.study_tools.replace(note, QUIZ, CARDS)
        await unit.study_tools.replace(note, QUIZ[1:], CARDS)
    async with database.reads() as session:
        quiz = (await session.execute(select(QuizRow).order_by(QuizRow.position))).scalars().all()
        assert [(row.position, row.question) for row in quiz] == [(0, "Question 1?"), (1, "Question 2?")]
        assert quiz[0].options == ["a", "b", "c", "d"]
        cards = (await session.execute(select(FlashcardRow).order_by(FlashcardRow.position))).scalars().all()
        assert [(row.position, row.term_key) for row in cards] == [(0, "head"), (1, "flume")]


async def test_deleting_a_source_leaves_nothing_of_it(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        unit = SqlUnitOfWork(session)
        await unit.visuals.add_missing(source_id, [WHEEL], NOW)
        note = await unit.notes.save(draft(source_id), NOW)
        await unit.notes.set_tags(note, 1, ["water"])
        await unit.study_tools.replace(note, QUIZ, CARDS)
    async with database.sessions.begin() as session:
        await SqlUnitOfWork(session).sources.delete(source_id)
    for mapper in Base.registry.mappers:
        if mapper.class_ not in (UserRow, TagRow, FolderRow):  # these are the learner's own
            assert await count(database, mapper.class_) == 0, mapper.class_.__name__


async def test_a_user_is_created_once(database: Database) -> None:
    async def ensure() -> None:
        async with database.sessions.begin() as session:
            await SqlUnitOfWork(session).users.ensure(5, NOW)

    await asyncio.gather(*(ensure() for _ in range(5)))
    assert await count(database, UserRow) == 1


@pytest.mark.parametrize(("folder_id", "user_id", "expected"), [(3, 1, True), (3, 2, False), (4, 1, False)])
async def test_a_folder_belongs_to_its_user_alone(
    database: Database, source_id: int, folder_id: int, user_id: int, expected: bool
) -> None:
    async with database.sessions.begin() as session:
        session.add(FolderRow(id=3, user_id=1, parent_id=None, name="Physics"))
    async with read_units(database.reads)() as unit:
        assert await unit.folders.belongs_to(folder_id, user_id) is expected


async def test_the_texts_of_a_source_are_not_loaded_with_it(database: Database, source_id: int) -> None:
    async with database.reads() as session:
        row = (await session.execute(select(SourceRow))).scalar_one()
    assert "extracted_text" not in row.__dict__
    assert "lesson_structure_json" not in row.__dict__
