"""One limit, many worker processes: no window above the rate, nearly all of it used, and no tenant kept waiting."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock import Penstock
from penstock.operations.usage import CallView
from penstock.store.postgres import PostgresStore
from penstock.testing import ModelServer, ScriptedAnswer
from penstock.testing.model_server import Call, busiest
from tests.ledger.limited_worker import Ask
from tests.worker.working import until

RATE = 900
"""Requests a minute: fifteen a second may come at once, then one each 68 ms."""
JOBS = 180
PER_S = RATE / 61
AT_ONCE = RATE / 61


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/limited.db"
    url: str = request.getfixturevalue("postgres_url")
    await PostgresStore(url).migrate()
    return url


@asynccontextmanager
async def processes(count: int, *arguments: str) -> AsyncIterator[None]:
    """So many workers."""
    command = (sys.executable, "-m", "tests.ledger.limited_worker", *arguments)
    running = [await asyncio.create_subprocess_exec(*command) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            if one.returncode is None:
                one.terminate()
        await asyncio.gather(*(one.wait() for one in running))
    assert [one.returncode for one in running] == [0] * count


@pytest.mark.timeout(120)
async def test_many_processes_keep_one_limit_and_use_it(database: str):
    limit = json.dumps({"provider": "acme", "requests": RATE})
    async with ModelServer() as server, Penstock(database) as engine:
        server.default = ScriptedAnswer("yes", input_tokens=30, output_tokens=50)
        await engine.enqueue_many([Ask() for _ in range(JOBS)], max_attempts=1, tenant="many")
        async with processes(4 if database.startswith("sqlite") else 8, database, server.base_url, limit):
            await server.until_calls(JOBS // 2)
            single = await engine.enqueue(Ask(), max_attempts=1, tenant="one")
            await single.result(60)
            await until(lambda: server.calls == JOBS + 1)
            await until(lambda: _all_completed(engine))
        opened = sorted(call.opened_at.timestamp() for call in await _calls(engine))
        [own] = await engine.jobs.calls(single.id)
        created = (await engine.get(single.id)).created_at
    assert len(opened) == JOBS + 1, "each job was asked once"
    for window_s in (0.5, 1, 2, 5, 10, 60):
        let_through = busiest((Call(at, 0, 0) for at in opened), window_s).requests
        assert let_through <= PER_S * window_s + AT_ONCE + 1, f"{let_through} in {window_s} s"
        # What the machine needs to send a call may bring some together that were let through apart.
        assert server.rate(window_s).requests <= PER_S * (window_s + 1) + AT_ONCE + 1
    steady = opened[JOBS // 4 :]  # by then all processes work, and what could come at once has come
    assert (len(steady) - 1) / (steady[-1] - steady[0]) >= 0.95 * PER_S, "while work waits the limit is used"
    between = sum(created.timestamp() < at < own.opened_at.timestamp() for at in opened)
    assert between <= 12, "one job of another tenant is delayed by a few calls"


async def _all_completed(engine: Penstock) -> bool:
    [queue] = await engine.queues.list()
    return queue.counts.get("completed", 0) == JOBS + 1


async def _calls(engine: Penstock) -> Sequence[CallView]:
    jobs = await engine.jobs.find(limit=2 * JOBS)
    return [call for job in jobs for call in await engine.jobs.calls(job.id)]
