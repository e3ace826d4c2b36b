"""Programs inside the caller's own transaction, on whatever the caller has."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.types.json import set_json_loads
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from penstock.errors import ConfigurationError
from penstock.store.postgres import PostgresStore
from tests.store.postgres.programs import MakeStore, lanes, notes, put, put_all, shapes

ID = str(uuid4())
SHAPES = (ID, "[1]", "[1]", [ID], 7, True, None, "ready")
OWN_ROW = "INSERT INTO notes (id, text) VALUES (100, 'own')"


class Refused(Exception):
    """What the tests' programs raise."""


def alchemy(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@asynccontextmanager
async def psycopg_async(url: str) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        set_json_loads(lambda _: "the caller's own way", connection)
        yield connection


@asynccontextmanager
async def psycopg_blocking(url: str) -> AsyncIterator[Any]:
    with psycopg.connect(url) as connection:
        yield connection


@asynccontextmanager
async def alchemy_async_session(url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(alchemy(url))
    async with AsyncSession(engine) as session:
        yield session
    await engine.dispose()


@asynccontextmanager
async def alchemy_async_connection(url: str) -> AsyncIterator[Any]:
    engine = create_async_engine(alchemy(url))
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


@asynccontextmanager
async def alchemy_session(url: str) -> AsyncIterator[Any]:
    engine = create_engine(alchemy(url))
    with Session(engine) as session:
        yield session
    engine.dispose()


@asynccontextmanager
async def alchemy_connection(url: str) -> AsyncIterator[Any]:
    engine = create_engine(alchemy(url))
    with engine.connect() as connection:
        yield connection
    engine.dispose()


KINDS: list[Callable[[str], Any]] = [
    psycopg_async,
    psycopg_blocking,
    alchemy_async_session,
    alchemy_async_connection,
    alchemy_session,
    alchemy_connection,
]


async def settle(answer: Any) -> None:
    if isinstance(answer, Awaitable):
        await answer


async def own_row(caller: Any) -> None:
    """Write a row as the caller would."""
    statement: Any = text(OWN_ROW) if type(caller).__module__.startswith("sqlalchemy") else OWN_ROW
    await settle(caller.execute(statement))


@pytest.mark.parametrize("caller_of", KINDS, ids=lambda kind: kind.__name__)
async def test_a_program_commits_and_rolls_back_with_the_callers_rows(
    store: PostgresStore, database: str, caller_of: Callable[[str], Any]
) -> None:
    async with caller_of(database) as caller:
        assert await store.run_on(caller, put(0)) == 0
        await settle(caller.commit())
        assert await store.read(notes()) == [0]

        assert await store.run_on(caller, put(1)) == 1
        assert await store.run_on(caller, put_all(2, 3)) == 2
        await own_row(caller)
        assert await store.read(notes()) == [0]
        await settle(caller.rollback())
        assert await store.read(notes()) == [0]

        await own_row(caller)
        assert await store.run_on(caller, put_all(4, 5)) == 2
        assert await store.run_on(caller, put(6)) == 6
        assert await store.run_on(caller, shapes(ID, b"[1]")) == SHAPES
        await settle(caller.commit())
    assert await store.read(notes()) == [0, 4, 5, 6, 100]


@pytest.mark.parametrize("caller_of", KINDS, ids=lambda kind: kind.__name__)
async def test_of_a_program_that_refuses_nothing_stays_and_the_caller_goes_on(
    store: PostgresStore, database: str, caller_of: Callable[[str], Any]
) -> None:
    async with caller_of(database) as caller:
        await own_row(caller)
        with pytest.raises(Refused):
            await store.run_on(caller, put_all(1, 2, wake="q:never", then=Refused()))
        with pytest.raises(psycopg.errors.UniqueViolation):
            await store.run_on(caller, put_all(3, 3))
        assert await store.run_on(caller, put(4)) == 4
        await settle(caller.commit())
    assert await store.read(notes()) == [4, 100]


@pytest.mark.parametrize("caller_of", [psycopg_blocking, alchemy_session, alchemy_connection])
async def test_blocking_callers_need_no_loop(database: str, caller_of: Callable[[str], Any]) -> None:
    store = PostgresStore(database)
    await store.migrate()
    async with caller_of(database) as caller:
        assert store.run_on_sync(caller, put_all(1, 2)) == 2
        assert len(store.run_on_sync(caller, lanes("a", "b"))) == 2
        caller.commit()
    assert store.read_sync(notes()) == [1, 2]
    store.close_sync()


async def test_a_wake_up_travels_with_the_callers_commit(store: PostgresStore, database: str) -> None:
    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(psycopg_async(database))
        ears = await psycopg.AsyncConnection.connect(database, autocommit=True)
        await stack.enter_async_context(ears)
        await ears.execute("LISTEN penstock")
        await store.run_on(caller, put_all(1, wake="q:undone"))
        await caller.rollback()
        await store.run_on(caller, put(2, wake="q:done"))
        await ears.execute("NOTIFY penstock, 'q:between'")
        await caller.commit()
        heard = [notification.payload async for notification in ears.notifies(stop_after=2)]
    assert heard == ["q:between", "q:done"]


async def test_a_new_lane_in_a_long_transaction_holds_up_nobody(make_store: MakeStore, database: str) -> None:
    first, second = await make_store(), await make_store()
    async with psycopg_async(database) as caller:
        found = await first.run_on(caller, lanes("a", note_first=1))
        assert await second.run(lanes("a")) == found
        await caller.rollback()
    assert await first.run(lanes("a")) == found


async def test_autocommit_without_a_transaction_is_refused(store: PostgresStore, database: str) -> None:
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as caller:
        with pytest.raises(ConfigurationError, match="autocommit"):
            await store.run_on(caller, put(1))
        async with caller.transaction():
            assert await store.run_on(caller, put(2)) == 2
    assert await store.read(notes()) == [2]


async def test_what_cannot_carry_our_statements_is_refused_by_name(store: PostgresStore, database: str) -> None:
    with pytest.raises(ConfigurationError, match=r"builtins\.str cannot carry"):
        await store.run_on("a url", put(1))
    engine = create_async_engine("sqlite+aiosqlite://")
    async with AsyncSession(engine) as session:
        with pytest.raises(ConfigurationError, match=r"aiosqlite.*postgresql\+psycopg://"):
            await store.run_on(session, put(1))
        with pytest.raises(ConfigurationError, match=r"AsyncSession cannot carry"):
            store.run_on_sync(session, put(1))
    await engine.dispose()
    async with psycopg_async(database) as caller:
        with pytest.raises(ConfigurationError, match=r"psycopg\.AsyncConnection cannot carry"):
            store.run_on_sync(caller, put(1))
