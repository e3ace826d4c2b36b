"""The ways into the store: jobs that are alike, others, and what concurrent tasks enqueue at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from penstock import InvalidJob, JobData, JobHandle, Penstock, Queue, QueueFull, Secret, StoreUnavailable
from penstock.errors import PayloadTooLarge
from penstock.producer.gather import FLIGHTS, MEMBERS
from penstock.store.base import Store
from penstock.store.programs.change import put_queue
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database, SqliteDatabase
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

OPTIONS: list[dict[str, Any]] = [
    {},
    {"queue": "other", "priority": "high", "max_attempts": 2},
    {"delay": 60, "tenant": "acme"},
    {"deadline": timedelta(hours=1), "timeout": 5, "tags": ["a", "b"]},
    {"concurrency_key": "k", "concurrency_limit": 3, "retention": timedelta(days=1)},
]


class Told(JobData, kind="told", timeout=9.5, deadline=60, tags=("kind",)):
    """A kind with options of its own, whose text needs escapes everywhere."""

    text: str = 'quotes " and \\u0000 \\ and\nlines ' + "\u2603\U0001f600"


class Plain(JobData, kind="plain", queue="other"):
    """Another kind."""


class Sealed(JobData, kind="sealed"):
    """May carry a secret."""

    key: Secret[str] | None = None


@pytest.fixture(params=["async", "sync", "transaction"])
def enqueue_many(request: pytest.FixtureRequest, engine: Penstock) -> Callable[..., Awaitable[list[JobHandle]]]:
    """The ways to write many jobs."""

    async def in_transaction(data: list[JobData], **options: Any) -> list[JobHandle]:
        async with engine.transaction() as tx:
            return await tx.enqueue_many(data, **options)

    async def blocking(data: list[JobData], **options: Any) -> list[JobHandle]:
        return await asyncio.to_thread(lambda: engine.sync.enqueue_many(data, **options))

    ways = {"async": engine.enqueue_many, "sync": blocking, "transaction": in_transaction}
    return ways[request.param]


# SQLite keeps data apart.
_ROWS = {
    "postgres": "SELECT j.id, j.data::text, j.options::text, {} FROM ~jobs j",
    "sqlite": "SELECT j.id, d.data, d.options, {} FROM ~jobs j JOIN ~job_data d ON d.job_id = j.id",
}
_COLUMNS = (
    "j.lane_id, j.state, j.priority, j.attempt, j.max_attempts, j.position, j.created_at, j.due_at, j.deadline_at, "
    "j.concurrency_limit, j.concurrency_key, j.unique_key, j.reason, j.has_children, j.open_parents, j.flow_id"
)


def rows(database: Database, ids: list[str]) -> list[tuple[Any, ...]]:
    """What is stored of these jobs but for their ids, in their order."""
    found = {row[0]: row[1:] for row in database.select(_ROWS[database.name].format(_COLUMNS))}
    return [found[id_] for id_ in ids]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", [Work, Told])
async def test_jobs_that_are_alike_are_stored_as_any_others(
    engine: Penstock,
    database: Database,
    enqueue_many: Callable[..., Awaitable[list[JobHandle]]],
    kind: type[JobData],
    options: dict[str, Any],
):
    alike = await enqueue_many([kind() for _ in range(3)], **options)
    assert all(handle.created and handle.kind == kind.job_kind.kind for handle in alike)
    # One of another class among them, last so that it moves no position.
    mixed = await engine.enqueue_many([*(kind() for _ in range(3)), Plain()], **options)
    assert len({handle.id for handle in [*alike, *mixed]}) == 7
    stored = rows(database, [handle.id for handle in alike])
    assert stored == rows(database, [handle.id for handle in mixed[:3]])
    assert rows(database, [(await engine.enqueue(kind(), **options)).id]) == stored[:1]


async def test_a_kinds_deadline_counts_from_each_enqueue(engine: Penstock, database: Database, clock: MovableClock):
    for _ in range(2):
        await engine.enqueue(Told())
        clock.advance(10)
    first, second = database.select("SELECT deadline_at FROM ~jobs ORDER BY deadline_at")
    assert second[0] - first[0] == 10_000_000


async def test_a_call_keeps_its_order(engine: Penstock, worker: HandWorker):
    handles = await engine.enqueue_many([Work(n=n) for n in range(300)])
    taken: list[str] = []
    while jobs := await worker.claim():
        taken += [job.id for job in jobs]
    assert taken == [handle.id for handle in handles]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (Told(text="x" * 2_000_000), PayloadTooLarge),
        (Told(text="a\0b"), InvalidJob),
        (Told(text="\\\0"), InvalidJob),
    ],
)
async def test_one_bad_job_keeps_out_its_whole_call(
    engine: Penstock, database: Database, bad: JobData, error: type[Exception]
):
    for data in ([bad], [Told(), bad, Told()]):
        with pytest.raises(error):
            await engine.enqueue_many(data)
    assert database.select("SELECT count(*) FROM ~jobs") == [(0,)]


async def test_what_is_no_job_data_is_refused_by_name(engine: Penstock):
    nothing: Any = ["text", "more text"]
    with pytest.raises(InvalidJob, match="not str"):
        await engine.enqueue_many(nothing)
    assert await engine.enqueue_many([]) == []


async def test_a_secret_among_jobs_of_its_kind_is_sealed(make_store: MakeStore, database: Database):
    key = "a:" + "A" * 43 + "="
    engine = Penstock(store=await make_store(), secret_keys=key)
    await engine.enqueue_many([Sealed(), Sealed(key=Secret("open sesame")), Sealed()])
    await engine.enqueue(Sealed(key=Secret("open sesame")))
    stored = [str(row[1]) for row in database.select(_ROWS[database.name].format("1"))]
    assert len(stored) == 4
    assert not any("sesame" in text for text in stored)
    lanes = database.select("SELECT seal_key FROM ~jobs j JOIN ~lanes l ON l.id = j.lane_id")
    assert sorted(map(str, lanes)) == ["('a',)", "('a',)", "(None,)", "(None,)"]


class Counting:
    """Counts the programs that a store was given, and can hold them back."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs = 0
        self.gate = asyncio.Event()
        self.gate.set()
        run = store.run

        async def counted(program: Any, **options: Any) -> Any:
            self.runs += 1
            await self.gate.wait()
            return await run(program, **options)

        monkeypatch.setattr(store, "run", counted)


