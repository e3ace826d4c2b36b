"""A worker of plan_curation that is stopped or killed in the middle, counted at the server it asks."""

import asyncio
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.learning_plans.curation.bench import WAIT_S, CurationBench, curation_bench, environment, settings_of, until
from tests.learning_plans.curation.conftest import TITLES
from tests.learning_plans.plans import add_plan, attached, standing
from tests.learning_plans.wires.search_wires import YOUTUBE, SearchWires
from tests.support import faults

ROOT = Path(__file__).parents[3]
SEARCH = f"{YOUTUBE}/search"
MODULES = (TITLES[:2], TITLES[2:])
# Not shorter: on a busy machine a worker would lose its own lease, and do again what it was about to remember.
LEASE_MS = 5_000

pytestmark = pytest.mark.timeout(300)


@asynccontextmanager
async def program(url: str, wires: SearchWires, *module: str) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = environment(url, wires.url, JOB_LEASE_MS=str(LEASE_MS), WORKER_SHUTDOWN_TIMEOUT_MS="1000")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *module, cwd=ROOT, env=os.environ | settings)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def all_is_there(bench: CurationBench) -> None:
    assert await standing(bench.database) == dict.fromkeys(TITLES, ("done", None))
    for title in TITLES:
        assert await attached(bench.database, title) == [(n + 1, f"{title}{n}") for n in range(3)]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_lp_17_stopped_in_the_middle_finished_tasks_are_not_searched_again(
    database_url: str, wires: SearchWires, how: signal.Signals
) -> None:
    until_then = threading.Event()
    wires.faults[SEARCH] += [wires.answer, wires.answer, faults.stall(until_then)]
    async with curation_bench(settings_of(database_url, wires.url, job_lease_ms=LEASE_MS)) as bench:
        await add_plan(bench.database, *MODULES)
        job_id = await bench.ask()
        async with program(database_url, wires, "systems.learning_plans", "worker") as process:
            await until(lambda: third_search_began(wires))
            await until(lambda: is_known_to_run(bench, job_id))
            process.send_signal(how)
            code = await asyncio.wait_for(process.wait(), WAIT_S)
        until_then.set()
        assert code == (1 if how is signal.SIGTERM else -signal.SIGKILL)
        assert set(await standing(bench.database)) == {"joins", "views"}
        await bench.plans.start()
        view = await bench.ended(job_id)
        assert (view.status, view.result["done"]) == ("completed", 5)
        # Given back is no failure; lost is one attempt.
        assert view.attempts == (1 if how is signal.SIGTERM else 2)
        await all_is_there(bench)
    # The search that stalled was not read to its end, and is not among them.
    assert Counter(wires.queries) == Counter(f"SQL {title}" for title in TITLES)
    assert wires.calls[SEARCH] == 6


async def test_lp_17_killed_between_finding_and_storing_the_finds_are_stored_without_a_search(
    database_url: str, wires: SearchWires
) -> None:
    async with curation_bench(settings_of(database_url, wires.url, job_lease_ms=LEASE_MS)) as bench:
        await add_plan(bench.database, *MODULES)
        job_id = await bench.ask()
        async with program(database_url, wires, "tests.learning_plans.curation.dying_worker") as process:
            assert await asyncio.wait_for(process.wait(), WAIT_S) == -signal.SIGKILL
        assert set(await standing(bench.database)) == {"joins"}
        await bench.plans.start()
        view = await bench.ended(job_id)
        assert view.status == "completed"
        await all_is_there(bench)
    assert Counter(wires.queries) == Counter(f"SQL {title}" for title in TITLES)


async def third_search_began(wires: SearchWires) -> bool:
    return wires.calls[SEARCH] == 3


async def is_known_to_run(bench: CurationBench, job_id: str) -> bool:
    """Whether a heartbeat has told the store: from then on the run counts as an attempt when it is lost."""
    return (await bench.plans.engine.get(job_id)).started_at is not None
