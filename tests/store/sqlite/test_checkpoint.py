"""The log is copied into the file by and by, and not looked through in vain while a reader holds a snapshot."""

import sqlite3
from pathlib import Path

import pytest

from penstock.store.sqlite import checkpoint
from penstock.store.sqlite.checkpoint import Checkpoints
from penstock.store.sqlite.connection import connect


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def writer(path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    monkeypatch.setattr(checkpoint, "_PAGES", 60)
    connection = connect(path)
    connection.execute("CREATE TABLE things (text)")
    return connection


def write(connection: sqlite3.Connection, checkpoints: Checkpoints, commits: int) -> int:
    """Commit so often; how many checkpoints that made."""
    made: list[str] = []
    connection.set_trace_callback(lambda sql: made.append(sql) if "wal_checkpoint" in sql else None)
    for _ in range(commits):
        connection.execute("INSERT INTO things VALUES (?)", ("x" * 8_000,))
        checkpoints.after_commit()
    connection.set_trace_callback(None)
    return len(made)


def test_the_log_is_copied_when_enough_was_written(writer: sqlite3.Connection, path: Path):
    before = path.stat().st_size
    checkpoints = Checkpoints(writer)
    assert write(writer, checkpoints, 9) == 0
    assert write(writer, checkpoints, 41) == 5
    assert path.stat().st_size > before + 50 * 8_000 / 2
    assert path.with_name("log.db-wal").stat().st_size < 50 * 8_000, "the log begins anew once it is copied"


def test_while_a_reader_holds_a_snapshot_it_is_tried_ever_more_seldom(writer: sqlite3.Connection, path: Path):
    reader = connect(path, query_only=True)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM things").fetchone()
    checkpoints = Checkpoints(writer)
    held = write(writer, checkpoints, 2_000)
    reader.execute("ROLLBACK")
    assert held <= 12, "SQLite's own rule would have tried 2,000 times"
    assert write(writer, checkpoints, 2_000) > 0
    assert write(writer, checkpoints, 100) == 10, "with nobody in the way it is as often as ever"


def test_a_checkpoint_that_fails_costs_nobody_anything(writer: sqlite3.Connection, caplog: pytest.LogCaptureFixture):
    checkpoints = Checkpoints(writer)
    writer.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK
    )
    for _ in range(10):
        writer.execute("INSERT INTO things VALUES ('x')")
        checkpoints.after_commit()
    writer.set_authorizer(None)
    assert "a checkpoint of the database failed" in caplog.text
    assert writer.execute("SELECT count(*) FROM things").fetchone() == (10,)
