import pytest

from penstock.errors import ConfigurationError
from penstock.store import statements


def test_both_dialects_name_the_same_statements():
    assert statements.names("penstock.store.sqlite.sql") == statements.names("penstock.store.postgres.sql")


def test_a_statement_reaches_to_the_next_name():
    text = "-- about this file\n\n-- name: first\nSELECT 1\n;;\nSELECT 2\n-- name: second\n-- why\nSELECT 3\n"
    assert list(statements.parse(text, "a.sql")) == [
        ("first", "SELECT 1\n;;\nSELECT 2"),
        ("second", "-- why\nSELECT 3"),
    ]


def test_sql_before_the_first_name_is_refused():
    with pytest.raises(ConfigurationError, match=r"a\.sql has SQL before"):
        list(statements.parse("SELECT 1;\n-- name: first\nSELECT 1", "a.sql"))


def test_an_empty_statement_is_refused():
    with pytest.raises(ConfigurationError, match=r"'first' in a\.sql is empty"):
        list(statements.parse("-- name: first\n-- nothing yet\n-- name: second\nSELECT 1", "a.sql"))


def test_a_name_in_two_files_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "doubled_statements"
    folder.mkdir()
    (folder / "a.sql").write_text("-- name: first\nSELECT 1\n")
    (folder / "b.sql").write_text("-- name: first\nSELECT 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"'first' is in a\.sql and in b\.sql"):
        statements.load("doubled_statements")


def test_the_caller_may_change_what_it_was_given():
    first = statements.load("penstock.store.sqlite.sql")
    first.clear()
    assert statements.load("penstock.store.sqlite.sql")
