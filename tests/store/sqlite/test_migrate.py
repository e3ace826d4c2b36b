import multiprocessing
import sqlite3

import pytest

from penstock.errors import ConfigurationError, SchemaError
from penstock.store import migrations
from penstock.store.sqlite.migrate import migrate
from penstock.store.sqlite.store import SqliteStore

TWO = migrations.collect(
    {
        "0001_a.sql": "-- the first; with a comment\nCREATE TABLE a (id integer);\nINSERT INTO a VALUES (1);",
        "0002_b.sql": "-- compatible_from: 2\nCREATE TABLE b (x text DEFAULT ';');\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  INSERT INTO b VALUES (new.id);\nEND;\n-- done\n",
    }
)
BROKEN = migrations.collect(
    {
        "0001_a.sql": "CREATE TABLE a (id integer);",
        "0002_b.sql": "CREATE TABLE b (id integer);\nCREATE TABLE a (id integer);",
    }
)


def query(path, sql):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_what_is_missing_is_applied_in_order_and_recorded(sqlite_path):
    assert migrate(sqlite_path, TWO[:1]) == [1]
    assert migrate(sqlite_path, TWO) == [2]
    assert migrate(sqlite_path, TWO) == []
    assert query(sqlite_path, "SELECT id FROM a") == [(1,)]
    assert dict(query(sqlite_path, "SELECT * FROM penstock_meta")) == {"schema_version": "2", "compatible_from": "2"}


def test_a_migration_is_applied_whole_or_not_at_all(sqlite_path):
    with pytest.raises(SchemaError, match="migration 0002_b failed and was undone: table a already exists"):
        migrate(sqlite_path, BROKEN)
    names = {name for (name,) in query(sqlite_path, "SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names == {"a", "penstock_meta"}
    assert dict(query(sqlite_path, "SELECT * FROM penstock_meta"))["schema_version"] == "1"


def test_a_migration_that_ends_inside_a_statement_is_refused(sqlite_path):
    with pytest.raises(ConfigurationError, match="0001_a ends inside a statement"):
        migrate(sqlite_path, migrations.collect({"0001_a.sql": "CREATE TABLE a (id integer)"}))


def test_a_schema_that_needs_newer_code_is_refused(sqlite_path):
    migrate(sqlite_path, TWO)
    with pytest.raises(SchemaError, match="needs code that knows schema 2 or newer; this code knows schema 1"):
        migrate(sqlite_path, TWO[:1])


def test_several_processes_may_migrate_at_once(sqlite_path):
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(3), context.Queue()
    processes = [context.Process(target=_migrate_together, args=(sqlite_path, barrier, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=50) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(number for numbers in found for number in numbers) == [1, 2]
    assert query(sqlite_path, "SELECT id FROM a") == [(1,)]


def _migrate_together(path, barrier, answers):
    barrier.wait()
    try:
        answers.put(migrate(path, TWO))
    except Exception as error:  # noqa: BLE001 - it is told to the test
        answers.put([repr(error)])


async def test_opening_migrates_and_a_second_migration_finds_nothing(sqlite_path):
    store = SqliteStore(sqlite_path)
    assert await store.migrate() == [m.number for m in migrations.load("penstock.store.sqlite.migrations")]
    await store.open()
    assert await store.migrate() == []
    await store.close()
