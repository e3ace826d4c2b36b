"""The drain of one design on SQLite: one connection, in the engine's settings."""

import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from penstock import codec
from penstock.store.sqlite.connection import connect, set_synchronous
from penstock.store.statements import parse
from tools.designs.jobs import NewJob, blocks

BLOCK = 10_000
_FOLDER = Path(__file__).parent / "sqlite"


class SqliteDesign:
    """Named by its file in `sqlite/`. A claim commits with synchronous=NORMAL, all else with FULL, as in the engine."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._sql = dict(parse((_FOLDER / f"{name}.sql").read_text("utf-8"), name))
        self.connection: sqlite3.Connection = connect(path)
        self.connection.executescript(self._sql["tables"])

    def insert(self, jobs: list[NewJob]) -> None:
        """Insert in one transaction."""
        rows = [job._asdict() for job in jobs]
        with self._transaction("FULL"):
            for statement in self._parts("insert"):
                self.connection.executemany(statement, rows)

    def claim(self, claim: int, limit: int) -> list[Any]:
        """Claim up to `limit` jobs."""
        parameters = {"claim": claim, "limit": limit, "now": time.time_ns() // 1_000}
        with self._transaction("NORMAL"):
            for statement in self._parts("claim"):
                self.connection.execute(statement, parameters)
            return self.connection.execute(self._sql["claimed"], parameters).fetchall()

    def complete(self, claim: int, rows: Iterable[Any]) -> None:
        """End a batch under its fence."""
        now = time.time_ns() // 1_000
        ended = codec.dumps([[row[0], row[2] + 1, now] for row in rows]).decode()
        with self._transaction("FULL"):
            for statement in self._parts("complete"):
                self.connection.execute(statement, {"rows": ended, "claim": claim, "now": now})

    def count_readable(self) -> int:
        """How many completed jobs can be read with their times and attempt."""
        count: int = self.connection.execute(self._sql["readable"]).fetchone()[0]
        return count

    def _parts(self, name: str) -> list[str]:
        return self._sql[name].split(";;")

    @contextmanager
    def _transaction(self, synchronous: str) -> Iterator[None]:
        set_synchronous(self.connection, synchronous)
        self.connection.execute("BEGIN IMMEDIATE")
        yield
        self.connection.execute("COMMIT")


def measure(name: str, *, jobs: int, batch: int) -> dict[str, Any]:
    """Insert and drain `jobs` in a new file of the system's temporary folder: rates, CPU and bytes of file a job."""
    with tempfile.TemporaryDirectory(prefix="penstock-designs-") as folder:
        path = Path(folder) / "design.db"
        design = SqliteDesign(name, path)
        try:
            prepared = list(blocks(jobs, BLOCK))
            begun = time.perf_counter()
            for block in prepared:
                design.insert(block)
            inserted = time.perf_counter()
            cpu = time.process_time()
            left, claim = jobs, 0
            while left:
                claim += 1
                rows = design.claim(claim, min(batch, left))
                if not rows:
                    raise RuntimeError(f"{name}: {left} jobs are left but none is claimed")
                design.complete(claim, rows)
                left -= len(rows)
            drained = time.perf_counter()
            cpu = time.process_time() - cpu
            ended = design.count_readable()
            design.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            design.connection.close()
        if ended != jobs:
            raise RuntimeError(f"{name}: {ended} of {jobs} jobs can be read as completed")
        return {
            "design": name,
            "store": "sqlite",
            "batch": batch,
            "jobs": jobs,
            "insert_s": round(jobs / (inserted - begun)),
            "drain_s": round(jobs / (drained - inserted)),
            "cpu_us": round(cpu / jobs * 1e6, 1),
            "file_bytes": round(path.stat().st_size / jobs),
        }
