"""Several processes under one parent, restarts on changed code, and an end that nothing holds up."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from penstock.worker.processes import Processes, exit_code, spawn
from penstock.worker.reload import Reloader
from tests.worker.working import until

WAITS = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))
signal.signal(signal.SIGINT, lambda *_: sys.exit({code}))
with open({log!r}, "a") as log:
    log.write("started\\n")
signal.pause()
"""


def _child(log: Path, code: int = 0) -> list[str]:
    return [sys.executable, "-c", WAITS.format(log=str(log), code=code)]


def _starts(log: Path) -> int:
    return log.read_text().count("started") if log.exists() else 0


def test_an_exit_code_is_what_a_shell_would_say():
    assert [exit_code(0), exit_code(1), exit_code(-signal.SIGKILL)] == [0, 1, 137]


async def test_a_signal_reaches_all_children_and_the_worst_code_is_answered(tmp_path: Path):
    log = tmp_path / "log"
    processes = Processes(2, _child(log, code=1))
    running = asyncio.create_task(processes.run())
    await until(lambda: _starts(log) == 2)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 1


async def test_a_child_that_dies_is_started_again(tmp_path: Path):
    log = tmp_path / "log"
    processes = Processes(1, _child(log))
    running = asyncio.create_task(processes.run())
    await until(lambda: _starts(log) == 1)
    [child] = processes._children
    assert child.pid is not None
    # A clean exit of its own accord, so that it does not count as a hopeless start.
    child.send_signal(signal.SIGTERM)
    await until(lambda: _starts(log) == 2)
    processes.stop()
    assert await running == 0


async def test_a_child_that_has_just_ended_does_not_keep_the_signal_from_the_others(tmp_path: Path):
    log = tmp_path / "log"
    processes = Processes(1, _child(log, code=1))
    ended = await spawn([sys.executable, "-c", ""])
    await ended.wait()
    processes._children.add(ended)
    running = asyncio.create_task(processes.run())
    await until(lambda: _starts(log) == 1)
    processes.stop()
    assert await running == 1


async def test_a_child_that_fails_at_once_is_not_started_again(tmp_path: Path):
    assert await Processes(2, [sys.executable, "-c", "import sys; sys.exit(2)"]).run() == 2


async def test_a_change_restarts_the_child_after_a_graceful_end(tmp_path: Path):
    log = tmp_path / "log"
    changed: asyncio.Queue[Sequence[str]] = asyncio.Queue()

    async def changes() -> AsyncIterator[Sequence[str]]:
        while True:
            yield await changed.get()

    reloader = Reloader(_child(log), changes())
    running = asyncio.create_task(reloader.run())
    await until(lambda: _starts(log) == 1)
    changed.put_nowait(["app.py"])
    await until(lambda: _starts(log) == 2)
    os.kill(os.getpid(), signal.SIGINT)
    assert await running == 0


STUBBORN = """
import asyncio, sys, threading, time
from penstock.worker.process import run_process

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def main():
    task = asyncio.get_running_loop().create_task(stubborn(), name="note:1")
    await asyncio.sleep(0)
    return 1

sys.exit(run_process(main))
"""


def test_a_process_ends_with_its_code_whatever_its_handlers_do():
    done = subprocess.run([sys.executable, "-c", STUBBORN], timeout=30, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"note:1" in done.stderr or done.stderr.count(b"would not stop")


SEVEN = """
import sys
from penstock.worker.process import run_process

async def main():
    return 7

sys.exit(run_process(main))
"""


def test_a_process_ends_with_the_code_of_its_main():
    assert subprocess.run([sys.executable, "-c", SEVEN], timeout=30, check=False).returncode == 7
