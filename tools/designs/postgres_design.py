"""One design on PostgreSQL: a database of its own, and the three statements that are a job's life."""

import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.string import TextLoader

from penstock.store.statements import parse
from tools.designs.jobs import NewJob, copy_text

Connection = psycopg.Connection[TupleRow]
Block = tuple[int, dict[str, bytes]]
NO_HINT = -(2**63) + 1

_FOLDER = Path(__file__).parent / "postgres"
_COPY_COLUMNS = re.compile(r"\((.*)\) FROM STDIN")
_PREFIX = "penstock_designs_"


class Batch:
    """Claimed jobs, as the arrays that their ending takes. `position` is the highest, `claim` the fence."""

    def __init__(self, claim: int, rows: Sequence[tuple[Any, ...]]) -> None:
        self.size = len(rows)
        self.position: int = max((row[1] for row in rows), default=NO_HINT)
        now = time.time_ns() // 1_000
        self.ending: dict[str, Any] = {
            "claim": claim,
            "now": now,
            "ids": _array([row[0] for row in rows]),
            "places": _array([row[1] for row in rows]),
            "attempts": _array([row[2] + 1 for row in rows]),
            # Each its own: equal ones would be compressed to nothing where a batch is stored as arrays.
            "starts": _array(range(now, now + len(rows))),
        }


class Design:
    """Named by its file in `postgres/`. `fillfactor` replaces the one that the file gives its tables."""

    def __init__(self, name: str, fillfactor: int | None = None) -> None:
        self.name = name if fillfactor is None else f"{name}, fillfactor {fillfactor}"
        self.sql = dict(parse((_FOLDER / f"{name}.sql").read_text("utf-8"), name))
        if fillfactor is not None:
            self.sql["tables"] = re.sub(r"fillfactor = \d+", f"fillfactor = {fillfactor}", self.sql["tables"])
        self._copies = {text: _columns(text) for key, text in self.sql.items() if key.startswith("copy_")}

    def prepare(self, jobs: Sequence[NewJob]) -> Block:
        """What `insert` takes: encoded beforehand, so that only the database is measured."""
        texts = {
            text: copy_text(jobs, [column for column in columns if column != "place"])
            for text, columns in self._copies.items()
        }
        return len(jobs), texts

    def insert(self, connection: Connection, block: Block) -> None:
        """Insert a block in one transaction."""
        count, texts = block
        with connection.transaction():
            first = 0
            if "reserve" in self.sql:
                first = connection.execute(self.sql["reserve"], {"count": count}).fetchall()[0][0]
            for text, lines in texts.items():
                with connection.cursor().copy(text) as copy:
                    copy.write(_numbered(lines, first) if "place" in self._copies[text] else lines)

    def claim(self, connection: Connection, claim: int, limit: int, after: int = NO_HINT) -> Batch:
        """Claim up to `limit` jobs whose position is above `after`."""
        return Batch(claim, self.ask_claim(connection, claim, limit, after).fetchall())

    def ask_claim(self, connection: Connection, claim: int, limit: int, after: int) -> psycopg.Cursor[TupleRow]:
        """Send the claim; in a pipeline its rows are there later."""
        parameters = {"claim": claim, "limit": limit, "after": after, "now": time.time_ns() // 1_000}
        return connection.execute(self.sql["claim"], parameters, prepare=True)

    def complete(self, connection: Connection, batch: Batch) -> None:
        """End a batch under its fence."""
        connection.execute(self.sql["complete"], batch.ending, prepare=True)

    def count_readable(self, connection: Connection) -> int:
        """How many completed jobs can be read with their times and attempt."""
        # This one reads whole tables, and should.
        for setting in ("enable_seqscan = on", "enable_hashjoin = on", "plan_cache_mode = force_custom_plan"):
            connection.execute(f"SET {setting}".encode())
        connection.execute("ANALYZE")
        count: int = connection.execute(self.sql["readable"]).fetchall()[0][0]
        return count


@contextmanager
def database(url: str) -> Iterator[str]:
    """An empty database on this server, dropped at exit."""
    name = _PREFIX + secrets.token_hex(8)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield psycopg.conninfo.make_conninfo(url, dbname=name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def connect(url: str, *, durable: bool) -> Connection:
    """A connection in autocommit; when not durable, its commits do not wait for the disk, as the engine's claims.

    Without statistics the planner would read whole tables at first. The engine's statements leave it no such way; a
    floor forbids it.
    """
    connection = psycopg.connect(url, autocommit=True)
    connection.execute("SET statement_timeout = '60s'")
    connection.execute("SET plan_cache_mode = force_generic_plan")
    for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin"):
        connection.execute(f"SET enable_{way} = off".encode())
    connection.adapters.register_loader("uuid", TextLoader)
    connection.adapters.register_loader("json", TextLoader)
    if not durable:
        connection.execute("SET synchronous_commit = off")
    return connection


def _columns(copy: str) -> list[str]:
    found = _COPY_COLUMNS.search(copy)
    if found is None:
        raise ValueError(f"not a COPY of named columns: {copy}")
    return found[1].split(", ")


def _numbered(lines: bytes, first: int) -> bytes:
    return b"".join([b"%d\t%s\n" % (first + n, line) for n, line in enumerate(lines.splitlines())])


def _array(values: Sequence[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"
