"""Progress is coalesced, fenced and written before the job ends."""

import asyncio
import threading
from typing import Any, cast

import pytest

from penstock.app import Penstock
from penstock.clock import SystemClock
from penstock.context import Job
from penstock.domain.outcomes import completed
from penstock.domain.states import JobState
from penstock.errors import StoreUnavailable
from penstock.store.program import LaneKey
from penstock.store.programs.settle import Progress, RunEnd
from penstock.worker.outage import Outage
from penstock.worker.progress import ProgressWriter
from tests.worker.working import Note, reached, until, working


async def test_progress_is_seen_while_the_job_runs(any_engine: Penstock):
    go_on = asyncio.Event()

    async def half(job: Job[Note]) -> None:
        job.progress(0.5, "half way")
        await go_on.wait()

    handle = await any_engine.enqueue(Note())
    async with working(any_engine, half):

        async def seen() -> bool:
            view = await any_engine.get(handle.id)
            return (view.progress, view.message) == (0.5, "half way")

        await until(seen)
        go_on.set()
        await reached(any_engine, handle.id, JobState.COMPLETED)


async def test_the_last_progress_of_a_run_is_kept(engine: Penstock):
    async def fail(job: Job[Note]) -> None:
        job.progress(0.0, "page 0")

        async def written() -> bool:
            return (await engine.get(job.id)).message == "page 0"

        await until(written)
        # The writer rests now; the run ends before its next turn.
        for number in range(100):
            job.progress(number / 100, f"page {number}")
        raise ValueError("page 99 is torn")

    handle = await engine.enqueue(Note(), max_attempts=1)
    async with working(engine, fail):
        view = await reached(engine, handle.id, JobState.FAILED)
    assert (view.progress, view.message) == (0.99, "page 99")


async def test_progress_comes_from_threads_too(engine: Penstock):
    go_on = threading.Event()

    def half(job: Job[Note]) -> None:
        job.progress(0.5)
        go_on.wait(20)

    handle = await engine.enqueue(Note())
    async with working(engine, half):

        async def seen() -> bool:
            return (await engine.get(handle.id)).progress == 0.5

        await until(seen)
        go_on.set()
        await reached(engine, handle.id, JobState.COMPLETED)


async def test_a_thousand_updates_of_a_job_are_one_write(engine: Penstock, monkeypatch):
    programs: list[str] = []
    run = engine.store.run

    async def counted(program, *, durable=True):
        programs.append(program.name)
        return await run(program, durable=durable)

    monkeypatch.setattr(engine.store, "run", counted)
    failures: list[object] = []
    writer = ProgressWriter(engine.store, Outage("w"), lambda name, error: failures.append(error))
    await writer.start()
    for number in range(1000):
        writer.note(Progress("01a200b0-803c-7119-bc7e-ec93a2342237", 1, number / 1000, None))
    await until(lambda: bool(programs))
    await writer.stop()
    assert programs == ["write_progress"]
    assert failures == []


async def test_an_update_on_its_way_arrives_before_the_end_of_its_run():
    gate, written = asyncio.Event(), list[str]()

    class SlowStore:
        clock = SystemClock()

        async def run(self, program: object, *, durable: bool) -> None:
            await gate.wait()
            written.append("progress")

    writer = ProgressWriter(cast(Any, SlowStore()), Outage("w"), lambda *_: None)
    await writer.start()
    writer.note(Progress("1", 1, 0.5, None))
    await asyncio.sleep(0)
    ahead = writer.ahead_of([RunEnd("1", 1, LaneKey("q", "k"), completed(0, 0, None))])
    assert ahead is not None, "it has left, but has not arrived"
    gate.set()
    await ahead
    assert written == ["progress"]
    assert writer.ahead_of([RunEnd("1", 1, LaneKey("q", "k"), completed(0, 0, None))]) is None
    await writer.stop()


async def test_who_has_something_new_to_say_for_ever_does_not_hold_up_the_end():
    """A handler that will not stop, whose outcome is decided all the same."""

    class Echo:
        clock = SystemClock()

        async def run(self, program: object, *, durable: bool) -> None:
            await asyncio.sleep(0)
            writer.note(Progress("1", 1, 0.5, None))

    writer = ProgressWriter(cast(Any, Echo()), Outage("w"), lambda *_: None)
    await writer.start()
    writer.note(Progress("1", 1, 0.5, None))
    ahead = writer.ahead_of([RunEnd("1", 1, LaneKey("q", "k"), completed(0, 0, None))])
    assert ahead is not None
    await asyncio.wait_for(ahead, 20)
    await writer.stop()


@pytest.mark.parametrize("flies", [True, False])
async def test_what_did_not_arrive_is_written_before_the_end_all_the_same(flies: bool):
    gate, tried, written = asyncio.Event(), list[str](), list[str]()

    class Away:
        clock = SystemClock()

        async def run(self, program: object, *, durable: bool) -> None:
            await gate.wait()
            tried.append("progress")
            if len(tried) < 3:
                raise StoreUnavailable("away")
            written.append("progress")

    writer = ProgressWriter(cast(Any, Away()), Outage("w"), lambda *_: None)
    await writer.start()
    writer.note(Progress("1", 1, 0.5, None))
    if flies:
        await asyncio.sleep(0)
    ahead = writer.ahead_of([RunEnd("1", 1, LaneKey("q", "k"), completed(0, 0, None))])
    assert ahead is not None
    gate.set()
    await asyncio.wait_for(ahead, 20)
    assert written == ["progress"]
    await writer.stop()
