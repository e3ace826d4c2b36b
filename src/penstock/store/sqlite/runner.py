"""Running a program on a connection: its operations become SQL statements, the rows go back in.

`as_sql` is free of I/O, so that the writer thread, a caller's session (also an async one) and a simulation share it.
"""

import re
import sqlite3
from collections.abc import Generator, Mapping
from functools import cache
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, assert_never

from penstock import codec
from penstock.codec import Batch, JsonText
from penstock.errors import ConfigurationError
from penstock.store import statements
from penstock.store.base import Topics
from penstock.store.lanes import LaneCache, ensure_lanes, lanes_of
from penstock.store.program import Call, Lane, LaneKey, NeedLanes, Program, Row, Wake

R = TypeVar("R")

Statements: TypeAlias = Mapping[str, tuple[str, ...]]
"""Each name's SQL, split where a line holds only `;;`. What begins with the line `-- packed` answers rows as JSON."""

SqlStep: TypeAlias = tuple[str, Mapping[str, Any]]
"""One SQL statement and its named parameters."""

_PACKED = "-- packed"
"""Marks a statement whose every row holds one value: JSON of many rows. The driver takes the interpreter lock anew for

each row, which a busy event loop keeps it waiting for.
"""

_SPLIT = re.compile(r"^;;[ \t]*$", re.MULTILINE)


class Outcome(NamedTuple, Generic[R]):
    """What a program answered, whom to wake after the commit, and lanes to remember then."""

    result: R
    topics: Topics
    lanes: Mapping[LaneKey, Lane]


def prepare(texts: Mapping[str, str]) -> Statements:
    """Statements by name, as `statements.load` gives them, ready to run."""
    return {name: tuple(part.strip() for part in _SPLIT.split(text)) for name, text in texts.items()}


@cache
def own_statements() -> Statements:
    """The engine's statements."""
    return prepare(statements.load("penstock.store.sqlite.sql"))


def as_sql(
    program: Program[R], known: Statements, cache: LaneCache | None
) -> Generator[SqlStep, list[Row], Outcome[R]]:
    """Yield the SQL of a program, one statement at a time; is sent the rows of each, and returns the outcome.

    Without a cache lanes are always asked for. What the program raises comes out; an error of the database stays
    outside: close the generator then.
    """
    steps = iter(program)
    topics: set[str] = set()
    fresh: dict[LaneKey, Lane] = {}
    answer: Any = None
    try:
        while True:
            try:
                operation = steps.send(answer)
            except StopIteration as end:
                return Outcome(end.value, frozenset(topics), fresh)
            match operation:
                case Call():
                    answer = yield from _call(operation, known)
                case NeedLanes(keys):
                    answer = cache.get(keys) if cache else None
                    if answer is None:
                        fresh.update(lanes_of((yield from _call(ensure_lanes(keys), known))))
                        answer = [fresh[key] for key in keys]
                case Wake():
                    topics |= operation.topics
                    answer = None
                case _:
                    assert_never(operation)
    finally:
        steps.close()


def _call(call: Call, known: Statements) -> Generator[SqlStep, list[Row], list[Row]]:
    parts = known.get(call.statement)
    if parts is None:
        raise ConfigurationError(f"there is no SQL statement named {call.statement!r} for SQLite")
    params = {name: _plain(value) for name, value in call.params.items()}
    rows: list[Row] = []
    packed: list[Row] | None = None
    for part in parts:
        rows = yield part, params
        if part.startswith(_PACKED):
            packed = _unpacked(rows)
    return rows if packed is None else packed


def _unpacked(rows: list[Row]) -> list[Row]:
    return [row for (pack,) in rows for row in codec.loads(pack)]


def _plain(value: Any) -> Any:
    """A parameter as the driver takes it."""
    if isinstance(value, Batch):
        value = value.rows()
    return value.decode() if isinstance(value, JsonText) else value


def execute(
    connection: sqlite3.Connection, program: Program[R], known: Statements, cache: LaneCache | None = None
) -> Outcome[R]:
    """Run a program in the transaction that is open on this connection. Raises what the program or SQLite raises."""
    steps = as_sql(program, known, cache)
    try:
        sql, params = next(steps)
        while True:
            sql, params = steps.send(connection.execute(sql, params).fetchall())
    except StopIteration as end:
        outcome: Outcome[R] = end.value
        return outcome
    finally:
        steps.close()


def run_inline(
    connection: sqlite3.Connection, program: Program[R], known: Statements | None = None
) -> tuple[R, Topics]:
    """Run a program in a transaction of its own on this connection (`isolation_level=None`), without any thread.

    Answers its result and the topics to wake. Nothing is remembered between calls, so that a simulation repeats
    exactly. Raises what the program or SQLite raises, after rolling back.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        outcome = execute(connection, program, known or own_statements())
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return outcome.result, outcome.topics
