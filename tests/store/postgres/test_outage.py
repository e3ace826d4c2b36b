"""A server that refuses, and connections that are cut."""

import asyncio

import psycopg
import pytest

from penstock.errors import ConfigurationError, SchemaError, StoreUnavailable
from penstock.store.base import Topics
from penstock.store.postgres import PostgresStore
from penstock.store.program import Call, Steps, program
from tests.store.postgres.programs import MakeStore, notes, put, put_all

# Port 1 is reserved (tcpmux) and nobody listens there.
NO_SERVER = "postgresql://root@127.0.0.1:1/none"


def cut_all(database: str) -> int:
    """End every other connection to the database, and answer how many there were."""
    with psycopg.connect(database, autocommit=True) as connection:
        cut = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        return len(cut.fetchall())


async def test_a_server_that_refuses_is_unavailable_and_says_why() -> None:
    store = PostgresStore(NO_SERVER)
    with pytest.raises(StoreUnavailable, match="refused"):
        await store.open()
    with pytest.raises(StoreUnavailable, match="refused"):
        await store.migrate()
    with pytest.raises(StoreUnavailable, match="refused"):
        await asyncio.to_thread(store.run_sync, put(1))
    await store.close()


async def test_the_first_use_opens_the_store_and_finds_what_open_finds(database: str) -> None:
    store = PostgresStore(database)
    with pytest.raises(SchemaError, match="penstock migrate"):
        await store.run(put(1))


async def test_who_subscribes_to_a_store_that_is_not_open_is_told(database: str) -> None:
    with pytest.raises(StoreUnavailable, match="not open"):
        PostgresStore(database).subscribe(lambda topics: None)


async def test_after_all_connections_were_cut_only_what_ran_is_lost(make_store: MakeStore, database: str) -> None:
    store = await make_store()
    await asyncio.gather(*(store.run(put_all(n)) for n in range(20)))
    await asyncio.to_thread(store.run_sync, put(20))
    assert cut_all(database) > 1
    with pytest.raises(StoreUnavailable):
        await store.run(put_all(21))
    with pytest.raises(StoreUnavailable):
        await asyncio.to_thread(store.run_sync, put(22))
    # The other connections in the pools are dead too, but nobody meets them.
    await asyncio.gather(*(store.run(put_all(n)) for n in range(30, 40)))
    await asyncio.to_thread(store.run_sync, put(40))
    assert await store.read(notes()) == [*range(21), *range(30, 41)]


async def test_a_transaction_that_is_cut_writes_nothing(store: PostgresStore, database: str) -> None:
    @program
    def unlucky() -> Steps[None]:
        yield Call("put", {"id": 1, "text": ""})
        cut_all(database)
        yield Call("put", {"id": 2, "text": ""})

    with pytest.raises(StoreUnavailable):
        await store.run(unlucky())
    assert await store.read(notes()) == []


async def test_the_listener_comes_back_and_says_look_at_everything(make_store: MakeStore, database: str) -> None:
    hearing = await make_store()
    heard: asyncio.Queue[Topics] = asyncio.Queue()
    hearing.subscribe(heard.put_nowait)
    assert await heard.get() == frozenset()
    cut_all(database)
    assert await heard.get() == frozenset()
    telling = await make_store()
    await telling.run(put(1, wake="q:found"))
    assert await heard.get() == {"q:found"}


async def test_a_cancelled_program_gives_its_connection_back_clean(make_store: MakeStore, database: str) -> None:
    store = await make_store(pool_size=1)
    with psycopg.connect(database) as other:
        other.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
        task = asyncio.create_task(store.run(put_all(1, 2)))
        while not await asyncio.to_thread(_blocked, other):
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await store.run(put_all(3)) == 1
    assert await store.read(notes()) == [3]


def _blocked(connection: "psycopg.Connection[tuple[object, ...]]") -> bool:
    waiting = connection.execute(
        "SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE datname = current_database() AND NOT granted"
    )
    return waiting.fetchone() is not None


async def test_after_a_fork_the_blocking_connections_are_not_shared(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(store.run_sync, put(1))
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: -1)
        with pytest.raises(ConfigurationError, match="forked"):
            await asyncio.to_thread(store.run_sync, put(2))
