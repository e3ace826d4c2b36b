"""`penstock worker` as its own process."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from examples.quickstart import Greet
from penstock.app import Penstock
from penstock.cli import app
from penstock.cli.changes import Changes
from penstock.cli.target import load
from penstock.domain.queue import Queue
from penstock.errors import ConfigurationError
from penstock.worker import Worker
from tests.cli.program import Program, send_mail

ROOT = Path(__file__).parents[2]


@contextmanager
def worker_process(program: Program, target: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A worker in a process of its own; killed at the end if it still runs."""
    command = [sys.executable, "-m", "penstock", "--database", program.url, "worker", target, *options]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        assert process.stderr is not None
        process.stderr.close()
        process.wait(30)


def result_of(program: Program, job_id: str) -> object:
    return program.engine(lambda engine: engine.jobs.result_of(job_id, timeout=30))


def test_runs_what_another_process_enqueues_and_ends_with_0(penstock: Program) -> None:
    with worker_process(penstock, "examples.quickstart:worker", "--log-format", "json") as process:
        (job,) = penstock.enqueue(Greet(name="Ada"))
        assert result_of(penstock, job) == "Hello, Ada!"
        (listed,) = penstock.json("workers")
        assert listed["pid"] == process.pid
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert '"event":"worker stopped"' in said
    assert penstock.json("workers") == []


def test_the_quickstart_runs_as_its_text_says(penstock: Program) -> None:
    env = os.environ | {"PENSTOCK_DATABASE_URL": penstock.url}
    with worker_process(penstock, "examples.quickstart:worker"):
        done = subprocess.run(
            [sys.executable, "-m", "examples.quickstart", "Ada"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=50,
        )
    assert (done.returncode, done.stdout) == (0, "Hello, Ada!\n"), done.stderr


def test_several_processes_stop_together_with_0(penstock: Program) -> None:
    with worker_process(penstock, "examples.quickstart:worker", "--processes", "2", "--concurrency", "3") as process:
        jobs = penstock.enqueue(*(Greet(name=str(n)) for n in range(20)))
        assert [result_of(penstock, job) for job in jobs] == [f"Hello, {n}!" for n in range(20)]
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("examples.quickstart", "'examples.quickstart' must be module:name"),
        ("examples.quickstart:wroker", "module 'examples.quickstart' has no 'wroker'"),
        ("examples.quickstrat:worker", "there is no module 'examples.quickstrat'"),
        ("examples.quickstart:Greet", "unexpected ValidationError"),
        ("tests.cli.program:R", "must be a Worker or a function that makes one, not TypeVar"),
    ],
)
def test_a_wrong_target_fails_in_one_line(
    penstock: Program, target: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("penstock.cli.worker.configure", lambda *_: None)
    monkeypatch.setenv("PENSTOCK_DATABASE_URL", penstock.url)
    done = CliRunner().invoke(app, ["worker", target])
    assert done.exit_code == 1
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_line_changes_what_the_code_says() -> None:
    from_code = load("examples.quickstart:worker")
    _, changed = Changes(concurrency=7, grace_s=2.5).of(from_code)
    assert changed._options.queues == {"greetings": Queue(concurrency=7)}
    assert changed._options.grace_s == 2.5
    assert changed.name == from_code.name
    with pytest.raises(ConfigurationError, match="--queue mail: this worker has the queues greetings"):
        Changes(queues=["mail"]).of(from_code)


def test_children_are_told_the_same_changes() -> None:
    assert Changes(["a", "b"], 5, 1.5).arguments == [
        "--queue",
        "a",
        "--queue",
        "b",
        "--concurrency",
        "5",
        "--grace",
        "1.5",
    ]
    assert Changes().arguments == []


def test_only_the_chosen_queues_are_served(penstock: Program) -> None:
    worker = Worker(
        load("examples.quickstart:penstock"), [send_mail], queues={"mail": Queue(), "more": Queue(weight=2)}
    )
    _, changed = Changes(queues=["more"]).of(worker)
    assert dict(changed._options.queues) == {"more": Queue(weight=2)}


def test_a_function_may_make_the_worker(penstock: Program, tmp_path: Path) -> None:
    code = "from examples.quickstart import worker\nasync def make():\n    return worker\n"
    module = tmp_path / "made_for_test.py"
    module.write_text(code)
    command = [sys.executable, "-m", "penstock", "--database", penstock.url, "worker", "made_for_test:make"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    try:
        (job,) = penstock.enqueue(Greet(name="Bob"))
        assert result_of(penstock, job) == "Hello, Bob!"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0, said
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=30)


def test_reload_starts_anew_when_code_changes(penstock: Program, tmp_path: Path) -> None:
    module = tmp_path / "reloaded_in_test.py"
    module.write_text(reloaded("first"))
    command = [
        sys.executable,
        "-m",
        "penstock",
        "--database",
        penstock.url,
        "worker",
        "reloaded_in_test:worker",
        "--reload",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, env=os.environ)
    try:
        assert wait_for_answer(penstock, "first")
        module.write_text(reloaded("second"))
        assert wait_for_answer(penstock, "second")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(30)


def reloaded(answer: str) -> str:
    return f"""
from penstock import Job, JobData, Penstock, Worker

class Greet(JobData, kind="greet", queue="greetings"):
    name: str

async def greet(job: Job[Greet]) -> str:
    return "{answer}"

worker = Worker(Penstock(), handlers=[greet])
"""


def wait_for_answer(program: Program, answer: str) -> bool:
    """Enqueue until a job is answered so; the test's own timeout ends the wait."""

    async def ask() -> bool:
        async with Penstock(program.url) as engine:
            while True:
                handle = await engine.enqueue(Greet(name="x"))
                if await handle.result(timeout=30) == answer:
                    return True
                await asyncio.sleep(0.1)

    return asyncio.run(ask())
