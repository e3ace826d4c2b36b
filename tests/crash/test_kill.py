"""`kill -9` of a worker in the middle of 500 jobs and a flow: nothing lost, nothing finished twice, one fan-in."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock import JobHandle, JobState, Penstock
from penstock.store.programs.read import JobFilter
from tests.crash.app import Collect, Piece

PIECES = 500
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgres"])
async def penstock(request: pytest.FixtureRequest, sqlite_path: Path) -> AsyncIterator[Penstock]:
    """An engine on a fresh database of each kind."""
    url = f"sqlite:///{sqlite_path}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    engine = Penstock(url)
    await engine.store.migrate()
    async with engine:
        yield engine


def start_worker(url: str, log: Path) -> subprocess.Popen[bytes]:
    """A worker in a process of its own."""
    return subprocess.Popen([sys.executable, "-m", "tests.crash.app", url, str(log)], cwd=ROOT)


async def until_lines(log: Path, wanted: int) -> None:
    """Wait until the log of side effects has so many lines."""
    async with asyncio.timeout(30):
        while not log.exists() or log.read_bytes().count(b"\n") < wanted:
            await asyncio.sleep(0.005)


@pytest.mark.timeout(120)
async def test_a_killed_worker_loses_nothing_and_nothing_ends_twice(penstock: Penstock, tmp_path: Path) -> None:
    log = tmp_path / "effects.log"
    loose = await penstock.enqueue_many([Piece(number=n) for n in range(PIECES)])
    async with penstock.transaction() as tx:
        flow = tx.flow("crash")
        parents = await tx.enqueue_many([Piece(number=n) for n in range(100)], flow=flow)
        child = await tx.enqueue(Collect(flow="crash"), after=parents, when="all_ended")
    url = penstock.settings.database_url
    for killed_at in (100, 400):
        worker = start_worker(url, log)
        try:
            await until_lines(log, killed_at)
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
    worker = start_worker(url, log)
    try:
        result = await child.result(timeout=60)
        for handle in loose:
            await handle.result(timeout=60)
    finally:
        worker.send_signal(signal.SIGTERM)
        code = worker.wait(timeout=30)
    assert code == 0
    assert result == len(parents)
    await check(penstock, log, flow.id, [*loose, *parents, child], child.id)


async def check(penstock: Penstock, log: Path, flow_id: str, handles: list[JobHandle], child_id: str) -> None:
    """Read the database and the log of side effects."""
    jobs = await penstock.jobs.list(JobFilter(limit=10_000))
    assert {job.id for job in jobs} == {handle.id for handle in handles}
    assert Counter(job.state for job in jobs) == {JobState.COMPLETED: len(handles)}
    lines = [line.split() for line in log.read_text().splitlines()]
    first_end: dict[str, int] = {}
    for what, _, job_id, _, _, at in lines:
        if what == "end":
            first_end.setdefault(job_id, int(at))
    assert set(first_end) == {handle.id for handle in handles}, "the work of each job was done"
    flow = await penstock.flows.get(flow_id)
    assert (flow.status, flow.counts.total, flow.counts.completed) == ("completed", 101, 101)
    begun = min(int(line[5]) for line in lines if line[0] == "begin" and line[2] == child_id)
    parents = [parent for parent, child in await penstock.flows.edges(flow_id) if child == child_id]
    assert begun > max(first_end[parent] for parent in parents), "the fan-in came after the last of its parents"
