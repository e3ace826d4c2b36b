"""`penstock bench`: it measures what it says, and only that."""

import json

import psycopg
import pytest
from typer.testing import CliRunner

from penstock.app import Penstock
from penstock.bench import BenchError, StoreName, run_bench
from penstock.bench.jobs import Handlers, Nothing, drain
from penstock.bench.report import Report, Sizes, Spread, StoreReport, percentile
from penstock.bench.server import postgres_to_measure
from penstock.cli import app
from penstock.errors import StoreUnavailable
from penstock.testing import temporary_engine
from tests.support.postgres import Server

TINY = Sizes(jobs=300, singles=10, pings=3, flow=50, repeats=2)
NAMES = [
    "bulk enqueue",
    "drain",
    "enqueue one by one",
    "idle latency p50",
    "idle latency p95",
    "idle latency p99",
    "life in a flow (fan-in)",
]


def databases_of(server: Server) -> set[str]:
    with psycopg.connect(server.url) as connection:
        return {
            row[0] for row in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'penstock_bench%'")
        }


async def test_measures_every_part_beside_a_floor_on_both_stores(postgres_server: Server) -> None:
    report = await run_bench(list(StoreName), TINY, postgres_server.url)
    assert [one.store for one in report.stores] == ["sqlite", "postgres"]
    for one in report.stores:
        assert one.not_run is None
        assert [figure.name for figure in one.figures] == NAMES
        for figure in one.figures:
            assert 0 < figure.engine.low <= figure.engine.median <= figure.engine.high
            assert figure.ratio == figure.engine.median / figure.other.median
    assert databases_of(postgres_server) == set()


async def test_a_server_that_is_away_is_reported_not_invented() -> None:
    report = await run_bench([StoreName.POSTGRES], TINY, "postgresql://127.0.0.1:1/none")
    (one,) = report.stores
    assert one.figures == ()
    assert one.not_run


async def test_a_job_that_runs_twice_ends_the_benchmark() -> None:
    handlers = Handlers()
    async with temporary_engine() as engine:
        await engine.enqueue_many([Nothing(n=0), Nothing(n=1), Nothing(n=1)])
        await drain(engine, handlers, 3)
    with pytest.raises(BenchError, match="1 jobs ran more than once, job 1 2 times"):
        handlers.check(2)


async def test_a_job_that_never_ran_ends_the_benchmark() -> None:
    handlers = Handlers()
    async with temporary_engine() as engine:
        await engine.enqueue(Nothing(n=0))
        await drain(engine, handlers, 1)
    with pytest.raises(BenchError, match="1 of 2 jobs ran"):
        handlers.check(2)


async def test_a_job_whose_end_is_not_stored_ends_the_benchmark() -> None:
    async with temporary_engine() as engine:
        await engine.enqueue(Nothing(n=0))
        await engine.enqueue(Nothing(n=1), delay=3600)
        with pytest.raises(BenchError, match="of 1 jobs the store says: "):
            await drain(engine, Handlers(), 1)


def test_the_payload_is_about_100_bytes() -> None:
    assert 95 <= len(Nothing(n=12_345).model_dump_json()) <= 120


def test_spreads_and_percentiles() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7.0], 0.5) == 7


def test_the_program_prints_a_table_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.cli.bench.QUICK", TINY)
    done = CliRunner().invoke(app, ["bench", "--quick", "--store", "sqlite", "--json"])
    assert done.exit_code == 0, done.output
    (store,) = json.loads(done.stdout)["stores"]
    assert [figure["name"] for figure in store["figures"]] == NAMES
    assert all(figure["ratio"] > 0 for figure in store["figures"])
    table = CliRunner().invoke(app, ["bench", "--quick", "--store", "sqlite"]).stdout
    assert all(name in table for name in NAMES)


def test_the_program_says_what_it_did_not_run() -> None:
    call = ["--database", "postgresql://127.0.0.1:1/none", "bench", "--quick", "--store", "postgres"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 1
    assert "not run: " in done.stdout


def test_the_applications_own_database_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    async def record(stores: object, sizes: Sizes, url: str | None) -> Report:
        asked.append(url)
        return Report("3", 1, "asyncio", sizes, (StoreReport("sqlite", "here"),))

    monkeypatch.setattr("penstock.cli.bench.run_bench", record)
    url = "postgresql://127.0.0.1:1/application"
    assert CliRunner(env={"PENSTOCK_DATABASE_URL": url}).invoke(app, ["bench"]).exit_code == 0
    assert CliRunner().invoke(app, ["--database", url, "bench"]).exit_code == 0
    assert asked == [None, url]


async def test_without_any_server_one_is_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_TEST_POSTGRES", raising=False)
    async with postgres_to_measure(None, local_address="127.0.0.1:1") as postgres:
        assert postgres.place.endswith("embedded")
        assert "fsync=on, synchronous_commit=on" in postgres.place
        async with postgres.empty_store() as store:
            engine = Penstock(store=store)
            await engine.enqueue(Nothing(n=0))
            url = postgres._url
    with pytest.raises(StoreUnavailable):
        await Penstock(url).open()
