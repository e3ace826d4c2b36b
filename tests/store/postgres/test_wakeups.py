"""Wake-ups: inside a process at once, across processes by NOTIFY, gathered, and never from our own echo."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

import psycopg
import pytest

from penstock import codec
from penstock.store.base import Topics
from penstock.store.postgres import PostgresStore, listener
from penstock.store.postgres.address import parse
from penstock.store.postgres.listener import Listener
from penstock.store.postgres.notify import EVERYTHING, Received, notify_query, received
from penstock.store.postgres.pace import WINDOW_SECONDS, Pace
from penstock.store.postgres.parameters import Query
from tests.store.postgres.programs import MakeStore, put

Heard = asyncio.Queue[Topics]


@pytest.fixture
async def ears(database: str) -> AsyncIterator[AsyncIterator[str]]:
    """The payloads of all notifications, as another program would hear them."""
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        await connection.execute("LISTEN penstock")
        async with aclosing(connection.notifies()) as notifications:
            yield (notification.payload async for notification in notifications)


async def listening(store: PostgresStore) -> Heard:
    heard: Heard = asyncio.Queue()
    store.subscribe(heard.put_nowait)
    assert await heard.get() == EVERYTHING
    return heard


async def test_another_store_is_woken(make_store: MakeStore) -> None:
    first, second = await make_store(), await make_store()
    heard = await listening(first)
    await second.run(put(1, wake="q:mail"))
    assert await heard.get() == {"q:mail"}
    await asyncio.to_thread(second.run_sync, put(2, wake="q:post"))
    assert await heard.get() == {"q:post"}


async def test_the_own_process_is_woken_at_once_and_not_again_by_its_echo(
    make_store: MakeStore, ears: AsyncIterator[str]
) -> None:
    store, other = await make_store(), await make_store()
    heard = await listening(store)
    await store.run(put(1, wake="q:own"))
    assert heard.get_nowait() == {"q:own"}
    assert received(await anext(ears)).topics == {"q:own"}
    await other.run(put(2, wake="q:other"))
    assert await heard.get() == {"q:other"}


async def test_a_blocking_call_in_a_thread_wakes_the_loop(store: PostgresStore) -> None:
    heard = await listening(store)
    await asyncio.to_thread(store.run_sync, put(1, wake="q:thread"))
    assert await heard.get() == {"q:thread"}


async def test_without_a_loop_blocking_calls_notify_themselves(database: str, ears: AsyncIterator[str]) -> None:
    store = PostgresStore(database, auto_migrate=True)
    for n in range(3):
        store.run_sync(put(n, wake=f"q:{n}"))
    store.close_sync()
    heard: set[str] = set()
    while heard != {"q:0", "q:1", "q:2"}:
        heard |= received(await anext(ears)).topics


async def test_many_commits_are_told_by_few_notifications(store: PostgresStore, ears: AsyncIterator[str]) -> None:
    await asyncio.gather(*(store.run(put(n, wake=f"q:{n}")) for n in range(100)))
    heard: set[str] = set()
    count = 0
    while len(heard) < 100:
        heard |= received(await anext(ears)).topics
        count += 1
    assert count < 50


async def test_a_subscriber_that_fails_disturbs_neither_the_program_nor_the_others(
    store: PostgresStore, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(topics: Topics) -> None:
        raise ValueError(str(sorted(topics)))

    store.subscribe(fail)
    heard = await listening(store)
    assert await store.run(put(1, wake="q:a")) == 1
    assert await heard.get() == {"q:a"}
    assert "a subscriber of wake-ups failed" in caplog.text


async def test_after_closing_no_call_follows_and_nobody_listens(store: PostgresStore, database: str) -> None:
    heard: Heard = asyncio.Queue()
    subscription = store.subscribe(heard.put_nowait)
    assert await heard.get() == EVERYTHING
    subscription.close()
    await store.run(put(1, wake="q:a"))
    assert heard.empty()
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as connection:
        while await _count_listeners(connection) > 0:
            pass
    await listening(store)


async def _count_listeners(connection: "psycopg.AsyncConnection[tuple[int]]") -> int:
    found = await connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    row = await found.fetchone()
    assert row is not None
    return row[0]


async def test_a_listener_hears_itself_and_keeps_its_connection(database: str, ears: AsyncIterator[str]) -> None:
    heard: Heard = asyncio.Queue()
    task = asyncio.create_task(Listener(parse(database), "me", heard.put_nowait, ping_seconds=0.01).run())
    assert await heard.get() == EVERYTHING
    for _ in range(5):
        assert received(await anext(ears)).ping
    assert heard.empty()
    task.cancel()


async def test_a_listener_that_hears_nothing_connects_again(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "LISTEN", Query(b"SELECT 'a pooler took it'"))
    heard: Heard = asyncio.Queue()
    with caplog.at_level(logging.WARNING):
        task = asyncio.create_task(Listener(parse(database), "me", heard.put_nowait, ping_seconds=0.01).run())
        assert [await heard.get(), await heard.get()] == [EVERYTHING, EVERYTHING]
    assert "3 notifications to ourselves did not come back" in caplog.text
    task.cancel()


def test_the_first_goes_at_once_and_the_next_are_gathered() -> None:
    pace = Pace()
    assert pace.plan(frozenset({"a"}), now=100.0) == 0
    assert pace.plan(frozenset({"b"}), now=100.0) is None
    assert pace.take(now=100.0) == {"a", "b"}
    assert pace.plan(frozenset({"c"}), now=100.001) == pytest.approx(WINDOW_SECONDS - 0.001)
    assert pace.plan(frozenset({"d"}), now=100.002) is None
    assert pace.take(now=100.05) == {"c", "d"}
    assert pace.plan(frozenset({"e"}), now=101.0) == 0


def test_what_is_told_is_heard_however_much_it_is() -> None:
    topics = frozenset(f"q:{'ü' * 180}{n}" for n in range(200))
    query = notify_query(topics, "sender")
    assert query.values is not None
    texts = codec.loads(bytes(query.values[0]))
    assert all(len(text.encode()) < 8000 for text in texts)
    assert frozenset().union(*(received(text).topics for text in texts)) == topics
    assert {received(text).sender for text in texts} == {"sender"}
    assert received("").topics == EVERYTHING
    assert received("q:a,q:b") == Received(None, False, frozenset({"q:a", "q:b"}))
