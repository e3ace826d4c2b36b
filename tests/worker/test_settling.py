"""Ends that are written by others than the usual way: in the handler's transaction, alone, or not at all."""

import logging

import pytest

from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.states import JobState
from penstock.worker import Worker
from tests.worker.working import Note, Other, reached, until, working


async def test_a_handler_that_ends_its_job_in_a_transaction_is_not_settled_again(any_engine: Penstock):
    async def ends(job: Job[Note]) -> None:
        async with job.transaction() as tx:
            await tx.enqueue(Other(number=1))
            tx.complete("done inside")

    handle = await any_engine.enqueue(Note())
    async with working(any_engine, ends) as worker:
        await reached(any_engine, handle.id, JobState.COMPLETED)
        await until(lambda: worker.get_stats().completed == 1)
        assert worker.get_stats().refused == 0
    assert (await any_engine.jobs.payload(handle.id))[1] == "done inside"


async def test_a_job_that_its_handler_fails_in_a_transaction_counts_as_failed(engine: Penstock):
    async def fails(job: Job[Note]) -> None:
        async with job.transaction() as tx:
            tx.fail("for good")

    handle = await engine.enqueue(Note())
    async with working(engine, fails) as worker:
        await reached(engine, handle.id, JobState.FAILED)
        await until(lambda: worker.get_stats().failed == 1)
        assert worker.get_stats().completed == 0


async def test_an_error_after_the_job_was_ended_is_only_logged(engine: Penstock, caplog: pytest.LogCaptureFixture):
    async def ends(job: Job[Note]) -> None:
        async with job.transaction() as tx:
            tx.complete("done inside")
        raise ValueError("too late")

    handle = await engine.enqueue(Note())
    async with working(engine, ends) as worker:
        await until(lambda: worker.get_stats().completed == 1)
        assert (await engine.get(handle.id)).state is JobState.COMPLETED
    [record] = [record for record in caplog.records if record.msg == "the handler raised after it had ended its job"]
    assert vars(record)["job_id"] == handle.id


async def test_one_end_that_cannot_be_written_does_not_block_its_neighbours(engine: Penstock, monkeypatch):
    async def number(job: Job[Other]) -> int:
        return job.data.number

    run = engine.store.run

    async def refusing(program, *, durable=True):
        if program.name in ("settle", "complete"):
            arguments = program._start.__closure__
            ends = next(cell.cell_contents for cell in arguments if isinstance(cell.cell_contents, tuple))[0]
            if any(end.settlement.result == b"13" for end in ends):
                raise ValueError("a row that the database will not have")
        return await run(program, durable=durable)

    monkeypatch.setattr(engine.store, "run", refusing)
    handles = await engine.enqueue_many([Other(number=n) for n in range(30)])
    async with working(engine, number) as worker:
        await until(lambda: worker.get_stats().completed == 29)
        view = await reached(engine, handles[13].id, JobState.FAILED)
    assert "could not be written: ValueError: a row that the database will not have" in (view.reason or "")


async def test_a_fault_of_the_worker_itself_stops_it_with_1(
    engine: Penstock, monkeypatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)

    async def nothing(job: Job[Note]) -> None:
        return None

    async def broken(*_, **__):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("penstock.worker.fetcher.Fetcher._claim_one", broken)
    assert await Worker(engine, [nothing]).run() == 1
    assert "a part of the worker failed; it stops" in [record.msg for record in caplog.records]
