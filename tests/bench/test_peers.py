"""`make bench-peers`: its protocol, its checks and its table, with our own driver on SQLite and without any rival."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tools.peers import install, process
from tools.peers.__main__ import measure
from tools.peers.parts import PARTS, Sizes
from tools.peers.places import Place, Sqlite
from tools.peers.process import DriverProcess, PeerError
from tools.peers.report import Report, Sample, show
from tools.peers.targets import TARGETS, Target, chosen, our_side

TINY = Sizes(jobs=300, singles=20, pings=3)
BY_NAME = {target.name: target for target in TARGETS}
OURS = BY_NAME["penstock-sqlite"]

FAULTY = """
import asyncio
from tools.peers.protocol import Driver, serve

class Faulty(Driver):
    left = 0
    async def enqueue(self, n):
        self.left += 1
    async def start(self):
        for n in {runs}:
            self.runs(n)
    async def stop(self):
        pass
    async def remaining(self, jobs):
        return self.left if {counts} else 0

serve(Faulty)
"""


@pytest.fixture
def place() -> Iterator[Place]:
    with Sqlite().fresh() as fresh:
        yield fresh


def faulty(monkeypatch: pytest.MonkeyPatch, folder: Path, runs: str, counts: bool = False) -> Target:
    script = folder / "faulty.py"
    script.write_text(FAULTY.format(runs=runs, counts=counts))
    monkeypatch.setattr(process, "command", lambda target: ([sys.executable, str(script)], folder))
    return replace(OURS, name="faulty")


def written(report: Report) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    show(report, console)
    return console.export_text()


def test_measures_every_part_of_our_own_driver() -> None:
    report = measure([OURS], list(PARTS), TINY, rounds=1, database=None)
    assert report.not_run == {}
    names = {(one.name, one.unit) for one in report.samples}
    assert names == {
        ("drain, 1 process", "jobs/s"), ("worker CPU, 1 process", "µs/job"),
        ("drain, 2 processes", "jobs/s"), ("worker CPU, 2 processes", "µs/job"),
        ("enqueue one by one", "jobs/s"), ("enqueue, 50 tasks", "jobs/s"), ("enqueue, 1,000 a call", "jobs/s"),
        ("idle RSS", "MiB"),
        ("idle latency p50", "ms"), ("idle latency p95", "ms"), ("idle latency p99", "ms"),
    }  # fmt: skip
    for name, unit in names:
        values = report.values(OURS.name, name)
        assert values.keys() == {0}
        assert unit == "µs/job" or all(value > 0 for value in values.values())


def test_a_driver_answers_what_the_protocol_says(place: Place) -> None:
    with DriverProcess(OURS, place.url) as driver:
        driver.ask("prepare")
        for how in ("one by one", "tasks", "bulk"):
            assert driver.ask("enqueue", how=how, jobs=3)["seconds"] > 0
        assert driver.ask("remaining", jobs=9) == {"remaining": 9}
        asked = driver.ask("pace", jobs=2)["asked"]
        assert asked[1] - asked[0] >= 0.02
        assert driver.ask("ran") == {"ran": 0}


def test_what_an_engine_raises_reaches_the_runner(place: Place) -> None:
    with DriverProcess(OURS, place.url) as driver, pytest.raises(PeerError, match="penstock-sqlite: AttributeError"):
        driver.ask("stop")


def test_a_driver_that_dies_is_told_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = [sys.executable, "-c", "raise SystemExit('no such engine')"]
    monkeypatch.setattr(process, "command", lambda target: (dying, tmp_path))
    with pytest.raises(PeerError, match="the driver died: no such engine"), DriverProcess(OURS, "sqlite:///"):
        pass


def test_a_driver_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    monkeypatch.setattr(process, "command", lambda target: (silent, tmp_path))
    monkeypatch.setattr(process, "_ANSWER_S", 0.1)
    with pytest.raises(PeerError, match="no answer within"), DriverProcess(OURS, "sqlite:///"):
        pass


@pytest.mark.parametrize(
    ("runs", "said"),
    [("[0, 1, 2, 2]", "1 jobs ran more than once"), ("[0, 1, 7]", "3 of 3 jobs ran, not those that were enqueued")],
)
def test_a_job_that_runs_twice_or_never_gives_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: str, said: str
) -> None:
    target = faulty(monkeypatch, tmp_path, runs)
    report = measure([target], ["drain"], Sizes(jobs=3), rounds=2, database=None)
    assert report.samples == []
    assert report.not_run["faulty"].endswith(said)


def test_an_enqueue_that_the_store_does_not_count_gives_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = measure([faulty(monkeypatch, tmp_path, "[]")], ["enqueue"], TINY, rounds=1, database=None)
    assert report.not_run == {"faulty": "faulty: of 20 enqueued jobs 0 wait"}
    counted = measure([faulty(monkeypatch, tmp_path, "[]", True)], ["enqueue"], TINY, rounds=1, database=None)
    assert counted.not_run == {}


def test_a_rival_that_cannot_be_installed_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(install, "home", lambda: Path("/nowhere"))
    report = measure([BY_NAME["graphile-worker"], OURS], ["drain"], Sizes(jobs=10), rounds=1, database=None)
    assert report.not_run == {"graphile-worker": "needs Node"}
    assert report.values(OURS.name, "drain, 1 process").keys() == {0}


def test_a_server_that_is_away_is_reported_not_invented() -> None:
    ours = BY_NAME["penstock-postgres"]
    report = measure([ours], ["drain"], TINY, rounds=1, database="postgresql://127.0.0.1:1/none")
    assert report.samples == []
    assert report.not_run[ours.name].startswith("no PostgreSQL (name one with --database): ")


def test_ratios_are_taken_within_a_round_and_shown() -> None:
    report = Report(["a machine"], {})
    rival = BY_NAME["pgqueuer"]
    for number, (ours, theirs) in enumerate([(200.0, 100.0), (90.0, 30.0), (500.0, 100.0)]):
        report.samples.append(Sample(number, "penstock-postgres", "drain, 1 process", "jobs/s", ours))
        report.samples.append(Sample(number, rival.name, "drain, 1 process", "jobs/s", theirs))
    report.samples.append(Sample(0, rival.name, "idle latency p50", "ms", 3.0))
    report.not_run["oban"] = "needs Python 3.12"
    assert report.ratio(rival, "drain, 1 process") == 3.0
    assert report.ratio(rival, "idle latency p50") is None
    text = written(report)
    assert text.index("penstock-postgres") < text.index("pgqueuer")
    for part in ("a machine", "200", "(90 to 500)", "x 3.00", "oban: not run: needs Python 3.12"):
        assert part in text


def test_ours_stands_beside_whatever_is_chosen() -> None:
    assert [target.name for target in chosen(["huey-sqlite"])] == ["penstock-sqlite", "huey-sqlite"]
    assert [target.name for target in chosen(["bullmq"])] == ["penstock-postgres", "bullmq"]
    assert chosen([]) == list(TARGETS)
    assert all(our_side(target) in BY_NAME for target in TARGETS)


def test_every_rival_has_a_driver_and_exact_pins() -> None:
    for target in TARGETS:
        if target.environment is None:
            continue
        pins = install.PINS / target.environment
        if target.driver.endswith(".mjs"):
            assert (install.RIVALS / target.driver).exists()
            wanted = json.loads((pins / "package.json").read_text())["dependencies"]
            assert all(version[0].isdigit() for version in wanted.values())
        else:
            assert (install.RIVALS / f"{target.driver}.py").exists()
            lines = pins.with_name(f"{pins.name}.txt").read_text().splitlines()
            assert all("==" in line for line in lines)


def test_the_program_writes_every_sample(tmp_path: Path) -> None:
    file = tmp_path / "peers.json"
    call = ["--only", "penstock-sqlite", "--what", "drain", "--rounds", "1", "--jobs", "50", "--json", str(file)]
    done = subprocess.run(
        [sys.executable, "-m", "tools.peers", *call], cwd=install.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "penstock-sqlite" in done.stdout
    saved = json.loads(file.read_text())
    assert saved["sizes"] == {"jobs": 50, "singles": 2_000, "pings": 500}
    assert {one["name"] for one in saved["samples"]} == {"drain, 1 process", "worker CPU, 1 process"}
