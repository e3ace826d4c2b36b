"""Tiny programs with statements of their own, and stores that know them."""

import sqlite3
import threading
from pathlib import Path

from penstock.store.program import Call, Lane, LaneKey, NeedLanes, Steps, Wake, program
from penstock.store.sqlite.runner import Statements, own_statements, prepare
from penstock.store.sqlite.store import SqliteStore

THINGS: Statements = prepare(
    {
        "add_thing": "INSERT INTO things (name) VALUES (:name) RETURNING id",
        "rename_and_list": "UPDATE things SET name = :new WHERE name = :old\n;;\nSELECT name FROM things ORDER BY id",
        "things": "SELECT name FROM things ORDER BY id",
        "from_json": "SELECT value FROM json_each(:names)",
        "synchronous": "PRAGMA synchronous",
    }
)


def all_statements() -> Statements:
    """The engine's statements and these."""
    return {**own_statements(), **THINGS}


def make_store(path: Path, **options) -> SqliteStore:
    """A store that knows the tiny statements as well."""
    store = SqliteStore(path, **options)
    store._statements = all_statements()
    return store


def make_table(path: Path) -> None:
    """Make the table of the tiny programs."""
    with_connection = sqlite3.connect(path)
    with_connection.execute("CREATE TABLE IF NOT EXISTS things (id integer PRIMARY KEY, name text UNIQUE NOT NULL)")
    with_connection.commit()
    with_connection.close()


@program
def add(name: str, wake: str | None = None, error: Exception | None = None) -> Steps[int]:
    """Add a thing; wake; raise."""
    rows = yield Call("add_thing", {"name": name})
    if wake:
        yield Wake(frozenset({wake}))
    if error:
        raise error
    return rows[0][0]


@program
def add_many(names: list[str]) -> Steps[int]:
    """Add several in one transaction."""
    for name in names:
        yield Call("add_thing", {"name": name})
    return len(names)


@program
def listing() -> Steps[list[str]]:
    """All names."""
    return [row[0] for row in (yield Call("things"))]


@program
def lanes(*keys: LaneKey) -> Steps[list[Lane]]:
    """The lanes of these keys."""
    return (yield NeedLanes(keys))


@program
def synchronous_level() -> Steps[int]:
    """How far commits of this connection reach: 1 NORMAL, 2 FULL."""
    return (yield Call("synchronous"))[0][0]


@program
def blocking(began: threading.Event, go_on: threading.Event) -> Steps[None]:
    """Holds the writer thread, so that what is submitted meanwhile becomes one group."""
    began.set()
    assert go_on.wait(20)
    yield Call("things")
