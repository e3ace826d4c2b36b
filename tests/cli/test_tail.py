"""`penstock jobs tail`."""

import asyncio
import json
import signal
import sys
from pathlib import Path

from penstock import Fixed, Queue
from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.streams import MAX_CHARS
from penstock.testing import run_until_idle
from tests.cli.program import Mail, Program, Report
from tests.worker.working import working

ROOT = Path(__file__).parents[2]


async def write_mail(job: Job[Mail]) -> None:
    job.stream("subject").write("Hello")
    job.stream("body").write("Dear Ada,\n")
    job.stream("body").write("\x1b[2Jbye")
    if job.data.to == "nobody" and job.attempt == 1:
        raise ValueError("no such person")


def written(program: Program, to: str = "ada") -> str:
    """A mail that has been written."""
    [job] = program.enqueue(Mail(to=to), retry=Fixed(0))
    program.engine(lambda engine: run_until_idle(engine, [write_mail]))
    return job


def test_prints_all_streams_under_their_names(penstock: Program) -> None:
    done = penstock("jobs", "tail", written(penstock))
    assert (done.exit_code, done.stdout) == (0, "── body ──\nDear Ada,\n�[2Jbye\n── subject ──\nHello\n")


def test_prints_one_stream_from_an_offset(penstock: Program) -> None:
    job = written(penstock)
    assert penstock("jobs", "tail", job[:18], "--stream", "body", "--from", "5").stdout == "Ada,\n�[2Jbye\n"
    assert penstock("jobs", "tail", job, "--stream", "subject", "--no-follow").stdout == "Hello\n"


def test_json_is_a_line_for_each_piece(penstock: Program) -> None:
    done = penstock("jobs", "tail", written(penstock), "--json")
    pieces = [json.loads(line) for line in done.stdout.splitlines()]
    assert pieces == [
        {"stream": "body", "version": 1, "attempt": 1, "offset": 0, "text": "Dear Ada,\n\x1b[2Jbye", "restarted": False,
         "cut": False, "end": 17},
        {"stream": "subject", "version": 1, "attempt": 1, "offset": 0, "text": "Hello", "restarted": False,
         "cut": False, "end": 5},
    ]  # fmt: skip


def test_who_comes_back_to_another_version_is_told(penstock: Program) -> None:
    job = written(penstock, to="nobody")
    done = penstock("jobs", "tail", job, "--stream", "subject", "--from", "3", "--version", "1")
    assert done.stdout == "── subject begins anew: version 2, attempt 2 ──\nHello\n"
    assert penstock("jobs", "tail", job, "--stream", "subject", "--from", "3", "--version", "2").stdout == "lo\n"


def test_a_full_stream_is_said_to_be_full(penstock: Program) -> None:
    async def fill(job: Job[Report]) -> None:
        job.stream("report").write("x" * (MAX_CHARS + 1))

    [job] = penstock.enqueue(Report())
    penstock.engine(lambda engine: run_until_idle(engine, [fill]))
    done = penstock("jobs", "tail", job, "--stream", "report", "--from", str(MAX_CHARS - 2))
    assert done.stdout == "xx\n── report is full: what came after is not kept ──\n"


def test_what_is_not_there_is_named(penstock: Program) -> None:
    job = written(penstock)
    done = penstock("jobs", "tail", job, "--stream", "boddy")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"job {job} has no stream 'boddy'; its streams: 'body', 'subject'" in done.stderr
    [quiet] = penstock.enqueue(Report())
    done = penstock("jobs", "tail", quiet, "--no-follow")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"penstock: job {quiet} has streamed nothing\n")
    assert penstock("jobs", "tail", job, "--from", "3").exit_code == 1
    assert penstock("jobs", "tail", "ffffffff").exit_code == 1


def test_show_lists_the_streams(penstock: Program) -> None:
    job = written(penstock)
    shown = penstock.json("jobs", "show", job)["streams"]
    assert [(one["name"], one["length"], one["version"]) for one in shown] == [("body", 17, 1), ("subject", 5, 1)]
    assert "subject" in penstock("jobs", "show", job).stdout


async def test_follows_a_running_job_and_ends_with_it(sqlite_path: Path) -> None:
    """In a process of its own, which is woken across processes; another is interrupted by its person."""
    go_on = asyncio.Event()

    async def report(job: Job[Report]) -> None:
        job.stream("report").write("one ")
        await go_on.wait()
        job.stream("report").write("two")

    async with Penstock(f"sqlite:///{sqlite_path}") as engine:
        handle = await engine.enqueue(Report())
        command = [
            sys.executable,
            "-m",
            "penstock",
            "--database",
            f"sqlite:///{sqlite_path}",
            "jobs",
            "tail",
            handle.id,
        ]
        async with working(engine, report, queues={"reports": Queue()}), asyncio.timeout(50):
            processes = [
                await asyncio.create_subprocess_exec(
                    *command, "--stream", "report", stdout=asyncio.subprocess.PIPE, cwd=ROOT
                )
                for _ in range(2)
            ]
            for process in processes:
                assert process.stdout is not None
                assert await process.stdout.readexactly(4) == b"one "
            processes[1].send_signal(signal.SIGINT)
            assert await processes[1].wait() == 130
            go_on.set()
            assert (await processes[0].communicate())[0] == b"two\n"
            assert processes[0].returncode == 0
