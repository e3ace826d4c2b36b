"""A study notes database of each kind, and one learner in it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from systems.common.database.connections import Database
from systems.study_notes.application.repositories import NewSource
from systems.study_notes.domain.lifecycle import SourceType
from systems.study_notes.infrastructure.database import open_database
from systems.study_notes.infrastructure.unit_of_work import SqlUnitOfWork

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'notes.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = open_database(database_url)
    await opened.create_schema()
    yield opened
    await opened.close()


@pytest.fixture
async def source_id(database: Database) -> int:
    """A text source of user 1."""
    async with database.sessions.begin() as session:
        unit = SqlUnitOfWork(session)
        await unit.users.ensure(1, NOW)
        return await unit.sources.add(text_source(), NOW)


def text_source(user_id: int = 1, text: str = "Water turns the wheel.") -> NewSource:
    return NewSource(
        user_id=user_id,
        type=SourceType.TEXT,
        folder_id=None,
        title=None,
        filename="wheel.md",
        storage_path=None,
        extracted_text=text,
        language_code=None,
    )
