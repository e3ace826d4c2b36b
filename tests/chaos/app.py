"""The programs that are put to the test: a worker and a producer, each the whole of a process."""

import asyncio
import os
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from penstock import Penstock, Queue, StoreUnavailable, Worker
from penstock.worker.logs import configure
from penstock.worker.process import run_process
from tests.chaos.effects import EffectLog, read_effects
from tests.chaos.kinds import QUEUE, Collect, Handlers, Piece

BATCH = 40
"""Jobs a producer commits at once, at most."""
EFFECTS = "effects.log"
CLOCK = "clock"
"""Switch in the folder: seconds by which the wall clock of the workers is off."""
QUOTA = "quota"
"""Switch in the folder: how many pages the SQLite file may have."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a process is told. `folder`: where logs and switches are; durations in seconds."""

    url: str
    folder: Path
    lease_s: float = 1.0
    grace_s: float = 30.0
    concurrency: int = 20


@dataclass(frozen=True, slots=True)
class Load:
    """What a producer has to commit, counted over all its lives: loose pieces, and flows of `width` pieces.

    pace_s: about so long between two commits.
    """

    jobs: int
    flows: int = 0
    width: int = 8
    pace_s: float = 0.0


def work(orders: Orders, name: str) -> None:
    """Be a worker until a signal; the process ends with the worker's exit code."""

    async def main() -> int:
        handlers = Handlers(EffectLog(orders.folder / EFFECTS)).all
        async with Penstock(orders.url, lease_s=orders.lease_s, poll_s=0.2, prefetch=50) as penstock:
            queues = {QUEUE: Queue(concurrency=orders.concurrency)}
            worker = Worker(penstock, handlers, queues=queues, name=name, grace_s=orders.grace_s, kill_grace_s=1.0)
            return await worker.run()

    _step_clock(orders.folder / CLOCK)
    _limit_pages(orders.folder / QUOTA)
    _live(main, orders, name)


def produce(orders: Orders, name: str, load: Load, seed: int) -> None:
    """Commit a load, note each answer, and end with 0. A successor of the same name goes on where the log ends."""

    async def main() -> int:
        effects = EffectLog(orders.folder / f"{name}.told")
        told = read_effects(orders.folder / f"{name}.told")
        flows = sum(effect.kind == "collect" for effect in told)
        jobs = sum(effect.kind == "piece" for effect in told) - flows * load.width
        rng = random.Random(seed + len(told))
        async with Penstock(orders.url) as penstock:
            while jobs < load.jobs or flows < load.flows:
                await asyncio.sleep(rng.uniform(0, 2 * load.pace_s))
                if flows < load.flows and (jobs >= load.jobs or rng.random() < 0.3):
                    await _until_answered(partial(_commit_flow, penstock, effects, load.width))
                    flows += 1
                else:
                    count = min(rng.randint(1, BATCH), load.jobs - jobs)
                    await _until_answered(partial(_commit_jobs, penstock, effects, jobs, count))
                    jobs += count
        return 0

    _limit_pages(orders.folder / QUOTA)
    _live(main, orders, name)


async def _commit_jobs(penstock: Penstock, effects: EffectLog, first: int, count: int) -> None:
    handles = await penstock.enqueue_many([Piece(number=first + n) for n in range(count)])
    effects.told(("piece", handle.id) for handle in handles)


async def _commit_flow(penstock: Penstock, effects: EffectLog, width: int) -> None:
    async with penstock.transaction() as tx:
        flow = tx.flow("pieces")
        pieces = await tx.enqueue_many([Piece(number=n) for n in range(width)], flow=flow)
        child = await tx.enqueue(Collect(parents=width), after=pieces, when="all_ended")
    effects.told([*(("piece", piece.id) for piece in pieces), ("collect", child.id)])


async def _until_answered(commit: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Commit again while the store is away. What had been committed unanswered is then there twice, and may be."""
    while True:
        try:
            return await commit()
        except StoreUnavailable as error:
            sys.stderr.write(f"{error}\n")
            await asyncio.sleep(0.1)


def _live(main: Callable[[], Coroutine[Any, Any, int]], orders: Orders, name: str) -> None:
    """Run `main` as `penstock worker` does, with stderr in a file of the folder."""
    log = os.open(orders.folder / f"{name}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 2)
    configure("json")
    sys.exit(run_process(main))


def set_switch(path: Path, value: int) -> None:
    """Write a switch: a number of fixed width, so that whoever reads it meanwhile sees the old or the new one."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.pwrite(file, f"{value:+020d}".encode(), 0)
    os.close(file)


def _step_clock(path: Path) -> None:
    """Let this process's wall clock be off by what the file says, from now on and at any time."""
    if not path.exists():
        return
    file = os.open(path, os.O_RDONLY)
    true_ns = time.time_ns

    def stepped_ns() -> int:
        return true_ns() + int(os.pread(file, 20, 0)) * 1_000_000_000

    time.time_ns = stepped_ns
    time.time = lambda: stepped_ns() / 1e9


class _Limited(sqlite3.Connection):
    """A connection on which the file cannot grow beyond a number of pages, as on a disk that is full."""

    quota: Path
    _pages = ""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """As `Connection.execute`; before a transaction begins the limit is looked up."""
        if sql.startswith("BEGIN") and (pages := self.quota.read_text()) != self._pages:
            self._pages = pages
            super().execute(f"PRAGMA max_page_count = {int(pages)}")
        return super().execute(sql, *parameters)


def _limit_pages(path: Path) -> None:
    if path.exists():
        _Limited.quota = path
        sqlite3.connect = partial(sqlite3.connect, factory=_Limited)  # type: ignore[assignment]
