"""The port `Library` in the database."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from systems.common.database.connections import Database
from systems.study_notes.application.library import (
    ActiveSources,
    FlashcardView,
    FolderView,
    NotePage,
    NotePatch,
    NoteQuery,
    NoteView,
    QuizView,
    VisualView,
)
from systems.study_notes.application.ports import Clock
from systems.study_notes.domain.errors import Conflict, NotFound
from systems.study_notes.domain.lifecycle import ACTIVE
from systems.study_notes.domain.records import Visual
from systems.study_notes.infrastructure.tables import (
    FlashcardRow,
    FolderRow,
    NoteRow,
    NoteTagRow,
    QuizRow,
    SourceRow,
    TagRow,
    VisualRow,
)
from systems.study_notes.infrastructure.unit_of_work import SqlFolders, SqlUsers
from systems.study_notes.infrastructure.visual_repository import visual_of


class SqlLibrary:
    """See the port; reads take no write lock."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def notes(self, user_id: int, query: NoteQuery) -> NotePage:
        """See the port."""
        async with self._database.reads() as session:
            wanted = [NoteRow.user_id == user_id]
            if query.folder_id is not None:
                await _own_folder(session, user_id, query.folder_id)
                wanted.append(NoteRow.folder_id == query.folder_id)
            if query.tag is not None:
                wanted.append(NoteRow.id.in_(_tagged(user_id, query.tag)))
            total = (await session.execute(select(func.count()).select_from(NoteRow).where(*wanted))).scalar_one()
            newest = select(NoteRow).where(*wanted).order_by(NoteRow.created_at.desc(), NoteRow.id.desc())
            rows = (await session.execute(newest.limit(query.limit).offset(query.offset))).scalars().all()
            tags = await _tags(session, [row.id for row in rows])
            return NotePage(tuple(_note(row, tags.get(row.id, ())) for row in rows), total)

    async def note(self, user_id: int, note_id: int) -> NoteView:
        """See the port."""
        async with self._database.reads() as session:
            return await _note_view(session, user_id, note_id)

    async def change_note(self, user_id: int, note_id: int, patch: NotePatch) -> NoteView:
        """See the port."""
        async with self._database.sessions.begin() as session:
            await _own_note(session, user_id, note_id)
            if "folder_id" in patch.given and patch.folder_id is not None:
                await _own_folder(session, user_id, patch.folder_id)
            values: dict[str, Any] = {name: getattr(patch, name) for name in patch.given}
            if values:
                values["updated_at"] = self._clock.now()
                await session.execute(update(NoteRow).where(NoteRow.id == note_id).values(values))
            return await _note_view(session, user_id, note_id)

    async def quiz(self, user_id: int, note_id: int) -> Sequence[QuizView]:
        """See the port."""
        async with self._database.reads() as session:
            await _own_note(session, user_id, note_id)
            rows = await session.execute(select(QuizRow).where(QuizRow.note_id == note_id).order_by(QuizRow.position))
            return [
                QuizView(row.id, row.position, row.question, tuple(row.options), row.correct_index, row.explanation)
                for row in rows.scalars()
            ]

    async def flashcards(self, user_id: int, note_id: int) -> Sequence[FlashcardView]:
        """See the port."""
        async with self._database.reads() as session:
            await _own_note(session, user_id, note_id)
            of_note = select(FlashcardRow).where(FlashcardRow.note_id == note_id).order_by(FlashcardRow.position)
            rows = await session.execute(of_note)
            return [FlashcardView(row.id, row.position, row.term, row.definition) for row in rows.scalars()]

    async def folders(self, user_id: int) -> Sequence[FolderView]:
        """See the port."""
        async with self._database.reads() as session:
            of_user = select(FolderRow).where(FolderRow.user_id == user_id).order_by(FolderRow.name, FolderRow.id)
            return [FolderView(row.id, row.parent_id, row.name) for row in (await session.execute(of_user)).scalars()]

    async def add_folder(self, user_id: int, name: str, parent_id: int | None) -> FolderView:
        """See the port."""
        try:
            async with self._database.sessions.begin() as session:
                await SqlUsers(session).ensure(user_id, self._clock.now())
                if parent_id is not None:
                    await _own_folder(session, user_id, parent_id)
                row = FolderRow(user_id=user_id, parent_id=parent_id, name=name)
                session.add(row)
                await session.flush()
                return FolderView(row.id, row.parent_id, row.name)
        except IntegrityError as error:
            raise Conflict(f"there is a folder {name!r} in the same place already") from error

    async def visuals(self, user_id: int, source_id: int) -> Sequence[VisualView]:
        """See the port."""
        async with self._database.reads() as session:
            owner = select(SourceRow.user_id).where(SourceRow.id == source_id)
            if (await session.execute(owner)).scalar_one_or_none() != user_id:
                raise NotFound("source")
            rows = await session.execute(
                select(VisualRow).where(VisualRow.source_id == source_id).order_by(VisualRow.id)
            )
            return [VisualView(visual_of(row), row.created_at, row.updated_at) for row in rows.scalars()]

    async def visual(self, user_id: int, visual_id: int) -> Visual:
        """See the port."""
        async with self._database.reads() as session:
            owned = (
                select(VisualRow)
                .join(SourceRow, SourceRow.id == VisualRow.source_id)
                .where(VisualRow.id == visual_id, SourceRow.user_id == user_id)
            )
            row = (await session.execute(owned)).scalar_one_or_none()
            if row is None:
                raise NotFound("visual")
            return visual_of(row)

    async def active_sources(self) -> ActiveSources:
        """See the port."""
        async with self._database.reads() as session:
            found = await session.execute(
                select(SourceRow.processing_status, func.count(), func.min(SourceRow.updated_at))
                .where(SourceRow.processing_status.in_(ACTIVE))
                .group_by(SourceRow.processing_status)
            )
            rows = [(status, count, oldest) for status, count, oldest in found]
        return ActiveSources(
            counts={status: count for status, count, _ in rows},
            oldest_move=min((oldest for _, _, oldest in rows), default=None),
        )


