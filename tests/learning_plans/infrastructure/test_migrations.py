"""A fresh database and a migrated one are the same, on both stores."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from systems.common.database.connections import Database
from systems.learning_plans.infrastructure.database import VERSION_TABLE, migrate, open_database
from tests.support.postgres import Server, create_database, drop_database

COLUMNS = """SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
WHERE table_schema = 'public'"""
CONSTRAINTS = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype <> 'n'"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"


@pytest.fixture(params=["sqlite", "postgresql"])
def two_urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "two")]
        return
    server: Server = request.getfixturevalue("postgres_server")
    urls = [create_database(server) for _ in range(2)]
    yield urls
    for url in urls:
        drop_database(url)


def described(connection: Connection) -> list[tuple[str, ...]]:
    """All tables, columns, constraints and indexes, in an order that says nothing of how they were made."""
    if connection.dialect.name == "sqlite":
        found = connection.execute(text("SELECT tbl_name, name, sql FROM sqlite_master"))
        rows = [(row[0], row[1], *sorted(_lines(row[2] or ""))) for row in found]
    else:
        rows = [
            tuple(str(value) for value in row)
            for query in (COLUMNS, CONSTRAINTS, INDEXES)
            for row in connection.execute(text(query))
        ]
    return sorted(row for row in rows if row[0] != VERSION_TABLE)


def _lines(sql: str) -> list[str]:
    return [" ".join(line.replace('"', "").strip(", \t").split()) for line in sql.splitlines()]


async def describe(database: Database) -> list[tuple[str, ...]]:
    async with database.engine.connect() as connection:
        return await connection.run_sync(described)


async def test_migrated_tables_are_those_that_the_code_declares(two_urls: list[str]) -> None:
    declared, migrated = [open_database(url) for url in two_urls]
    await declared.create_schema()
    await migrate(migrated)
    wanted, found = await describe(declared), await describe(migrated)
    await declared.close()
    await migrated.close()
    assert len({row[0] for row in wanted}) == 14
    assert found == wanted


async def test_processes_that_migrate_at_once_wait_for_each_other_and_a_second_time_changes_nothing(
    two_urls: list[str],
) -> None:
    databases = [open_database(two_urls[0]) for _ in range(4)]
    await asyncio.gather(*(migrate(database) for database in databases))
    before = await describe(databases[0])
    await migrate(databases[0])
    assert await describe(databases[0]) == before
    async with databases[0].reads() as session:
        found = await session.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - our own name
        assert found.scalars().all() == ["0002"]
    for database in databases:
        await database.close()
