"""Who holds a job: heartbeats, lost workers, late results, and rows that nobody holds."""

import asyncio
import logging
import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.states import JobState
from penstock.store.program import Steps, program
from penstock.store.programs.claim import ClaimRequest, claim
from penstock.store.programs.workers import HeldRun, rescue, worker_beats
from penstock.worker.maintenance import Silence
from penstock.worker.reconcile import Reconciler
from tests.worker.working import Note, reached, until, working

CHILD = """
import asyncio, sys
from penstock.app import Penstock
from penstock.worker import Worker
from tests.worker.working import NO_PROFILE, Note
from penstock.context import Job

async def hang(job: Job[Note]) -> None:
    print("running", job.id, flush=True)
    await asyncio.sleep(3600)

async def main() -> int:
    async with Penstock(sys.argv[1], **NO_PROFILE) as engine:
        return await Worker(engine, [hang], lease_s=1, grace_s=float(sys.argv[2]), name="child").run()

sys.exit(asyncio.run(main()))
"""


async def child(engine: Penstock, sqlite_path: Path, *, grace_s: float = 0) -> asyncio.subprocess.Process:
    """A worker in a process of its own, that has begun to run a job."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, f"sqlite:///{sqlite_path}", str(grace_s), stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2], env=os.environ | {"PYTHONPATH": _python_path()},
    )  # fmt: skip
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    assert line.startswith(b"running"), line
    return process


def _python_path() -> str:
    return os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])


async def test_the_jobs_of_a_killed_worker_are_run_by_another(engine: Penstock, sqlite_path: Path):
    handle = await engine.enqueue(Note())
    process = await child(engine, sqlite_path)
    process.kill()
    await process.wait()

    async def quick(job: Job[Note]) -> int:
        return job.attempt

    async with working(engine, quick, lease_s=1):
        view = await reached(engine, handle.id, JobState.COMPLETED)
    assert view.losses == 1
    [error] = await engine.jobs.errors(handle.id)
    assert error.error_class == "WorkerLost"
    assert "child" in error.message


async def test_a_signal_gives_running_jobs_back_and_exits_with_1(engine: Penstock, sqlite_path: Path):
    handle = await engine.enqueue(Note())
    process = await child(engine, sqlite_path)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 1
    view = await engine.get(handle.id)
    assert (view.state, view.attempt, view.losses) == (JobState.READY, 0, 0)


async def test_a_second_signal_ends_it_at_once_with_130(engine: Penstock, sqlite_path: Path):
    handle = await engine.enqueue(Note())
    process = await child(engine, sqlite_path, grace_s=3600)
    process.send_signal(signal.SIGINT)

    async def stopping() -> bool:
        return any(worker.stopping for worker in await engine.queues.workers())

    await until(stopping)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 130
    assert (await engine.get(handle.id)).state is JobState.READY


async def test_a_blocked_loop_keeps_its_lease_and_is_named(any_engine: Penstock, caplog: pytest.LogCaptureFixture):
    async def block(job: Job[Note]) -> None:
        time.sleep(2.5)  # noqa: ASYNC251 - the very thing that must not cost the lease of 0.6 s

    async def nothing(job: Job[Note]) -> None:
        return None

    handle = await any_engine.enqueue(Note())
    async with working(any_engine, block, lease_s=0.6):
        view = await reached(any_engine, handle.id, JobState.COMPLETED)
    assert (view.attempt, view.losses) == (1, 0)
    [record] = [record for record in caplog.records if record.msg == "a handler blocks the event loop"]
    assert vars(record)["handler"] == f"note:{handle.id}"
    assert "in block" in vars(record)["at"]


async def test_a_worker_that_was_declared_lost_stops_its_runs_and_registers_again(
    any_engine: Penstock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    cancelled = asyncio.Event()
    runs: list[int] = []

    async def first_hangs(job: Job[Note]) -> None:
        runs.append(job.claim_id)
        if len(runs) == 1:
            try:
                await asyncio.sleep(3600)
            finally:
                cancelled.set()

    async with working(any_engine, first_hangs, lease_s=1) as worker:
        handle = await any_engine.enqueue(Note())
        await until(lambda: worker.get_stats().running == 1)
        [number] = await any_engine.store.read(worker_beats())
        await any_engine.store.run(take_everything(number))
        await cancelled.wait()
        view = await reached(any_engine, handle.id, JobState.COMPLETED)
        await until(lambda: worker.get_stats().refused == 1)

        async def registered_again() -> bool:
            found = await any_engine.store.read(worker_beats())
            return bool(found) and number not in found

        await until(registered_again)
    assert view.losses == 1
    assert len(runs) == 2
    assert "late result refused" in [record.msg for record in caplog.records]


@program
def take_everything(worker_id: int) -> Steps[None]:
    """What a leader does to a worker it believes lost."""
    yield from rescue(worker_id, "the worker", time.time_ns() // 1000, random.Random(1))


async def test_a_late_result_is_refused_after_a_rescue(any_engine: Penstock):
    running, go_on = asyncio.Event(), asyncio.Event()
    results: list[int] = []

    async def waits_once(job: Job[Note]) -> int:
        results.append(job.attempt)
        if len(results) == 1:
            running.set()
            await go_on.wait()
            return -1
        return job.attempt

    handle = await any_engine.enqueue(Note())
    async with working(any_engine, waits_once) as first:
        await running.wait()
        [number] = await any_engine.store.read(worker_beats())
        await any_engine.store.run(take_everything(number))
        async with working(any_engine, waits_once):
            await reached(any_engine, handle.id, JobState.COMPLETED)
        go_on.set()
        await until(lambda: first.get_stats().refused == 1)
    assert (await any_engine.jobs.payload(handle.id))[1] == 1


async def test_rows_that_the_store_assigns_to_a_worker_that_does_not_hold_them_are_given_back(any_engine: Penstock):
    async def nothing(job: Job[Note]) -> None:
        return None

    async with working(any_engine, nothing, lease_s=1):
        [number] = await any_engine.store.read(worker_beats())
        await any_engine.queues.pause("default")
        handle = await any_engine.enqueue(Note())
        await any_engine.queues.resume("default")
        await reached(any_engine, handle.id, JobState.COMPLETED)
        stray = await any_engine.enqueue(Note(), queue="elsewhere")
        request = ClaimRequest("elsewhere", ("note",), 1, 42, number)
        assert len((await any_engine.store.run(claim(request, time.time_ns() // 1000))).jobs) == 1
        view = await reached(any_engine, stray.id, JobState.READY)
    assert (view.attempt, view.losses) == (0, 0)


async def test_a_worker_without_a_lease_stops_its_handlers(engine: Penstock, sqlite_path: Path):
    """The write lock of the file is held by another for longer than the lease."""
    stopped = asyncio.Event()

    async def waits(job: Job[Note]) -> None:
        try:
            await asyncio.sleep(3600 if not stopped.is_set() else 0)
        finally:
            stopped.set()

    handle = await engine.enqueue(Note())
    async with working(engine, waits, lease_s=1) as worker:
        await until(lambda: worker.get_stats().running == 1)
        other = sqlite3.connect(sqlite_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await stopped.wait()
        other.execute("ROLLBACK")
        other.close()
        view = await reached(engine, handle.id, JobState.COMPLETED)
    assert view.attempt == 1


def _held(number: int) -> HeldRun:
    return HeldRun(f"job-{number}", number, 0, None, cancel_requested=False)


def test_a_run_is_a_stray_only_after_it_was_nobodys_for_long():
    reconciler = Reconciler(lambda job_id, claim_id: job_id == "job-2", stray_s=5)
    assert reconciler.strays([_held(1), _held(2)], 10.0) == frozenset()
    assert reconciler.strays([_held(1), _held(2)], 14.9) == frozenset()
    assert reconciler.strays([_held(1), _held(2)], 15.0) == {("job-1", 1)}


def test_a_run_that_was_held_in_between_is_no_stray():
    held: set[str] = set()
    reconciler = Reconciler(lambda job_id, claim_id: job_id in held, stray_s=5)
    reconciler.strays([_held(1)], 10.0)
    held.add("job-1")
    reconciler.strays([_held(1)], 12.0)
    held.clear()
    assert reconciler.strays([_held(1)], 16.0) == frozenset()


def test_a_worker_is_silent_while_its_counter_stands_still():
    silence = Silence(longest_gap=5.0)
    silence.look({1: 10, 2: 20}, 0.0)
    silence.look({1: 10, 2: 21}, 4.0)
    assert silence.look({1: 10, 2: 22}, 8.0) == {1: (8.0, 0.0), 2: (0.0, 8.0)}


def test_time_in_which_the_observer_itself_stood_still_counts_little():
    silence = Silence(longest_gap=5.0)
    silence.look({1: 10}, 0.0)
    assert silence.look({1: 10}, 1000.0) == {1: (5.0, 0.0)}
