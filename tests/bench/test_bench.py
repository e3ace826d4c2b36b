"""`penstock bench`: it measures what it says, and only that."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from penstock import Job
from penstock.app import Penstock
from penstock.bench import PARTS, BenchError, StoreName, run_bench
from penstock.bench.chart import chart
from penstock.bench.counting import Counted
from penstock.bench.drains import check_guards, check_history, drain
from penstock.bench.jobs import Forging, Handlers, Invalid, Nothing, check_once
from penstock.bench.parts.sustained import _recovery_s
from penstock.bench.place import payload
from penstock.bench.report import QUICK, Bar, Figure, Report, Sizes, Spread, StoreReport, percentile
from penstock.bench.server import postgres_to_measure
from penstock.bench.sqlite import Sqlite
from penstock.cli import app
from penstock.errors import StoreUnavailable
from tests.support.postgres import Server
from tests.worker.working import working

TINY = replace(QUICK, singles=10)
ENQUEUE = [part for part in PARTS if part.name in ("one-by-one", "tasks", "bulk")]


async def test_statements_are_counted_not_programs() -> None:
    async with Sqlite().ground() as ground:
        counted = Counted()
        counted.watch(ground.engine.store)
        await ground.engine.enqueue(Nothing(n=0))
        enqueued = counted.total
        assert await ground.engine.jobs.list()
        assert enqueued > 0
        assert counted.total == enqueued + 1


def test_recovery_is_counted_until_it_is_quiet() -> None:
    quiet = [(second + 0.5, 5.0) for second in range(10)]
    assert _recovery_s(quiet, 3.0, before=5.0) == 0
    assert _recovery_s([*quiet, (4.6, 90.0)], 3.0, before=5.0) == 2
    assert _recovery_s([*quiet, (4.6, 9.0)], 3.0, before=5.0) == 0


async def test_a_worker_whose_guards_are_off_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Sqlite().ground() as ground:
        handlers = Handlers()
        monkeypatch.setattr(Handlers, "forging", lenient)
        async with working(ground.engine, *handlers.all):
            with pytest.raises(BenchError, match="was accepted"):
                await check_guards(ground.engine)


async def lenient(_: Handlers, job: Job[Forging]) -> str:
    """As a fence that lets everything through would answer."""
    return "accepted"


async def test_jobs_without_a_history_end_the_benchmark() -> None:
    async with Sqlite().ground() as ground:
        await ground.engine.enqueue(Nothing(n=0))
        with pytest.raises(BenchError, match="of 1 jobs the store says: "):
            await check_history(ground.engine, 1)


async def test_a_job_that_fails_ends_the_benchmark_with_its_reason() -> None:
    async with Sqlite().ground() as ground:
        await ground.engine.enqueue(Invalid())
        with pytest.raises(BenchError, match="1 jobs failed: its data no longer fits Nothing"):
            await drain(ground, 1)


async def test_a_server_that_is_away_is_reported_not_invented() -> None:
    report = await run_bench([StoreName.POSTGRES], ENQUEUE, TINY, "postgresql://127.0.0.1:1/none")
    (one,) = report.stores
    assert one.figures == ()
    assert one.not_run


def test_a_job_that_runs_twice_or_never_ends_the_benchmark() -> None:
    check_once([1, 0], 2)
    with pytest.raises(BenchError, match="1 jobs ran more than once, job 1 2 times"):
        check_once([0, 1, 1], 2)
    with pytest.raises(BenchError, match="1 of 2 jobs ran"):
        check_once([0], 2)


def test_the_payload_is_about_100_bytes_and_the_floors_too() -> None:
    assert 95 <= len(Nothing(n=12_345).model_dump_json()) <= 120
    assert payload(12_345) == Nothing(n=12_345).model_dump_json()


def test_spreads_and_percentiles() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([7.0], 0.5) == 7


def test_a_bar_judges_the_ratio_or_the_median() -> None:
    ratio = Figure("f", "jobs/s", Spread.of([30.0]), "floor", Spread.of([100.0]), Bar(least=0.3, of_ratio=True))
    assert ratio.met is True
    assert replace(ratio, engine=Spread.of([29.0])).met is False
    delay = Figure("f", "ms", Spread.of([10.0]), bar=Bar(most=10))
    assert delay.met is True
    assert replace(delay, engine=Spread.of([10.1])).met is False
    assert replace(delay, bar=None).met is None
    assert (str(ratio.bar), str(delay.bar)) == ("≥ 0.3 x", "≤ 10")


def test_the_chart_shows_each_rate_beside_its_floor() -> None:
    figure = Figure("enqueue <all>", "jobs/s", Spread.of([30.0]), "by hand", Spread.of([120.0]), charted=True)
    other = replace(figure, name="not this", charted=False)
    store = StoreReport("sqlite", "SQLite here", (figure, other))
    drawn = chart(Report("3", 2, "uvloop", QUICK, (store, StoreReport("postgres", "", not_run="away"))))
    assert ">enqueue &lt;all&gt;<" in drawn
    assert ">30 · 0.25 x<" in drawn
    assert ">SQLite here<" in drawn
    assert "not this" not in drawn
    widths = [int(width) for width in re.findall(r'<rect .* width="(\d+)"', drawn)]
    assert widths[-2] * 4 == widths[-1]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["bench", "--quick", *arguments])


def test_the_program_prints_a_table_and_writes_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("penstock.cli.bench.QUICK", TINY)
    file = tmp_path / "figures.json"
    drawn = tmp_path / "figures.svg"
    done = run("--store", "sqlite", "--part", "one-by-one", "--json", str(file), "--chart", str(drawn))
    assert done.exit_code == 0, done.output
    assert drawn.read_text().startswith("<svg ")
    assert "enqueue one by one" in done.stdout
    (store,) = json.loads(file.read_text())["stores"]
    (figure,) = store["figures"]
    assert figure["name"] == "enqueue one by one"
    assert figure["ratio"] > 0
    alone = run("--store", "sqlite", "--part", "one-by-one", "--json", "-", "--repeats", "2")
    assert json.loads(alone.stdout)["sizes"]["repeats"] == 2
    assert "enqueue one by one, 2 of 2" in alone.stderr


def test_the_program_lists_its_parts_and_refuses_others() -> None:
    listed = CliRunner().invoke(app, ["bench", "--list"]).stdout
    assert all(part.name in listed for part in PARTS)
    refused = run("--part", "warp")
    assert refused.exit_code == 1
    assert "there is no part 'warp'" in refused.stderr


def test_the_program_says_what_it_did_not_run() -> None:
    call = ["--database", "postgresql://127.0.0.1:1/none", "bench", "--quick", "--store", "postgres"]
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 1
    assert "not run: " in done.stdout


def test_the_applications_own_database_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    async def record(stores: object, parts: object, sizes: Sizes, url: str | None, say: object) -> Report:
        asked.append(url)
        return Report("3", 1, "asyncio", sizes, (StoreReport("sqlite", "here"),))

    monkeypatch.setattr("penstock.cli.bench.run_bench", record)
    url = "postgresql://127.0.0.1:1/application"
    assert CliRunner(env={"PENSTOCK_DATABASE_URL": url}).invoke(app, ["bench"]).exit_code == 0
    assert CliRunner().invoke(app, ["--database", url, "bench"]).exit_code == 0
    assert asked == [None, url]


async def test_a_database_goes_with_its_measurement(postgres_server: Server) -> None:
    async with postgres_to_measure(postgres_server.url) as postgres:
        async with postgres.ground() as ground:
            await ground.engine.enqueue(Nothing(n=0))
        with pytest.raises(StoreUnavailable, match="does not exist"):
            await Penstock(ground.url).open()


async def test_without_any_server_one_is_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_TEST_POSTGRES", raising=False)
    async with postgres_to_measure(None, local_address="127.0.0.1:1") as postgres:
        assert postgres.place.endswith("embedded")
        assert "fsync=on, synchronous_commit=on" in postgres.place
        async with postgres.ground() as ground:
            await ground.engine.enqueue(Nothing(n=0))
            url = ground.url
    with pytest.raises(StoreUnavailable):
        await Penstock(url).open()
