"""A design on PostgreSQL while another connection holds a snapshot: what a claim costs at the start and at the end."""

import time
from statistics import median
from typing import Any

from tools.designs.drain import cost_of, left_behind
from tools.designs.jobs import blocks
from tools.designs.postgres_design import NO_HINT, Design, connect, database

_VACUUM_EVERY = 50
_TENTHS = 10


def measure(url: str, design: Design, *, jobs: int, batch: int) -> dict[str, Any]:
    """`jobs` jobs pass through, a batch inserted, claimed, completed, under one old snapshot; milliseconds.

    Every tenth claim goes without the position hint, as the engine's does once a second. The tables are vacuumed
    between the batches, as a server's autovacuum would (outside of what is timed), which can remove nothing.
    """
    with database(url) as own, connect(own, durable=True) as durable, connect(own, durable=False) as hasty:
        durable.execute(design.sql["tables"])
        with connect(own, durable=True) as holder, holder.transaction():
            holder.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            holder.execute("SELECT count(*) FROM pg_class")
            hinted, unhinted, completed = _pass(design, durable, hasty, jobs, batch)
        left = left_behind(own)
        durable.execute("VACUUM")
        with cost_of(durable) as after:
            _pass(design, durable, hasty, batch * 20, batch, first=jobs)
        return {
            "design": design.name, "batch": batch, "jobs": jobs, "claim": _ends(hinted),
            "claim_without_hint": _ends(unhinted), "complete": _ends(completed), "left": left,
            "after": after.per_job(batch * 20),
        }  # fmt: skip


def _pass(
    design: Design, durable: Any, hasty: Any, jobs: int, size: int, first: int = 0
) -> tuple[list[float], list[float], list[float]]:
    hinted: list[float] = []
    unhinted: list[float] = []
    completed: list[float] = []
    position = NO_HINT
    for turn, block in enumerate(blocks(jobs, size, first)):
        design.insert(durable, design.prepare(block))
        without = turn % _TENTHS == 0
        begun = time.perf_counter()
        batch = design.claim(hasty, first + turn, size, NO_HINT if without else position)
        claimed = time.perf_counter()
        design.complete(durable, batch)
        (unhinted if without else hinted).append((claimed - begun) * 1e3)
        completed.append((time.perf_counter() - claimed) * 1e3)
        if batch.size != len(block):
            raise RuntimeError(f"{design.name}: {batch.size} of {len(block)} waiting jobs were claimed")
        position = batch.position
        if turn % _VACUUM_EVERY == 0:
            durable.execute("VACUUM")
    return hinted, unhinted, completed


def _ends(values: list[float]) -> dict[str, float]:
    """Medians of the first and of the last tenth."""
    tenth = max(1, len(values) // _TENTHS)
    return {"start_ms": round(median(values[:tenth]), 2), "end_ms": round(median(values[-tenth:]), 2)}
