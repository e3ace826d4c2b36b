import pytest

from penstock.errors import ConfigurationError, SchemaError
from penstock.store import migrations
from penstock.store.migrations import SchemaState


def test_the_compatibility_mark_stays_until_a_file_moves_it():
    found = migrations.collect(
        {
            "0002_more.sql": "CREATE TABLE b (id integer);",
            "0001_first.sql": "CREATE TABLE a (id integer);",
            "0003_drop.sql": "-- compatible_from: 2\nDROP TABLE a;",
        }
    )
    assert [(m.number, m.name, m.compatible_from) for m in found] == [(1, "first", 1), (2, "more", 1), (3, "drop", 2)]


@pytest.mark.parametrize("names", [["1_first.sql"], ["0001_a.sql", "0003_b.sql"], ["0001_a.sql", "0001_b.sql"]])
def test_wrong_numbers_are_refused(names):
    with pytest.raises(ConfigurationError, match="migration file"):
        migrations.collect(dict.fromkeys(names, "SELECT 1;"))


def test_a_mark_above_its_own_number_is_refused():
    with pytest.raises(ConfigurationError, match="compatible_from 2 is above"):
        migrations.collect({"0001_a.sql": "-- compatible_from: 2\nSELECT 1;"})


def test_code_below_the_mark_is_refused_and_says_so():
    with pytest.raises(SchemaError, match=r"at schema 9 and needs code that knows schema 7.*upgrade penstock"):
        migrations.check(SchemaState(9, 7), newest=6)


def test_older_code_at_the_mark_runs_on_a_newer_schema():
    known = migrations.collect({"0001_a.sql": "SELECT 1;", "0002_b.sql": "SELECT 1;"})
    assert migrations.pending(known, SchemaState(5, 2)) == []


def test_both_dialects_have_the_same_migrations():
    found = [
        [(m.number, m.name, m.compatible_from) for m in migrations.load(f"penstock.store.{dialect}.migrations")]
        for dialect in ("sqlite", "postgres")
    ]
    assert found[0] == found[1]
