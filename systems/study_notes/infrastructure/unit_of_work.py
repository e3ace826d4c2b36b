"""One open transaction with all repositories on it."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from systems.common.database.units import Units, opening
from systems.common.database.upsert import insert_unless_there
from systems.study_notes.application.repositories import UnitOfWork
from systems.study_notes.infrastructure.note_repository import SqlNotes, SqlStudyTools
from systems.study_notes.infrastructure.source_repository import SqlSources
from systems.study_notes.infrastructure.tables import FolderRow, UserRow
from systems.study_notes.infrastructure.visual_repository import SqlVisuals


class SqlUsers:
    """The port `Users` on the caller's session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def ensure(self, user_id: int, now: datetime) -> None:
        """See the port; a new user is named after the number until a name is known."""
        row = {"id": user_id, "name": f"user {user_id}", "created_at": now}
        await insert_unless_there(self._session, UserRow, [row])


class SqlFolders:
    """The port `Folders` on the caller's session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def belongs_to(self, folder_id: int, user_id: int) -> bool:
        """See the port."""
        statement = select(FolderRow.id).where(FolderRow.id == folder_id).where(FolderRow.user_id == user_id)
        return (await self._session.execute(statement)).scalar_one_or_none() is not None


class SqlUnitOfWork:
    """The port `UnitOfWork` around a session whose transaction the caller begins and ends.

    `session` is what the job engine writes through, so that rows, completion and new jobs commit together.
    """

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.users = SqlUsers(session)
        self.folders = SqlFolders(session)
        self.sources = SqlSources(session)
        self.visuals = SqlVisuals(session)
        self.notes = SqlNotes(session)
        self.study_tools = SqlStudyTools(session)


def read_units(reads: async_sessionmaker[AsyncSession]) -> Units[UnitOfWork]:
    """The port `ReadUnits`: each unit is one reading transaction that takes no write lock and is never committed."""
    return opening(reads, SqlUnitOfWork)


def write_units(sessions: async_sessionmaker[AsyncSession]) -> Units[SqlUnitOfWork]:
    """Units for writing: whoever opens one commits its session; what is not committed at the exit is rolled back."""
    return opening(sessions, SqlUnitOfWork)
