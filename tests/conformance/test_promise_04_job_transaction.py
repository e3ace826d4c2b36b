"""Promise 4: what a handler writes in job.transaction() commits with the job's completion and all it enqueues."""

import asyncio
from typing import Any

import pytest

from penstock import ClaimLost, Conflict, Event, NotFound, PayloadTooLarge, Penstock, codec
from penstock.context import Job
from penstock.producer import JobTransaction
from penstock.worker.outage import Outage
from penstock.worker.redaction import Redactor
from penstock.worker.streams import StreamDesk
from tests.conformance.callers import KINDS, OWN_TABLE, Caller, calling
from tests.conformance.databases import Database
from tests.support.engine import HandWorker, Work, run_of


class Done(Event, type="done"):
    n: int


@pytest.fixture
async def run(engine: Penstock, worker: HandWorker) -> Job[Any]:
    """A run of a job in a flow."""
    flow = await engine.flow("f")
    await engine.enqueue(Work(), flow=flow)
    return run_of(await worker.claim_one())


def transaction(engine: Penstock, run: Job[Any], on: Any = None) -> JobTransaction:
    """`job.transaction(on=…)` without a worker around it."""
    return JobTransaction(engine.producer, run, "hand", on)


async def test_the_end_the_enqueues_and_the_events_commit_together(engine: Penstock, run: Job[Any], worker: HandWorker):
    async with transaction(engine, run) as tx:
        handle = await tx.enqueue(Work(n=2))
        await tx.publish(Done(n=1), subject="s")
        tx.complete({"ok": True})
        assert await worker.claim() == []
    assert run.ended
    assert await engine.handle(run.id).result() == {"ok": True}
    assert (await engine.get(handle.id)).flow_id == run.flow_id
    assert run.flow_id is not None
    counts = (await engine.flows.get(run.flow_id)).counts
    assert (counts.total, counts.open, counts.completed) == (2, 1, 1)
    assert len(await engine.events.read(subject="s")) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_the_callers_rows_commit_with_the_end(database: Database, engine: Penstock, run: Job[Any], kind: str):
    database.execute(OWN_TABLE)
    async with calling(database, kind) as caller, transaction(engine, run, caller.on) as tx:
        await caller.insert()
        tx.complete(7)
    assert database.select("SELECT count(*) FROM notes") == [(1,)]
    assert await engine.handle(run.id).result() == 7


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_streamed_before_the_end_commits_with_it(
    database: Database, engine: Penstock, run: Job[Any], kind: str
):
    """Also what the worker could not write meanwhile, because the caller's transaction held the database."""
    database.execute(OWN_TABLE)
    desk = StreamDesk(engine.store, Redactor(), Outage("hand"), lambda *_: None)
    await desk.start()
    run.streams = {"plan": desk.open(run, "plan")}
    async with calling(database, kind) as caller, transaction(engine, run, caller.on) as tx:
        await caller.insert()
        run.stream("plan").write("one ")
        await asyncio.sleep(0)
        run.stream("plan").write("two")
        tx.complete()
    desk.end(run)
    await desk.stop()
    [piece] = engine.sync.tail(run.id)
    assert (piece.version, piece.text) == (1, "one two")


