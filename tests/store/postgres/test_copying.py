"""Many new jobs go by COPY: what they hold comes back unchanged, and a refused COPY leaves the connection as it was."""

import psycopg
import pytest

from penstock import JobData, Penstock
from penstock.store.postgres.address import parse
from penstock.store.postgres.copying import FEWEST
from penstock.store.postgres.parameters import Query
from penstock.store.postgres.pools import AsyncPool, connect_options, connected
from penstock.store.postgres.wire import BlockingWire
from tests.support.engine import HandWorker

NASTY = 'tab\tline\nreturn\rback\\slash \\N \\. "quotes" {brace, é 水 \u2028 end\\'


class Said(JobData, kind="said", queue="said"):
    """Text of any sort."""

    text: str


@pytest.fixture
async def engine(postgres_url: str):
    engine = Penstock(postgres_url)
    await engine.store.migrate()
    async with engine:
        yield engine


@pytest.mark.parametrize("how", ["async", "sync"])
async def test_any_text_comes_back_unchanged_and_in_order(engine: Penstock, how: str) -> None:
    said = [Said(text=f"{number} {NASTY}") for number in range(FEWEST)]
    if how == "async":
        handles = await engine.enqueue_many(said, priority="high", tags=["a\\b"])
    else:
        handles = engine.sync.enqueue_many(said, priority="high", tags=["a\\b"])
    worker = await HandWorker.register(engine.store)
    jobs = await worker.claim(queue="said")
    assert [job.id for job in jobs] == [handle.id for handle in handles]
    assert [Said.model_validate_json(job.data) for job in jobs] == said
    assert {(job.level, job.options) for job in jobs} == {(10, '{"tags":["a\\\\b"]}')}


async def test_delayed_jobs_keep_the_order_of_their_list(engine: Penstock) -> None:
    handles = await engine.enqueue_many([Said(text=str(n)) for n in range(FEWEST)], delay=60, concurrency_key="k")
    assert [(await engine.jobs.get(handle.id)).state.value for handle in handles[:2]] == ["scheduled", "scheduled"]
    async with connected(parse(engine.settings.database_url)) as wire:
        rows = await wire.send((Query(b"SELECT id, due_at - position, reason FROM penstock.jobs ORDER BY due_at"),))
    assert [row[0] for row in rows] == [handle.id for handle in handles]
    assert {row[1:] for row in rows} == {(0, "delay")}


async def test_a_refused_copy_leaves_the_connection_usable(postgres_url: str) -> None:
    pool = AsyncPool(parse(postgres_url), 1)
    try:
        async with pool.wire() as wire:
            await wire.send((Query(b"CREATE TABLE lines (n integer)", prepare=False),))
            for _ in range(2):
                with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                    await wire.send((Query(b"COPY lines (n) FROM STDIN", copy=b"1\nno number\n"),))
                assert await wire.send((Query(b"SELECT count(*) FROM lines"),)) == [(0,)]
            await wire.send((Query(b"COPY lines (n) FROM STDIN", copy=b"1\n2\n"),))
            assert await wire.send((Query(b"SELECT count(*) FROM lines"),)) == [(2,)]
    finally:
        await pool.close()


async def test_a_blocking_connection_copies_too(postgres_url: str) -> None:
    with psycopg.Connection.connect(postgres_url, **connect_options(parse(postgres_url))) as connection:
        wire = BlockingWire(connection)
        await wire.send((Query(b"CREATE TABLE lines (n integer)", prepare=False),))
        await wire.send((Query(b"COPY lines (n) FROM STDIN", copy=b"1\n2\n"),))
        assert await wire.send((Query(b"SELECT count(*) FROM lines"),)) == [(2,)]