def _tagged(user_id: int, tag: str) -> Select[int]:
    links = select(NoteTagRow.note_id).join(TagRow, TagRow.id == NoteTagRow.tag_id)
    return links.where(TagRow.user_id == user_id, TagRow.name == tag)


async def _tags(session: AsyncSession, note_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    found = await session.execute(
        select(NoteTagRow.note_id, TagRow.name)
        .join(TagRow, TagRow.id == NoteTagRow.tag_id)
        .where(NoteTagRow.note_id.in_(note_ids))
        .order_by(TagRow.name)
    )
    tags: dict[int, tuple[str, ...]] = {}
    for note_id, name in found:
        tags[note_id] = (*tags.get(note_id, ()), name)
    return tags


async def _note_view(session: AsyncSession, user_id: int, note_id: int) -> NoteView:
    statement = select(NoteRow).where(NoteRow.id == note_id).execution_options(populate_existing=True)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None or row.user_id != user_id:
        raise NotFound("note")
    return _note(row, (await _tags(session, [note_id])).get(note_id, ()))


async def _own_note(session: AsyncSession, user_id: int, note_id: int) -> None:
    owner = select(NoteRow.user_id).where(NoteRow.id == note_id)
    if (await session.execute(owner)).scalar_one_or_none() != user_id:
        raise NotFound("note")


async def _own_folder(session: AsyncSession, user_id: int, folder_id: int) -> None:
    if not await SqlFolders(session).belongs_to(folder_id, user_id):
        raise NotFound("folder")


def _note(row: NoteRow, tags: tuple[str, ...]) -> NoteView:
    return NoteView(
        id=row.id,
        source_id=row.source_id,
        folder_id=row.folder_id,
        title=row.title,
        summary=row.summary,
        markdown_content=row.markdown_content,
        html_content=row.html_content,
        language_code=row.language_code,
        is_favorite=row.is_favorite,
        source_type=row.source_type,
        created_at=row.created_at,
        updated_at=row.updated_at,
        tags=tags,
    )
