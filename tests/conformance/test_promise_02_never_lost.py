"""Promise 2: an enqueued job is never lost: at least once, whatever becomes of who took it."""

import asyncio
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from penstock import JobState, Penstock
from penstock.store.base import Store
from penstock.store.programs.workers import Pulse, beat, remove_worker, worker_beats
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work


async def test_a_job_of_a_lost_worker_is_run_by_another(engine: Penstock, store: Store, worker: HandWorker):
    handle = await engine.enqueue(Work())
    await worker.claim()
    other = await HandWorker.register(store, "other")
    assert await other.claim() == []
    assert await worker.be_lost() == 1
    again = await other.claim_one()
    assert again.id == handle.id
    assert await other.complete(again) is JobState.COMPLETED


async def test_rescue_goes_on_until_the_lost_worker_holds_nothing(engine: Penstock, worker: HandWorker):
    await engine.enqueue_many([Work(n=n) for n in range(1_100)])
    assert len(await worker.claim(2_000)) == 1_100
    assert [await worker.be_lost() for _ in range(3)] == [500, 500, 100]
    assert len(await worker.claim(2_000)) == 1_100


async def test_runs_of_a_worker_whose_row_is_gone_are_found(
    engine: Penstock, database: Database, store: Store, worker: HandWorker
):
    await engine.enqueue(Work())
    await worker.claim()
    database.execute("DELETE FROM ~workers")
    assert (await store.read(worker_beats())) == {worker.id: Pulse(f"worker {worker.id}", -1, 0)}
    assert await worker.be_lost() == 1
    assert len(await worker.claim()) == 1


async def test_a_worker_that_signs_off_with_runs_stays_listed(engine: Penstock, store: Store, worker: HandWorker):
    await engine.enqueue(Work())
    await worker.claim()
    await store.run(remove_worker(worker.id))
    assert worker.id in await store.read(worker_beats())
    await worker.be_lost()
    assert await store.read(worker_beats()) == {}


async def test_a_heartbeat_answers_what_the_store_assigns_to_the_worker(
    engine: Penstock, store: Store, worker: HandWorker
):
    await engine.enqueue_many([Work(), Work()])
    first, second = await worker.claim()
    await engine.cancel(second.id)
    found = await store.run(
        beat(
            worker.id,
            store.clock.now(),
            stopping=False,
            stats={},
            started=[(first.id, first.claim_id, 7), (second.id, 1, 7)],
        )
    )
    assert found.registered
    held = {run.job_id: run for run in found.held}
    assert held.keys() == {first.id, second.id}
    assert (held[first.id].claim_id, held[first.id].started_at, held[first.id].cancel_requested) == (
        first.claim_id,
        7,
        False,
    )
    assert (held[second.id].started_at, held[second.id].cancel_requested) == (None, True)


@pytest.mark.parametrize("what", ["complete", "release", "snooze", "retry"])
async def test_no_job_vanishes_whatever_becomes_of_its_run(
    engine: Penstock, worker: HandWorker, clock: MovableClock, what: str
):
    handles = await engine.enqueue_many([Work(n=n) for n in range(20)])
    for index, job in enumerate(await worker.claim()):
        match what if index % 2 else "complete":
            case "complete":
                await worker.complete(job)
            case "release":
                await worker.release(job)
            case "snooze":
                await worker.snooze(job, 5)
            case _:
                await worker.fail(job, permanent=False)
    clock.advance(3_600)
    await worker.fall_due()
    await worker.finish_all()
    assert {await handle.status() for handle in handles} == {"completed"}


def _enqueue_until_killed(database: Database, told: Path) -> None:
    async def enqueue() -> None:
        engine = Penstock(store=database.new_store(MovableClock()))
        async with engine:
            with told.open("a", buffering=1) as file:
                while True:
                    handle = await engine.enqueue(Work())
                    file.write(handle.id + "\n")

    asyncio.run(enqueue())


async def test_what_a_killed_producer_was_answered_is_there(database: Database, make_store: MakeStore, tmp_path: Path):
    store = await make_store()
    told = tmp_path / "told"
    told.touch()
    producer = multiprocessing.get_context("spawn").Process(target=_enqueue_until_killed, args=(database, told))
    producer.start()
    while told.read_text().count("\n") < 50:
        await asyncio.sleep(0.005)
        assert producer.is_alive()
    assert producer.pid is not None
    os.kill(producer.pid, signal.SIGKILL)
    await asyncio.to_thread(producer.join)
    worker = await HandWorker.register(store)
    answered = set(told.read_text().rpartition("\n")[0].split())
    assert answered <= {job.id for job in await worker.claim(100_000)}