@pytest.fixture
def counting(store: Store, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """On the store of the engine."""
    return Counting(store, monkeypatch)


async def started(engine: Penstock, count: int, **options: Any) -> list[asyncio.Task[JobHandle]]:
    """Tasks that have each begun to enqueue one job."""
    tasks = [asyncio.create_task(engine.enqueue(Work(n=n), **options)) for n in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_concurrent_enqueues_share_writes(engine: Penstock, counting: Counting, database: Database):
    counting.gate.clear()
    tasks = await started(engine, 50)
    tasks += await started(engine, 50, priority="high")
    tasks += await started(engine, 50, tags=["tag"])
    assert counting.runs == FLIGHTS
    counting.gate.set()
    handles = await asyncio.gather(*tasks)
    assert counting.runs == FLIGHTS + 1
    stored = {row[0] for row in database.select("SELECT id FROM ~jobs")}
    assert stored == {handle.id for handle in handles}
    assert len(stored) == 150
    assert database.select("SELECT count(*) FROM ~jobs WHERE priority = 10") == [(50,)]
    # What shares a write has places of its own; what was written before it at the same time begins at the same one.
    places = database.select("SELECT count(DISTINCT position) FROM ~jobs WHERE priority = 0")
    assert places == [(100 - FLIGHTS,)]


async def test_a_write_is_shared_by_a_bounded_number(engine: Penstock, counting: Counting):
    counting.gate.clear()
    tasks = await started(engine, FLIGHTS + 2 * MEMBERS + 1)
    counting.gate.set()
    assert len({handle.id for handle in await asyncio.gather(*tasks)}) == len(tasks)
    assert counting.runs == FLIGHTS + 3


async def test_an_enqueue_is_answered_after_its_own_write(engine: Penstock, counting: Counting, database: Database):
    counting.gate.clear()
    tasks = await started(engine, 20)

    async def written(task: asyncio.Task[JobHandle]) -> bool:
        handle = await task
        return bool(database.select("SELECT 1 FROM ~jobs WHERE id = ?", handle.id))

    looks = [asyncio.create_task(written(task)) for task in tasks]
    counting.gate.set()
    assert all(await asyncio.gather(*looks))


async def test_one_task_keeps_its_order_among_others(engine: Penstock, worker: HandWorker, clock: MovableClock):
    async def enqueue_some(task: int) -> list[str]:
        ids = []
        for n in range(10):
            clock.advance(0.001)
            ids.append((await engine.enqueue(Work(n=100 * task + n))).id)
        return ids

    by_task = await asyncio.gather(*(enqueue_some(task) for task in range(20)))
    taken: list[str] = []
    while jobs := await worker.claim():
        taken += [job.id for job in jobs]
    place = {id_: at for at, id_ in enumerate(taken)}
    assert len(place) == 200
    for ids in by_task:
        assert ids == sorted(ids, key=place.__getitem__)


async def test_a_full_queue_refuses_those_beyond_its_length_and_nobody_else(
    engine: Penstock, store: Store, counting: Counting, database: Database
):
    await store.run(put_queue("default", Queue(max_length=10)))
    counting.gate.clear()
    bounded = await started(engine, 30)
    free = await started(engine, 30, queue="free")
    counting.gate.set()
    answers = await asyncio.gather(*bounded, return_exceptions=True)
    assert sorted({type(answer).__name__ for answer in answers}) == ["JobHandle", "QueueFull"]
    assert sum(isinstance(answer, QueueFull) for answer in answers) == 20
    others = await asyncio.gather(*free)
    kept = {answer.id for answer in answers if isinstance(answer, JobHandle)} | {handle.id for handle in others}
    assert {row[0] for row in database.select("SELECT id FROM ~jobs")} == kept


async def test_a_cancelled_enqueue_harms_nobody(engine: Penstock, counting: Counting, database: Database):
    counting.gate.clear()
    tasks = await started(engine, 20)
    writing, waiting = tasks[0], tasks[FLIGHTS + 3]
    writing.cancel()
    waiting.cancel()
    await asyncio.wait([writing, waiting])
    counting.gate.set()
    others = [task for task in tasks if task not in (writing, waiting)]
    handles = await asyncio.gather(*others)
    assert writing.cancelled()
    assert waiting.cancelled()
    assert {row[0] for row in database.select("SELECT id FROM ~jobs")} == {handle.id for handle in handles}
    assert (await engine.enqueue(Work())).created


async def test_a_store_that_closes_says_so_to_everyone_who_waits(
    engine: Penstock, store: Store, counting: Counting, database: Database
):
    counting.gate.clear()
    tasks = await started(engine, 20)
    await store.close()
    counting.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(answer) for answer in answers} == {StoreUnavailable}
    assert len({id(answer) for answer in answers}) == len(tasks)
    await store.open()
    assert (await engine.enqueue(Work())).created
    assert database.select("SELECT count(*) FROM ~jobs") == [(1,)]


def test_a_loop_that_was_closed_in_the_middle_holds_up_no_other(tmp_path: Path, clock: MovableClock):
    # On SQLite, whose store serves any loop.
    engine = Penstock(store=SqliteDatabase(tmp_path / "test.db").new_store(clock))
    loop = asyncio.new_event_loop()
    abandoned = loop.run_until_complete(started(engine, 20))
    loop.close()

    async def again() -> list[JobHandle]:
        async with engine:
            return await asyncio.wait_for(asyncio.gather(*(engine.enqueue(Work()) for _ in range(20))), 30)

    assert all(handle.created for handle in asyncio.run(again()))
    assert not any(task.done() for task in abandoned)
