"""Timeouts, cancels and the end of the worker: handlers really stop, or are marked."""

import asyncio
import logging
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.queue import Queue
from penstock.domain.retry import Fixed
from penstock.domain.states import JobState
from penstock.store.sqlite import SqliteStore
from penstock.worker import Worker
from tests.worker.working import NO_PROFILE, Note, reached, until, working

FOREVER = 3600


class Stubborn:
    """A handler that will not stop until it is let go."""

    handles = Note

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.asked = 0

    async def process_job(self, job: Job[Note]) -> None:
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.asked += 1


class Waiting:
    """A handler that waits to be cancelled."""

    handles = Note

    def __init__(self) -> None:
        self.running = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.reason = ""

    async def process_job(self, job: Job[Note]) -> None:
        self.running.set()
        try:
            await asyncio.sleep(FOREVER)
        finally:
            self.reason = job.cancel_signal.reason
            self.cancelled.set()


async def test_a_stopped_worker_leaves_no_task_behind(engine: Penstock):
    before = asyncio.all_tasks()
    worker = Worker(engine, [Waiting()], handle_signals=False)
    await worker.start()
    assert await worker.stop() == 0
    assert asyncio.all_tasks() == before


async def test_a_timeout_stops_an_async_handler(engine: Penstock):
    handler = Waiting()
    handle = await engine.enqueue(Note(), timeout=0.1, max_attempts=1)
    async with working(engine, handler):
        view = await reached(engine, handle.id, JobState.FAILED)
        await handler.cancelled.wait()
    assert view.reason == "stopped after its timeout of 0.1 s"
    assert handler.reason == "its timeout of 0.1 s is over"


async def test_a_timeout_counts_as_an_attempt_and_is_retried(engine: Penstock):
    runs: list[int] = []

    async def slow_at_first(job: Job[Note]) -> None:
        runs.append(job.attempt)
        await asyncio.sleep(FOREVER if job.attempt == 1 else 0)

    handle = await engine.enqueue(Note(), retry=Fixed(0))
    async with working(engine, slow_at_first, queues={"default": Queue(timeout=timedelta(milliseconds=100))}):
        await reached(engine, handle.id, JobState.COMPLETED)
    assert runs == [1, 2]


async def test_a_timeout_is_offered_to_a_sync_handler(engine: Penstock):
    asked = threading.Event()

    def patient(job: Job[Note]) -> None:
        if job.cancel_signal.wait(20):
            asked.set()

    handle = await engine.enqueue(Note(), timeout=0.1, max_attempts=1)
    async with working(engine, patient):
        await reached(engine, handle.id, JobState.FAILED)
    assert asked.is_set()


async def test_a_handler_that_will_not_stop_is_marked_and_keeps_its_slot(
    engine: Penstock, caplog: pytest.LogCaptureFixture
):
    handler = Stubborn()
    handle = await engine.enqueue(Note(), timeout=0.1, max_attempts=1)
    after = await engine.enqueue(Note(), max_attempts=1)
    async with working(engine, handler, concurrency=1, kill_grace_s=0.1) as worker:
        await reached(engine, handle.id, JobState.FAILED)
        stats = worker.get_stats()
        assert (stats.stubborn, stats.running) == (1, 1)
        assert (await engine.get(after.id)).state is JobState.READY
        assert handler.asked == 1
        handler.let_go.set()
        await reached(engine, after.id, JobState.COMPLETED)
        assert worker.get_stats().stubborn == 0
    [record] = [record for record in caplog.records if record.msg == "a handler does not stop"]
    assert (vars(record)["kind"], vars(record)["job_id"]) == ("note", handle.id)


async def test_a_deadline_ends_a_running_job_for_good(engine: Penstock):
    handler = Waiting()
    handle = await engine.enqueue(Note(), deadline=timedelta(milliseconds=400))
    async with working(engine, handler):
        view = await reached(engine, handle.id, JobState.FAILED)
        await handler.cancelled.wait()
    assert view.reason == "its deadline passed while it ran"


