"""The drain of one design on PostgreSQL: how fast, at whose cost, and what it leaves behind."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.designs.jobs import DATA, blocks
from tools.designs.postgres_design import NO_HINT, Batch, Connection, Design, connect, database

BLOCK = 10_000
MODES = ("serial", "overlap", "together")


@dataclass
class Cost:
    """What a stretch of work took. Seconds of CPU: `server` of all server processes of it, `client` of this one."""

    seconds: float = 0.0
    server: float = 0.0
    client: float = 0.0
    wal_bytes: int = 0

    def per_job(self, jobs: int) -> dict[str, float]:
        """Rate, and microseconds and bytes a job."""
        return {
            "jobs_s": round(jobs / self.seconds),
            "server_us": round(self.server / jobs * 1e6, 1),
            "client_us": round(self.client / jobs * 1e6, 1),
            "wal_bytes": round(self.wal_bytes / jobs),
        }


def measure(
    url: str, design: Design, *, jobs: int, batch: int, mode: str, finished: int = 0, waiting: int = 0
) -> dict[str, Any]:
    """Insert and drain `jobs` behind `finished` ended ones, with `waiting` more to come; what it cost, per job.

    `mode`: serial (claim, then completion), overlap (the next claim on another connection beside the completion),
    together (the completion and the next claim in one durable transaction and one round trip).
    """
    with database(url) as own, connect(own, durable=True) as durable, connect(own, durable=False) as hasty:
        durable.execute(design.sql["tables"])
        if finished:
            durable.execute(design.sql["finished"], {"count": finished, "data": DATA})
            durable.execute("VACUUM ANALYZE")
        prepared = [design.prepare(block) for block in blocks(jobs + waiting, BLOCK)]
        durable.execute("CHECKPOINT")
        with cost_of(durable) as inserting:
            for block in prepared:
                design.insert(durable, block)
        del prepared
        with cost_of(durable) as draining:
            _DRAINS[mode](design, durable, hasty, jobs, batch)
        ended = design.count_readable(durable) - finished
        if ended != jobs:
            raise RuntimeError(f"{design.name}: {ended} of {jobs} jobs can be read as completed")
        return {
            "design": design.name, "batch": batch, "mode": mode, "jobs": jobs, "finished": finished, "waiting": waiting,
            "insert": inserting.per_job(jobs + waiting), "drain": draining.per_job(jobs), "left": left_behind(own),
        }  # fmt: skip


@contextmanager
def cost_of(connection: Connection) -> Iterator[Cost]:
    """Measure the body; the server has to be on this machine and otherwise idle."""
    cost = Cost()
    before = _read(connection)
    yield cost
    after = _read(connection)
    cost.seconds, cost.client, cost.server = (after[n] - before[n] for n in range(3))
    cost.wal_bytes = after[3] - before[3]


def left_behind(url: str) -> dict[str, int]:
    """Dead rows, and bytes of tables and indexes, before any vacuum. Only after the working connections reported."""
    with connect(url, durable=True) as connection:
        rows = connection.execute(
            "SELECT coalesce(sum(n_dead_tup), 0)::bigint, sum(pg_table_size(relid))::bigint, "
            "sum(pg_indexes_size(relid))::bigint FROM pg_stat_user_tables"
        ).fetchall()
    return dict(zip(("dead_rows", "table_bytes", "index_bytes"), rows[0], strict=True))


def _serial(design: Design, durable: Connection, hasty: Connection, jobs: int, limit: int) -> None:
    position = NO_HINT
    claim = 0
    while jobs:
        claim += 1
        batch = design.claim(hasty, claim, min(limit, jobs), position)
        position = batch.position
        design.complete(durable, batch)
        jobs -= _some(batch)


def _overlap(design: Design, durable: Connection, hasty: Connection, jobs: int, limit: int) -> None:
    position = NO_HINT
    claim = 0
    ending: Future[None] | None = None
    with ThreadPoolExecutor(1) as pool:
        while jobs:
            claim += 1
            batch = design.claim(hasty, claim, min(limit, jobs), position)
            position = batch.position
            jobs -= _some(batch)
            if ending:
                ending.result()
            ending = pool.submit(design.complete, durable, batch)
        if ending:
            ending.result()


def _together(design: Design, durable: Connection, _: Connection, jobs: int, limit: int) -> None:
    batch = design.claim(durable, 1, min(limit, jobs))
    claim = 1
    while batch.size:
        jobs -= batch.size
        claim += 1
        with durable.pipeline(), durable.transaction():
            design.complete(durable, batch)
            asked = design.ask_claim(durable, claim, min(limit, jobs), batch.position)
        batch = Batch(claim, asked.fetchall())


_DRAINS = dict(zip(MODES, (_serial, _overlap, _together), strict=True))


def _some(batch: Batch) -> int:
    if not batch.size:
        raise RuntimeError("no job is left to claim, but not all were claimed")
    return batch.size


def _read(connection: Connection) -> tuple[float, float, float, int]:
    rows = connection.execute("SELECT pid, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') FROM pg_stat_activity")
    found = rows.fetchall()
    nanoseconds = sum(int(Path(f"/proc/{pid}/schedstat").read_text("ascii").split()[0]) for pid, _ in found)
    return time.perf_counter(), time.process_time(), nanoseconds / 1e9, int(found[0][1])
