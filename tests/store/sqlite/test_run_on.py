import asyncio
import sqlite3
import time

import aiosqlite
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from penstock.errors import ConfigurationError
from penstock.store.program import LaneKey
from penstock.store.sqlite import begin_immediate
from tests.store.sqlite.things import add, lanes, listing


@pytest.fixture
def engine(things_path):
    engine = create_engine(f"sqlite:///{things_path}")
    begin_immediate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
async def async_engine(things_path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{things_path}")
    begin_immediate(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
def connection(things_path):
    connection = sqlite3.connect(things_path, isolation_level=None)
    yield connection
    connection.close()


async def test_a_sqlite3_connection_commits_and_rolls_back(store, connection):
    connection.execute("BEGIN IMMEDIATE")
    assert store.run_on_sync(connection, add("a")) == 1
    assert await store.read(listing()) == []
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")
    await store.run_on(connection, add("b"))
    connection.execute("ROLLBACK")
    assert await store.read(listing()) == ["a"]


async def test_the_shape_of_the_callers_rows_does_not_matter(store, connection):
    connection.row_factory = lambda cursor, row: {"row": row}
    connection.execute("BEGIN IMMEDIATE")
    assert (await store.run_on(connection, lanes(LaneKey("q", "k"))))[0].id == 1
    connection.execute("COMMIT")


async def test_a_driver_that_begins_by_itself_is_accepted_once_it_has_written(store, things_path):
    connection = sqlite3.connect(things_path)
    connection.execute("INSERT INTO things (name) VALUES ('mine')")
    assert store.run_on_sync(connection, add("yours")) == 2
    connection.commit()
    connection.close()
    assert await store.read(listing()) == ["mine", "yours"]


async def test_an_aiosqlite_connection_commits_and_rolls_back(store, things_path):
    async with aiosqlite.connect(things_path, isolation_level=None) as connection:
        await connection.execute("BEGIN IMMEDIATE")
        assert await store.run_on(connection, add("a")) == 1
        await connection.execute("COMMIT")
        await connection.execute("BEGIN IMMEDIATE")
        await store.run_on(connection, add("b"))
        await connection.execute("ROLLBACK")
    assert await store.read(listing()) == ["a"]


@pytest.mark.parametrize("make", [Session, lambda engine: scoped_session(sessionmaker(engine))])
async def test_a_session_commits_and_rolls_back_with_its_own_rows(store, engine, make):
    session = make(engine)
    session.execute(text("INSERT INTO things (name) VALUES ('mine')"))
    assert store.run_on_sync(session, add("yours")) == 2
    session.commit()
    session.execute(text("INSERT INTO things (name) VALUES ('mine too')"))
    store.run_on_sync(session, add("yours too"))
    session.rollback()
    session.close()
    assert await store.read(listing()) == ["mine", "yours"]


async def test_a_sqlalchemy_connection_commits(store, engine):
    with engine.begin() as connection:
        assert await store.run_on(connection, add("a")) == 1
    assert await store.read(listing()) == ["a"]


async def test_an_async_session_commits_and_rolls_back_with_its_own_rows(store, async_engine):
    class OwnSession(AsyncSession):
        pass

    async with async_sessionmaker(async_engine, class_=OwnSession)() as session:
        await session.execute(text("INSERT INTO things (name) VALUES ('mine')"))
        assert await store.run_on(session, add("yours")) == 2
        await session.commit()
        await session.execute(text("INSERT INTO things (name) VALUES ('mine too')"))
        await store.run_on(session, add("yours too"))
        await session.rollback()
    assert await store.read(listing()) == ["mine", "yours"]


async def test_an_async_connection_commits(store, async_engine):
    async with async_engine.begin() as connection:
        assert await store.run_on(connection, lanes(LaneKey("q", "k")))
        assert await store.run_on(connection, add("a")) == 1
    assert await store.read(listing()) == ["a"]


async def test_a_program_that_raises_leaves_nothing_in_the_callers_transaction(store, async_engine, engine):
    async with async_engine.begin() as connection:
        await store.run_on(connection, add("a"))
        with pytest.raises(ValueError, match="no"):
            await store.run_on(connection, add("b", error=ValueError("no")))
        with pytest.raises(IntegrityError):
            await store.run_on(connection, add("a"))
    with engine.begin() as same:
        with pytest.raises(ValueError, match="no"):
            store.run_on_sync(same, add("c", error=ValueError("no")))
        store.run_on_sync(same, add("d"))
    assert await store.read(listing()) == ["a", "d"]


async def test_a_connection_outside_a_transaction_is_refused(store, connection, things_path):
    with pytest.raises(ConfigurationError, match="no open transaction; begin it with BEGIN IMMEDIATE"):
        store.run_on_sync(connection, add("a"))
    plain = create_engine(f"sqlite:///{things_path}")
    with Session(plain) as session:
        session.execute(text("SELECT * FROM things")).all()
        with pytest.raises(ConfigurationError, match=r"begin_immediate\(engine\)"):
            store.run_on_sync(session, add("a"))
    plain.dispose()


async def test_a_transaction_that_read_before_others_wrote_is_refused(store, connection):
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM things").fetchall()
    await store.run(add("other"))
    with pytest.raises(ConfigurationError, match="holds no write lock; begin it with BEGIN IMMEDIATE"):
        store.run_on_sync(connection, add("a"))
    connection.execute("ROLLBACK")


@pytest.mark.parametrize("thing", [None, "sqlite:///x.db", object()])
async def test_anything_else_is_refused_by_name(store, thing):
    with pytest.raises(ConfigurationError, match=rf"on= was given builtins\.{type(thing).__name__}"):
        await store.run_on(thing, add("a"))


async def test_an_async_session_is_refused_in_sync_code(store, async_engine):
    async with AsyncSession(async_engine) as session:
        with pytest.raises(ConfigurationError, match="AsyncSession"):
            store.run_on_sync(session, add("a"))


async def test_a_session_of_another_database_is_refused(store):
    engine = create_engine("postgresql+psycopg://localhost/nowhere")
    with pytest.raises(ConfigurationError, match="it is for SQLite"):
        begin_immediate(engine)


async def test_sessions_wait_for_each_other_and_for_the_writer(store, async_engine):
    async def in_session(i):
        async with AsyncSession(async_engine) as session:
            await session.execute(text("SELECT count(*) FROM things"))
            await store.run_on(session, add(f"session {i}"))
            await session.commit()

    own = [store.run(add(f"own {i}")) for i in range(200)]
    await asyncio.gather(*(in_session(i) for i in range(10)), *own)
    assert len(await store.read(listing())) == 210


async def test_a_commit_of_the_caller_wakes_soon_after_it(store, connection):
    woken: asyncio.Queue[frozenset[str]] = asyncio.Queue()
    store.subscribe(woken.put_nowait)
    connection.execute("BEGIN IMMEDIATE")
    store.run_on_sync(connection, add("a", wake="t1"))
    store.run_on_sync(connection, add("b", wake="t2"))
    seen_before = await _committed_when_woken(store, woken, connection)
    assert seen_before == ["a", "b"]


async def _committed_when_woken(store, woken, connection):
    asyncio.get_running_loop().call_later(0.05, connection.execute, "COMMIT")
    while True:
        topics = await asyncio.wait_for(woken.get(), 20)
        if topics == {"t1", "t2"}:
            return await store.read(listing())


async def test_a_commit_before_the_writer_looks_wakes_as_well(store, connection):
    woken: asyncio.Queue[frozenset[str]] = asyncio.Queue()
    store.subscribe(woken.put_nowait)
    for i in range(20):
        connection.execute("BEGIN IMMEDIATE")
        store.run_on_sync(connection, add(str(i), wake=f"t{i}"))
        connection.execute("COMMIT")
        seen: frozenset[str] = frozenset()
        while f"t{i}" not in seen:
            seen |= await asyncio.wait_for(woken.get(), 20)


async def test_a_transaction_that_holds_the_lock_for_long_is_logged_with_its_place(
    store, connection, caplog, monkeypatch
):
    monkeypatch.setattr("penstock.store.sqlite.callers.LONG_LOCK_SECONDS", 0.01)
    connection.execute("BEGIN IMMEDIATE")
    store.run_on_sync(connection, add("a"))
    await asyncio.to_thread(_until_logged, caplog)
    connection.execute("COMMIT")
    assert "test_run_on.py" in caplog.text
    assert "in test_a_transaction_that_holds_the_lock_for_long" in caplog.text


def _until_logged(caplog):
    while "held the write lock" not in caplog.text:
        time.sleep(0.005)
