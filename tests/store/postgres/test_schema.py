"""Migrating, refusing, and the database's clock."""

import asyncio
import subprocess
import sys

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from penstock.clock import SteadyClock, SystemClock
from penstock.errors import ConfigurationError, SchemaError
from penstock.store import migrations
from penstock.store.migrations import Migration
from penstock.store.postgres import PostgresStore, schema
from penstock.store.postgres.address import parse
from tests.store.postgres.programs import MakeStore, notes

ALL = [migration.number for migration in migrations.load("penstock.store.postgres.migrations")]


async def test_a_database_without_our_tables_is_refused_until_it_is_migrated(database: str) -> None:
    store = PostgresStore(database)
    with pytest.raises(SchemaError, match="run `penstock migrate`"):
        await store.open()
    with pytest.raises(SchemaError, match="run `penstock migrate`"):
        await asyncio.to_thread(store.read_sync, notes())
    assert await store.migrate() == ALL
    assert await store.migrate() == []
    await store.open()
    assert await store.read(notes()) == []
    await store.close()
    await store.open()
    assert await store.read(notes()) == []
    await store.close()


async def test_processes_that_migrate_at_once_apply_each_migration_once(database: str) -> None:
    applied = await asyncio.gather(*(PostgresStore(database).migrate() for _ in range(8)))
    assert sorted(number for numbers in applied for number in numbers) == ALL


async def test_a_schema_that_needs_newer_code_is_refused(make_store: MakeStore, database: str) -> None:
    await make_store()
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE penstock.meta SET value = '99'")
    for attempt in (PostgresStore(database).open, PostgresStore(database).migrate):
        with pytest.raises(SchemaError, match="upgrade penstock"):
            await attempt()


async def test_a_newer_schema_that_this_code_may_use_is_used_and_an_older_is_not(
    make_store: MakeStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_store()
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE penstock.meta SET value = '99' WHERE key = 'schema_version'")
    store = PostgresStore(database)
    await store.open()
    await store.close()
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE penstock.meta SET value = '1' WHERE key = 'schema_version'")
    newer = PostgresStore(database)
    monkeypatch.setattr(newer, "_migrations", [*newer._migrations, Migration(len(ALL) + 1, "next", "SELECT 1", 1)])
    with pytest.raises(SchemaError, match=f"is at schema 1, this code needs {len(ALL) + 1}"):
        await newer.open()


async def test_a_migration_that_fails_leaves_nothing_behind(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PostgresStore(database)
    broken = Migration(len(ALL) + 1, "broken", "CREATE TABLE left_behind (); SELECT 1 / 0;", 1)
    monkeypatch.setattr(store, "_migrations", [*store._migrations, broken])
    with pytest.raises(
        SchemaError, match=f"migration {broken.number:04}_broken failed and was undone: division by zero"
    ):
        await store.migrate()
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT to_regclass('left_behind')").fetchone() == (None,)
    assert await PostgresStore(database).migrate() == []


async def test_an_old_server_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "OLDEST_SERVER", 99)
    with pytest.raises(ConfigurationError, match="Penstock needs 99 or newer"):
        await PostgresStore(database).open()


async def test_the_clock_is_the_databases(make_store: MakeStore) -> None:
    store = await make_store()
    clock = store.clock
    assert isinstance(clock, SteadyClock)
    day = 24 * 3600 * 1_000_000
    for measure in (store.measure_clock, lambda: asyncio.to_thread(store.measure_clock_sync)):
        clock.measured(0, 0, clock.now())
        assert clock.now() < SystemClock().now() - day
        await measure()
        assert abs(clock.now() - SystemClock().now()) < day
    given = SystemClock()
    assert (await make_store(clock=given)).clock is given


def test_a_bad_url_says_what_would_be_right() -> None:
    with pytest.raises(ConfigurationError, match="must begin with postgresql://, not mysql"):
        parse("mysql://here/x")
    with pytest.raises(
        ConfigurationError, match="penstock_prepared in the database URL must be on or off, not 'maybe'"
    ):
        parse("postgresql://here/x?penstock_prepared=maybe")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        parse("postgresql://here/x?nonsense=1")


def test_the_url_wins_over_our_defaults_and_sqlalchemys_form_is_understood() -> None:
    address = parse("postgresql+psycopg://u:p%40ss@here:1/db?application_name=mine&penstock_prepared=off")
    found = psycopg.conninfo.conninfo_to_dict(address.conninfo)
    assert not address.prepared
    expected = {"user": "u", "password": "p@ss", "host": "here", "application_name": "mine", "keepalives": "1"}
    assert {key: found[key] for key in expected} == expected


def test_a_script_that_closes_nothing_ends_in_silence(database: str) -> None:
    script = (
        "import sys\n"
        "from penstock.store.postgres import PostgresStore\n"
        "from penstock.store.program import Call, NeedLanes, LaneKey, program\n"
        "@program\n"
        "def lanes():\n"
        "    return (yield NeedLanes((LaneKey('q', 'k'),)))\n"
        "print(len(PostgresStore(sys.argv[1], auto_migrate=True).run_sync(lanes())))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, database], capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("1\n", "", 0)


def test_a_url_without_a_host_means_the_local_socket() -> None:
    assert conninfo_to_dict(parse("postgresql:///app").conninfo)["dbname"] == "app"
    assert "host" not in conninfo_to_dict(parse("postgresql:///app").conninfo)