async def test_what_was_streamed_before_a_refused_end_goes_on(engine: Penstock, run: Job[Any]):
    desk = StreamDesk(engine.store, Redactor(), Outage("hand"), lambda *_: None)
    await desk.start()
    stream = desk.open(run, "plan")
    run.streams = {"plan": stream}
    with pytest.raises(Conflict):
        async with transaction(engine, run):
            stream.write("one ")
    stream.write("two")
    async with asyncio.timeout(20):
        async for piece in engine.tail(run.id):
            if piece.end == 7:
                break
    await desk.stop()
    assert [piece.text for piece in engine.sync.tail(run.id)] == ["one two"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_late_run_rolls_the_callers_rows_back(
    database: Database, engine: Penstock, worker: HandWorker, run: Job[Any], kind: str
):
    database.execute(OWN_TABLE)
    await worker.be_lost()
    current = await worker.claim_one()

    async def write_late() -> None:
        async with calling(database, kind) as caller, transaction(engine, run, caller.on) as tx:
            await caller.insert()
            await tx.enqueue(Work())
            await tx.publish(Done(n=1))
            tx.complete(7)

    with pytest.raises(ClaimLost):
        await write_late()
    assert database.select("SELECT count(*) FROM notes") == [(0,)]
    assert await engine.events.read() == []
    assert (await engine.get(run.id)).state == "running"
    assert not run.ended
    assert await worker.complete(current) == "completed"


@pytest.mark.parametrize("on", [None, "session"])
async def test_a_run_whose_cancel_was_requested_commits_nothing(
    database: Database, engine: Penstock, run: Job[Any], on: str | None
):
    database.execute(OWN_TABLE)
    await engine.cancel(run.id)

    async def write(caller: Caller | None) -> None:
        async with transaction(engine, run, caller and caller.on) as tx:
            if caller:
                await caller.insert()
            await tx.enqueue(Work())
            tx.complete(7)

    if on is None:
        with pytest.raises(ClaimLost):
            await write(None)
    else:
        async with calling(database, on) as caller:
            with pytest.raises(ClaimLost):
                await write(caller)
    assert database.select("SELECT count(*) FROM notes") == [(0,)]
    assert [view.id for view in await engine.jobs.list()] == [run.id]


async def test_it_can_fail_the_job(engine: Penstock, run: Job[Any]):
    async with transaction(engine, run) as tx:
        await tx.publish(Done(n=1))
        tx.fail(ValueError("not today"))
    view = await engine.get(run.id)
    assert (view.state, view.attempt, view.reason) == ("failed", 1, "not today")
    assert [(error.error_class, error.message) for error in await engine.jobs.errors(run.id)] == [
        ("ValueError", "not today")
    ]
    assert len(await engine.events.read()) == 1


async def test_it_must_say_how_the_job_ends(engine: Penstock, run: Job[Any]):

    async def say_nothing() -> None:
        async with transaction(engine, run) as tx:
            await tx.enqueue(Work())

    with pytest.raises(Conflict, match=r"call tx\.complete"):
        await say_nothing()
    assert (await engine.get(run.id)).state == "running"
    async with transaction(engine, run) as tx:
        tx.complete()
        with pytest.raises(Conflict, match="said already"):
            tx.fail("no")
    assert (await engine.get(run.id)).state == "completed"


async def test_other_writes_of_the_run_inside_it_are_refused(engine: Penstock, run: Job[Any]):
    async with transaction(engine, run) as tx:
        with pytest.raises(Conflict, match="write through the transaction"):
            await engine.producer.enqueue_for_run(run, [Work()], {})
        with pytest.raises(Conflict, match="write through the transaction"):
            await engine.producer.publish_for_run(run, [(Done(n=1), None)])
        tx.complete()
    with pytest.raises(Conflict, match="ended already"):
        await transaction(engine, run).__aenter__()


@pytest.mark.parametrize("broken", ["handler", "enqueue", "result"])
async def test_whatever_goes_wrong_inside_leaves_the_run_as_it_was(
    engine: Penstock, worker: HandWorker, run: Job[Any], broken: str
):
    error = {"handler": ZeroDivisionError, "enqueue": NotFound, "result": PayloadTooLarge}[broken]

    async def go_wrong() -> None:
        async with transaction(engine, run) as tx:
            await tx.enqueue(Work(), after=codec.new_id() if broken == "enqueue" else None)
            tx.complete("x" * 2**21 if broken == "result" else None)
            if broken == "handler":
                raise ZeroDivisionError

    with pytest.raises(error):
        await go_wrong()
    assert [view.state for view in await engine.jobs.list()] == ["running"]
    async with transaction(engine, run) as tx:
        tx.complete("second try")
    assert await engine.handle(run.id).result() == "second try"
