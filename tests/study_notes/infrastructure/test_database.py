import asyncio
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from systems.common.database.connections import Database, async_url
from systems.study_notes.infrastructure.database import open_database
from systems.study_notes.infrastructure.tables import FolderRow, NoteRow, SourceRow, UserRow, VisualRow
from tests.study_notes.infrastructure.conftest import NOW


@pytest.mark.parametrize(
    ("url", "driver", "database"),
    [
        ("sqlite:///study_notes.db", "sqlite+aiosqlite", "study_notes.db"),
        ("sqlite:////var/x.db", "sqlite+aiosqlite", "/var/x.db"),
        ("postgresql://u:p@h:1/n", "postgresql+psycopg", "n"),
        ("postgres://h/n", "postgresql+psycopg", "n"),
        ("postgresql+asyncpg://h/n", "postgresql+psycopg", "n"),
    ],
)
def test_addresses_get_the_asynchronous_driver(url: str, driver: str, database: str) -> None:
    assert (async_url(url).drivername, async_url(url).database) == (driver, database)


@pytest.mark.parametrize("url", ["mysql://h/n", "notes.db", "", "sqlite://", "sqlite:///:memory:"])
def test_other_addresses_are_refused_by_the_name_of_the_setting(url: str) -> None:
    with pytest.raises(ValueError, match="DATABASE_URL"):
        async_url(url)


async def test_several_processes_may_create_the_schema_at_once(database_url: str) -> None:
    databases = [open_database(database_url) for _ in range(4)]
    await asyncio.gather(*(database.create_schema() for database in databases))
    async with databases[0].reads() as session:
        assert (await session.execute(select(UserRow))).first() is None
    for database in databases:
        await database.close()


async def test_the_folder_of_a_sqlite_file_is_made(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/not/there/yet.db")
    await database.create_schema()
    await database.close()
    assert (tmp_path / "not/there/yet.db").exists()


async def test_times_come_back_aware_in_utc(database: Database) -> None:
    elsewhere = datetime(2026, 3, 1, 14, 30, 5, 123456, tzinfo=timezone(timedelta(hours=2)))
    async with database.sessions.begin() as session:
        session.add(UserRow(id=1, name="a", created_at=elsewhere))
    async with database.reads() as session:
        found = (await session.execute(select(UserRow.created_at))).scalar_one()
    assert found == elsewhere
    assert found.utcoffset() == timedelta(0)


async def test_a_time_without_zone_is_refused(database: Database) -> None:
    async with database.sessions() as session:
        session.add(UserRow(id=1, name="a", created_at=NOW.replace(tzinfo=None)))
        with pytest.raises(StatementError, match="with its zone"):
            await session.flush()


async def test_text_that_postgresql_cannot_hold_is_stored_alike_everywhere(database: Database) -> None:
    async with database.sessions.begin() as session:
        session.add(UserRow(id=1, name="a\0b\ud800c\U0001f600", created_at=NOW))
    async with database.reads() as session:
        assert (await session.execute(select(UserRow.name))).scalar_one() == "a\ufffdb\ufffdc\U0001f600"


async def test_numbers_beyond_32_bits_are_kept(database: Database) -> None:
    async with database.sessions.begin() as session:
        session.add(UserRow(id=2**40, name="a", created_at=NOW))
    async with database.reads() as session:
        assert (await session.execute(select(UserRow.id))).scalar_one() == 2**40


@pytest.mark.parametrize(
    ("column", "value"),
    [("processing_status", "DONE"), ("processing_stage", "THINKING"), ("failed_stage", ""), ("type", "VIDEO")],
)
async def test_values_outside_the_closed_sets_are_refused(
    database: Database, source_id: int, column: str, value: str
) -> None:
    async with database.sessions() as session:
        with pytest.raises(IntegrityError):
            await session.execute(update(SourceRow).where(SourceRow.id == source_id).values({column: value}))


async def test_a_folder_name_is_unique_beside_its_siblings_also_at_the_top(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        session.add(FolderRow(id=1, user_id=1, parent_id=None, name="Physics"))
        session.add(FolderRow(id=2, user_id=1, parent_id=1, name="Physics"))
    for parent in (None, 1):
        async with database.sessions() as session:
            session.add(FolderRow(user_id=1, parent_id=parent, name="Physics"))
            with pytest.raises(IntegrityError):
                await session.flush()


async def test_a_deleted_folder_leaves_the_sources_in_it(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        session.add(FolderRow(id=7, user_id=1, parent_id=None, name="Physics"))
        await session.flush()
        await session.execute(update(SourceRow).values(folder_id=7))
    async with database.sessions.begin() as session:
        await session.execute(text("DELETE FROM folders"))
    async with database.reads() as session:
        assert (await session.execute(select(SourceRow.folder_id))).scalar_one() is None


async def test_one_source_has_one_note_and_one_visual_per_placeholder(database: Database, source_id: int) -> None:
    def note() -> NoteRow:
        return NoteRow(
            source_id=source_id, user_id=1, title="t", summary="s", markdown_content="m", html_content="h",
            language_code="eng", source_type="TEXT", created_at=NOW, updated_at=NOW,
        )  # fmt: skip

    def visual() -> VisualRow:
        return VisualRow(
            source_id=source_id, placeholder_id="p", concept="c", description="d", search_query="q", status="PENDING",
            created_at=NOW, updated_at=NOW,
        )  # fmt: skip

    for make in (note, visual):
        async with database.sessions() as session:
            session.add_all([make(), make()])
            with pytest.raises(IntegrityError):
                await session.flush()


async def test_a_writing_session_takes_the_lock_of_sqlite_at_once_and_a_reading_one_never(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    database = open_database(f"sqlite:///{path}")
    await database.create_schema()
    with sqlite3.connect(path, timeout=0, isolation_level=None) as other:
        async with database.sessions() as session:
            await session.execute(select(UserRow))
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        async with database.reads() as session:
            await session.execute(select(UserRow))
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
    other.close()
    await database.close()


async def test_a_reader_is_not_held_up_by_a_writer_and_sees_what_is_committed(
    database: Database, source_id: int
) -> None:
    async with database.sessions.begin() as writer:
        await writer.execute(update(SourceRow).values(title="new"))
        async with database.reads() as reader:
            assert (await reader.execute(select(SourceRow.title))).scalar_one() is None
    async with database.reads() as reader:
        assert (await reader.execute(select(SourceRow.title))).scalar_one() == "new"


async def test_sqlite_runs_with_wal_foreign_keys_and_full_sync(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'notes.db'}")
    async with database.reads() as session:
        found = [
            (await session.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous")
        ]
    await database.close()
    assert found == ["wal", 1, 2]


async def test_rolled_back_work_is_gone(database: Database, source_id: int) -> None:
    async with database.sessions() as session:
        await session.execute(update(SourceRow).values(title="never"))
        await session.rollback()
    async with database.reads() as session:
        assert (await session.execute(select(SourceRow.title))).scalar_one() is None


async def test_the_number_of_a_deleted_source_is_not_given_again(database: Database, source_id: int) -> None:
    async with database.sessions.begin() as session:
        await session.execute(text("DELETE FROM sources"))
        row = SourceRow(user_id=1, type="TEXT", processing_status="PENDING", created_at=NOW, updated_at=NOW)
        session.add(row)
        await session.flush()
        assert row.id > source_id


async def test_an_unreachable_server_is_an_error_and_not_a_wait() -> None:
    database = open_database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(OperationalError):
        await database.create_schema()
    await database.close()
