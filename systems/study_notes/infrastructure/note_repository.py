"""Notes with their tags, quiz and flashcards in the database."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from systems.common.database.upsert import insert_unless_there
from systems.study_notes.application.repositories import NoteDraft
from systems.study_notes.domain.records import Note
from systems.study_notes.domain.study_tools import Flashcard, QuizItem
from systems.study_notes.infrastructure.tables import FlashcardRow, NoteRow, NoteTagRow, QuizRow, TagRow


class SqlNotes:
    """The port `Notes` on the caller's session; nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, note_id: int) -> Note | None:
        """See the port."""
        row = await self._session.get(NoteRow, note_id, populate_existing=True)
        if row is None:
            return None
        return Note(id=row.id, source_id=row.source_id, markdown=row.markdown_content, language_code=row.language_code)

    async def id_of_source(self, source_id: int) -> int | None:
        """See the port."""
        statement = select(NoteRow.id).where(NoteRow.source_id == source_id)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def save(self, draft: NoteDraft, now: datetime) -> int:
        """See the port. What the learner has set since (folder, favourite) stays on an update."""
        statement = select(NoteRow).where(NoteRow.source_id == draft.source_id)
        row = (await self._session.execute(statement)).scalar_one_or_none()
        if row is None:
            row = NoteRow(
                source_id=draft.source_id,
                user_id=draft.user_id,
                folder_id=draft.folder_id,
                source_type=draft.source_type,
                is_favorite=False,
                created_at=now,
            )
            self._session.add(row)
        row.title = draft.title
        row.summary = draft.summary
        row.markdown_content = draft.markdown_content
        row.html_content = draft.html_content
        row.language_code = draft.language_code
        row.updated_at = now
        await self._session.flush()
        return row.id

    async def set_tags(self, note_id: int, user_id: int, names: Sequence[str]) -> None:
        """See the port."""
        wanted = sorted(set(names))  # in one order everywhere, so that two notes of a learner cannot deadlock
        # Another note of the same learner may create a tag at the same moment; both mean the same one.
        await insert_unless_there(self._session, TagRow, [{"user_id": user_id, "name": name} for name in wanted])
        found = await self._session.execute(
            select(TagRow.id).where(TagRow.user_id == user_id).where(TagRow.name.in_(wanted))
        )
        await self._session.execute(delete(NoteTagRow).where(NoteTagRow.note_id == note_id))
        await _insert(self._session, NoteTagRow, ({"note_id": note_id, "tag_id": tag_id} for tag_id in found.scalars()))


class SqlStudyTools:
    """The port `StudyTools` on the caller's session; nothing here commits."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def replace(self, note_id: int, quiz: Sequence[QuizItem], flashcards: Sequence[Flashcard]) -> None:
        """See the port."""
        await self._session.execute(delete(QuizRow).where(QuizRow.note_id == note_id))
        await self._session.execute(delete(FlashcardRow).where(FlashcardRow.note_id == note_id))
        questions = (
            {
                "note_id": note_id,
                "position": position,
                "question": item.question,
                "options": list(item.options),
                "correct_index": item.correct_index,
                "explanation": item.explanation,
            }
            for position, item in enumerate(quiz)
        )
        cards = (
            {
                "note_id": note_id,
                "position": position,
                "term": card.term,
                "term_key": card.term_key,
                "definition": card.definition,
            }
            for position, card in enumerate(flashcards)
        )
        await _insert(self._session, QuizRow, questions)
        await _insert(self._session, FlashcardRow, cards)


async def _insert(
    session: AsyncSession, table: type[QuizRow | FlashcardRow | NoteTagRow], rows: Iterable[Mapping[str, object]]
) -> None:
    values = [dict(row) for row in rows]
    if values:
        await session.execute(insert(table), values)
