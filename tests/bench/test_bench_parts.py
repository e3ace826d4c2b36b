"""The parts of `penstock bench`, each at a tiny size on both stores: it measures, and beside what it says."""

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from penstock import Job
from penstock.bench import PARTS, Figure, StoreName, run_bench
from penstock.bench.jobs import Nothing
from penstock.bench.report import QUICK
from penstock.bench.server import postgres_to_measure
from penstock.bench.sqlite import Sqlite
from penstock.store.programs.read import JobFilter
from penstock.testing import run_until_idle
from tests.support.postgres import Server

TINY = replace(
    QUICK, jobs=100, singles=10, shared=60, pings=3, chain=5, fan_in=(20,), sleepers=20, backlog=500, idle_s=0.3,
    sustained_s=0.6,
)  # fmt: skip
BY_NAME = {part.name: part for part in PARTS}


async def figures(store: StoreName, server: Server, *names: str) -> dict[str, Figure]:
    """What these parts measure on this store, at tiny sizes."""
    (report,) = (await run_bench([store], [BY_NAME[name] for name in names], TINY, server.url)).stores
    assert report.not_run is None
    return {figure.name: figure for figure in report.figures}


both_stores = pytest.mark.parametrize("store", list(StoreName))


@both_stores
async def test_every_enqueue_stands_beside_its_floor(store: StoreName, postgres_server: Server) -> None:
    found = await figures(store, postgres_server, "one-by-one", "tasks", "bulk")
    assert list(found) == ["enqueue one by one", "enqueue by 50 tasks", "enqueue 1,000 a call", "enqueue 10,000 a call"]
    for figure in found.values():
        assert figure.other is not None
        assert 0 < figure.engine.low <= figure.engine.median <= figure.engine.high
        assert figure.ratio == figure.engine.median / figure.other.median


@both_stores
async def test_a_drain_stands_beside_its_floors_and_says_where_time_goes(
    store: StoreName, postgres_server: Server
) -> None:
    found = await figures(store, postgres_server, "drain")
    assert len(found) == 4  # a batch size each
    drain = found["drain, one process"]
    assert drain.bar is not None
    assert drain.profile is not None
    assert drain.profile.own_cpu_us > 0
    assert drain.profile.log_bytes is None or drain.profile.log_bytes > 100
    if store is StoreName.POSTGRES:
        assert drain.profile.commits is not None
        assert 0 < drain.profile.commits < 1


@both_stores
async def test_latency_is_measured_inside_and_across_processes(store: StoreName, postgres_server: Server) -> None:
    found = await figures(store, postgres_server, "latency", "latency-across")
    assert found["idle latency, p50"].other is not None
    assert found["idle latency across processes, p99"].bar is not None
    assert all(figure.engine.low > 0 for figure in found.values())


# What follows starts many processes: each part on one store, in turns.
async def test_what_costs_more_is_seen_to_have_happened(postgres_server: Server) -> None:
    found = await figures(StoreName.POSTGRES, postgres_server, "variants")
    names = ["with results", "with progress", "with one step", "with unique keys", "with mixed priorities"]
    assert list(found) == [f"drain {name}" for name in names]


async def test_two_processes_share_the_work(postgres_server: Server) -> None:
    found = await figures(StoreName.SQLITE, postgres_server, "two-processes")
    assert found["drain, two processes"].beside == "one process"


async def test_flows(postgres_server: Server) -> None:
    found = await figures(StoreName.SQLITE, postgres_server, "chain", "fan-in")
    assert found["chain of 5"].engine.median > 0
    assert found["job in a fan-in of 20"].bar is not None
    assert found["last of 20 parents to child"].engine.median > 0


async def test_sleepers_sleep_side_by_side_and_each_its_whole_time(postgres_server: Server) -> None:
    found = await figures(StoreName.POSTGRES, postgres_server, "sleepers")
    assert 0.2 <= found["20 jobs that sleep 0.2 s"].engine.median < 20 * 0.2
    assert found["memory meanwhile, most"].engine.median > 1


async def test_an_idle_worker(postgres_server: Server) -> None:
    found = await figures(StoreName.SQLITE, postgres_server, "idle")
    assert "idle worker, statements" in found
    assert found["idle worker, resident"].engine.median > 10


async def test_latency_at_half_load(postgres_server: Server) -> None:
    found = await figures(StoreName.POSTGRES, postgres_server, "latency-load")
    assert found["the load"].engine.median > 0
    assert found["latency at half load, p99"].engine.median > 0


async def test_finished_rows_in_the_table(postgres_server: Server) -> None:
    found = await figures(StoreName.SQLITE, postgres_server, "finished-rows")
    assert found["drain with 500 finished rows"].bar is not None


async def test_waiting_rows_in_the_table(postgres_server: Server) -> None:
    found = await figures(StoreName.POSTGRES, postgres_server, "waiting-rows")
    assert found["drain with 500 waiting rows"].bar is not None


@both_stores
async def test_copies_are_jobs_like_the_one_they_come_from(store: StoreName, postgres_server: Server) -> None:
    async with AsyncExitStack() as stack:
        if store is StoreName.SQLITE:
            ground = await stack.enter_async_context(Sqlite().ground())
        else:
            database = await stack.enter_async_context(postgres_to_measure(postgres_server.url))
            ground = await stack.enter_async_context(database.ground())
        handle = await ground.engine.enqueue(Nothing(n=7))
        await ground.probe.copy(handle.id, 20)
        jobs = await ground.engine.jobs.list(JobFilter(limit=100))
        assert len({job.id for job in jobs}) == 21
        assert {(job.kind, job.state, job.queue) for job in jobs} == {("bench_nothing", "ready", "bench")}
        data, _ = await ground.engine.jobs.payload(jobs[-1].id)
        assert data["n"] == 7
        ran: list[int] = []

        async def nothing(job: Job[Nothing]) -> None:
            ran.append(job.data.n)

        assert await run_until_idle(ground.engine, [nothing]) is not None
        assert ran == [7] * 21


@both_stores
async def test_a_stream_under_a_held_snapshot(store: StoreName, postgres_server: Server) -> None:
    found = await figures(store, postgres_server, "snapshot")
    assert found["snapshot held, rate"].engine.median > 0
    assert found["pickup p99, hold's end"].bar is not None
    assert ("dead rows at the hold's end" in found) == (store is StoreName.POSTGRES)
