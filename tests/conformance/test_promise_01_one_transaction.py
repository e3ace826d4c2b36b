"""Promise 1: enqueue, event and the caller's own rows commit together or not at all."""

import asyncio
from typing import Any

import pytest

from penstock import Event, FlowEnded, InvalidJob, NotFound, Penstock, codec
from tests.conformance.callers import BLOCKING, KINDS, OWN_TABLE, calling
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.engine import HandWorker, Work


class Noted(Event, type="noted", stream="tests"):
    n: int


class GivenUp(Exception):
    """The application changes its mind."""


@pytest.fixture
def notes(database: Database, engine: Penstock) -> Database:
    """The database with a table of the application's own."""
    database.execute(OWN_TABLE)
    return database


async def counts(database: Database, engine: Penstock) -> tuple[int, int, int]:
    """(notes, jobs, events) that are committed."""
    [(notes, jobs)] = database.select("SELECT (SELECT count(*) FROM notes), (SELECT count(*) FROM ~jobs)")
    return notes, jobs, len(await engine.events.read())


async def test_a_transaction_writes_flow_jobs_and_events_together(engine: Penstock, worker: HandWorker):
    async with engine.transaction() as tx:
        flow = tx.flow("plan")
        first = await tx.enqueue(Work(n=1), flow=flow)
        second = await tx.enqueue(Work(n=2), after=first)
        await tx.publish(Noted(n=1))
        assert repr(first).endswith("created=None)")
        assert await worker.claim() == []
    assert [first.created, second.created] == [True, True]
    assert (await engine.flows.get(flow.id)).counts.total == 2
    assert [job.id for job in await worker.claim()] == [first.id]
    assert [event.type for event in await engine.events.read()] == ["noted"]


async def test_an_exception_inside_a_transaction_writes_nothing(engine: Penstock, worker: HandWorker):
    async def give_up() -> None:
        async with engine.transaction() as tx:
            await tx.enqueue(Work())
            await tx.publish(Noted(n=1))
            raise GivenUp

    with pytest.raises(GivenUp):
        await give_up()
    assert await worker.claim() == []
    assert await engine.events.read() == []


@pytest.mark.parametrize("broken", ["parent", "flow", "unknown flow", "order"])
async def test_one_refused_job_refuses_the_whole_transaction(engine: Penstock, worker: HandWorker, broken: str):
    flow = await engine.flow("over")
    await engine.enqueue(Work(), flow=flow)
    await worker.finish_all()
    itself = codec.new_id()
    refusals: dict[str, tuple[dict[str, Any], type[Exception]]] = {
        "parent": ({"after": codec.new_id()}, NotFound),
        "flow": ({"flow": flow}, FlowEnded),
        "unknown flow": ({"flow": codec.new_id()}, NotFound),
        "order": ({"id": itself, "after": itself}, InvalidJob),
    }
    wrong, error = refusals[broken]

    async def enqueue() -> None:
        async with engine.transaction() as tx:
            await tx.publish(Noted(n=1))
            new_flow = tx.flow("new")
            await tx.enqueue(Work(), flow=new_flow)
            await tx.enqueue(Work(), **wrong)

    with pytest.raises(error):
        await enqueue()
    assert await worker.claim() == []
    assert await engine.events.read() == []
    assert [view.name for view in await engine.flows.list()] == ["over"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_callers_commit_commits_rows_jobs_and_events(notes: Database, engine: Penstock, kind: str):
    async with calling(notes, kind) as caller:
        await caller.insert()
        handle = await engine.enqueue(Work(n=1), on=caller.on)
        async with engine.transaction(caller.on) as tx:
            await tx.enqueue(Work(n=2), after=handle)
            await tx.publish(Noted(n=1))
        assert await counts(notes, engine) == (0, 0, 0)
        await caller.commit()
    assert await counts(notes, engine) == (1, 2, 1)
    assert await handle.status() == "pending"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_callers_rollback_leaves_nothing(notes: Database, engine: Penstock, kind: str):
    async with calling(notes, kind) as caller:
        await caller.insert()
        await engine.enqueue(Work(), on=caller.on)
        await engine.publish(Noted(n=1), on=caller.on)
        await caller.rollback()
    assert await counts(notes, engine) == (0, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_enqueue_leaves_the_callers_transaction_usable(notes: Database, engine: Penstock, kind: str):
    async with calling(notes, kind) as caller:
        await caller.insert()
        tx = engine.transaction(caller.on)
        await tx.publish(Noted(n=1))
        await tx.enqueue(Work(), after=codec.new_id())
        with pytest.raises(NotFound):
            await tx.__aexit__(None, None, None)
        await caller.insert()
        await caller.commit()
    assert await counts(notes, engine) == (2, 0, 0)


@pytest.mark.parametrize("kind", BLOCKING)
async def test_sync_code_enqueues_in_its_own_transaction(notes: Database, engine: Penstock, kind: str):
    for how in ("rollback", "commit"):
        async with calling(notes, kind) as caller:
            await caller.insert()
            engine.sync.enqueue(Work(), on=caller.on)
            with engine.sync.transaction(caller.on) as tx:
                tx.publish(Noted(n=1))
                tx.enqueue_many([Work(), Work()])
            await getattr(caller, how)()
        assert await counts(notes, engine) == ((0, 0, 0) if how == "rollback" else (1, 3, 1))


async def test_the_operations_of_people_take_part_in_a_callers_transaction(notes: Database, engine: Penstock):
    kept, cancelled = await engine.enqueue_many([Work(), Work()])
    for handle, how in ((kept, "rollback"), (cancelled, "commit")):
        async with calling(notes, "session") as caller:
            await engine.jobs.cancel(handle.id, on=caller.on)
            await getattr(caller, how)()
    assert [await kept.status(), await cancelled.status()] == ["pending", "cancelled"]


async def test_sync_code_does_what_async_code_does(engine: Penstock, worker: HandWorker):
    def synchronous() -> list[str]:
        sync = engine.sync
        one = sync.enqueue(Work(n=1), priority="high")
        with sync.transaction() as tx:
            flow = tx.flow("sync")
            two = tx.enqueue(Work(n=2), flow=flow)
            tx.enqueue_many([Work(n=3), Work(n=4)], after=two)
            tx.publish(Noted(n=1))
        assert two.created
        assert sync.status(one.id) == "pending"
        with pytest.raises(NotFound):
            sync.status(codec.new_id())
        return [one.id, two.id]

    ids = await asyncio.to_thread(synchronous)
    jobs = await worker.claim()
    assert [job.id for job in jobs] == ids
    await worker.complete(jobs[0], {"a": [1, None]})
    await worker.complete(jobs[1])
    assert engine.sync.result(ids[0]) == {"a": [1, None]}
    assert len(await worker.finish_all()) == 2
    assert len(await engine.events.read()) == 1


async def test_what_one_store_commits_another_sees(engine: Penstock, make_store: MakeStore):
    other = Penstock(store=await make_store())
    handle = await engine.enqueue(Work(n=7))
    assert (await other.jobs.payload(handle.id))[0] == {"n": 7}


async def test_a_store_that_was_closed_has_everything_when_it_is_opened_again(
    database: Database, make_store: MakeStore, clock
):
    first = database.new_store(clock)
    await first.open()
    handle = await Penstock(store=first).enqueue(Work(n=1))
    await first.close()
    again = Penstock(store=await make_store())
    assert (await again.get(handle.id)).state == "ready"
