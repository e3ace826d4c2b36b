"""Sleeps and signals of handlers: who waits holds no slot and spends no attempt, and no signal is lost."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from penstock import Conflict, InvalidJob, Job, JobState, NotFound, Penstock, SignalTimeout
from tests.worker.stepping import Desk, Outline
from tests.worker.working import Note, reached, working


async def test_a_sleep_gives_the_slot_back_and_spends_no_attempt(any_engine: Penstock):
    desk = Desk()
    runs: list[str] = []

    async def handle(job: Job[Note]) -> str:
        runs.append(job.data.text)
        if job.data.text == "sleeper":
            await job.step("before", desk.count, 1)
            await job.sleep(timedelta(seconds=0.3))
            await job.sleep(0)
            await job.step("after", desk.count, 2)
        return f"{job.attempt}"

    sleeper = await any_engine.enqueue(Note(text="sleeper"))
    async with working(any_engine, handle, concurrency=1):
        await reached(any_engine, sleeper.id, JobState.SCHEDULED)
        view = await any_engine.get(sleeper.id)
        why = await any_engine.jobs.why(sleeper.id)
        other = await any_engine.enqueue(Note(text="other"))
        assert await other.result(20) == "1"
        assert await sleeper.result(20) == "1"
    assert view.reason == "sleep"
    assert (why.reasons, why.until) == (("its handler sleeps until then",), view.due_at)
    assert desk.calls == ["count 1", "count 2"]
    assert runs.count("sleeper") >= 2


async def test_a_signal_wakes_the_job_that_waits_for_it(any_engine: Penstock):
    desk = Desk()

    async def handle(job: Job[Note]) -> Any:
        await job.step("before", desk.count, 1)
        return await job.wait_for("approved")

    handle_ = await any_engine.enqueue(Note())
    async with working(any_engine, handle, concurrency=1):
        await reached(any_engine, handle_.id, JobState.SCHEDULED)
        why = await any_engine.jobs.why(handle_.id)
        view = await any_engine.get(handle_.id)
        assert not await any_engine.signal(handle_.id, "another")
        assert await any_engine.signal(handle_.id, "approved", Outline(title="by a person"))
        assert await handle_.result(20) == {"title": "by a person", "parts": []}
    assert (why.reasons, why.until, view.due_at) == (("its handler waits for the signal 'approved'",), None, None)
    assert desk.calls == ["count 1"]
    steps = {one.name: one for one in await any_engine.jobs.steps(handle_.id)}
    assert (steps["signal approved"].state, steps["signal approved"].result["title"]) == ("done", "by a person")


async def test_signals_sent_before_the_wait_are_kept_and_taken_in_order(any_engine: Penstock):
    async def handle(job: Job[Note]) -> list[Any]:
        first = await job.wait_for("page")
        second = await job.wait_for("page", name="second page")
        return [first, second]

    handle_ = await any_engine.enqueue(Note())
    for number in (1, 2, 3):
        assert not any_engine.sync.signal(handle_.id, "page", number)
    async with working(any_engine, handle):
        assert await handle_.result(20) == [1, 2]


async def test_a_wait_ends_when_its_time_is_over(any_engine: Penstock):
    async def handle(job: Job[Note]) -> str:
        try:
            await job.wait_for("approved", timeout=0.2)
        except SignalTimeout as error:
            await job.step("told", Desk().nothing)
            return str(error)
        return "came"

    handle_ = await any_engine.enqueue(Note())
    async with working(any_engine, handle):
        await reached(any_engine, handle_.id, JobState.SCHEDULED)
        assert (await any_engine.get(handle_.id)).due_at is not None
        assert "did not come in time" in await handle_.result(20)
    steps = {one.name: one.state for one in await any_engine.jobs.steps(handle_.id)}
    assert steps == {"signal approved": "timed out", "told": "done"}


async def test_many_signals_sent_while_runs_end_are_all_found(any_engine: Penstock):
    async def handle(job: Job[Note]) -> Any:
        return await job.wait_for("go")

    async with working(any_engine, handle, concurrency=10):
        handles = await any_engine.enqueue_many([Note() for _ in range(40)])
        await asyncio.gather(*(any_engine.signal(one.id, "go", number) for number, one in enumerate(handles)))
        assert [await one.result(20) for one in handles] == list(range(40))


async def test_a_signal_to_nobody_and_to_an_ended_job_is_refused(any_engine: Penstock):
    async def handle(job: Job[Note]) -> None:
        return None

    handle_ = await any_engine.enqueue(Note())
    async with working(any_engine, handle):
        await handle_.result(20)
    with pytest.raises(Conflict, match="is completed; nobody will take the signal 'late'"):
        await any_engine.signal(handle_.id, "late")
    with pytest.raises(NotFound):
        await any_engine.signal("019a6b2c-41d7-7000-8000-000000000000", "late")
    with pytest.raises(InvalidJob, match="the data of a signal must be JSON"):
        await any_engine.signal(handle_.id, "late", object())


async def test_a_wait_inside_a_task_group_is_a_wait(engine: Penstock):
    async def handle(job: Job[Note]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(job.wait_for("go"))

    handle_ = await engine.enqueue(Note())
    async with working(engine, handle):
        await reached(engine, handle_.id, JobState.SCHEDULED)
        await engine.signal(handle_.id, "go")
        await handle_.result(20)