async def test_a_running_job_is_cancelled_from_elsewhere(any_engine: Penstock, sqlite_path: Path):
    handler = Waiting()
    handle = await any_engine.enqueue(Note())
    async with working(any_engine, handler):
        await handler.running.wait()
        if isinstance(any_engine.store, SqliteStore):
            async with Penstock(store=SqliteStore(sqlite_path), **NO_PROFILE) as elsewhere:
                await elsewhere.cancel(handle.id, reason="changed my mind")
                await handler.cancelled.wait()
        else:
            await any_engine.cancel(handle.id, reason="changed my mind")
            await handler.cancelled.wait()
        view = await reached(any_engine, handle.id, JobState.CANCELLED)
    assert view.reason == "changed my mind"


async def test_the_result_of_a_cancelled_run_is_discarded(engine: Penstock):
    running, go_on = asyncio.Event(), asyncio.Event()

    async def finishes_anyway(job: Job[Note]) -> str:
        running.set()
        try:
            await go_on.wait()
        except asyncio.CancelledError:
            return "done all the same"
        return "done"

    handle = await engine.enqueue(Note())
    async with working(engine, finishes_anyway):
        await running.wait()
        await engine.cancel(handle.id)
        await reached(engine, handle.id, JobState.CANCELLED)
    assert (await engine.jobs.payload(handle.id))[1] is None


async def test_stop_lets_running_jobs_finish(engine: Penstock):
    running, go_on = asyncio.Event(), asyncio.Event()

    async def waits(job: Job[Note]) -> None:
        running.set()
        await go_on.wait()

    handle = await engine.enqueue(Note())
    waiting = await engine.enqueue(Note())
    worker = Worker(engine, [waits], concurrency=1)
    await worker.start()
    await running.wait()
    stopping = asyncio.create_task(worker.stop(20))
    await until(lambda: not stopping.done())
    go_on.set()
    assert await stopping == 0
    assert (await engine.get(handle.id)).state is JobState.COMPLETED
    assert (await engine.get(waiting.id)).state is JobState.READY


async def test_what_does_not_finish_in_time_is_given_back_without_a_spent_attempt(any_engine: Penstock):
    handler = Waiting()
    handle = await any_engine.enqueue(Note())
    worker = Worker(any_engine, [handler])
    await worker.start()
    await handler.running.wait()
    assert await worker.stop(0.05) == 1
    view = await any_engine.get(handle.id)
    assert (view.state, view.attempt) == (JobState.READY, 0)
    assert worker.get_stats().released == 1


async def test_a_stubborn_handler_is_given_back_too(engine: Penstock):
    handler = Stubborn()
    handle = await engine.enqueue(Note())
    worker = Worker(engine, [handler], kill_grace_s=0.05)
    await worker.start()
    await until(lambda: worker.get_stats().running == 1)
    assert await worker.stop(0) == 1
    assert (await engine.get(handle.id)).state is JobState.READY
    handler.let_go.set()


async def test_an_idle_worker_stops_with_0_and_is_forgotten(engine: Penstock):
    worker = Worker(engine, [Waiting()])
    await worker.start()
    assert await worker.stop() == 0
    assert await worker.stop() == 0


async def test_the_end_of_a_worker_is_logged(engine: Penstock, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    worker = Worker(engine, [Waiting()], name="w-1")
    await worker.start()
    await worker.stop()
    said = [(record.msg, vars(record).get("worker")) for record in caplog.records]
    assert ("worker started", "w-1") in said
    assert ("worker stopped", "w-1") in said


async def test_nothing_of_a_worker_goes_on_after_it_has_stopped(engine: Penstock):
    async def nothing_to_do(job: Job[Note]) -> None:
        return None

    before = asyncio.all_tasks()
    async with working(engine, nothing_to_do) as worker:
        began = asyncio.all_tasks() - before
    assert {task.get_name() for task in began} >= {"penstock-streams", "penstock-step reads", "penstock-completer"}
    assert [task for task in began if not task.done()] == []
    assert worker.get_stats().unwritten == 0
