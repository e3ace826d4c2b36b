"""Connections between uses: how many, who gets the next one, and which are still believed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from penstock.store.postgres import shelf as shelf_module
from penstock.store.postgres.address import parse
from penstock.store.postgres.parameters import Query
from penstock.store.postgres.pools import connect_options
from penstock.store.postgres.shelf import Kept, Shelf

BEGIN = Query(b"BEGIN", prepare=False)
BACKEND = Query(b"SELECT pg_backend_pid()", prepare=False)
WRITE = Query(b"INSERT INTO notes VALUES (1, '')")
NOTES = Query(b"SELECT id FROM notes")

Connect = Callable[[], Awaitable[AsyncConnection[Any]]]
MakeShelf = Callable[..., Shelf]


@pytest.fixture
def connect(database: str) -> Connect:
    """Opens a connection as the store does."""
    address = parse(database)
    return lambda: AsyncConnection.connect(address.conninfo, **connect_options(address))


@pytest.fixture
async def make(connect: Connect) -> AsyncIterator[MakeShelf]:
    """Makes shelves; they are closed after the test."""
    made: list[Shelf] = []

    def make(size: int = 8, connect: Connect = connect) -> Shelf:
        made.append(Shelf(connect, size))
        return made[-1]

    yield make
    for shelf in made:
        await shelf.close()


async def backend(kept: Kept) -> int:
    """The process that serves it."""
    pid: int = (await kept.wire.send((BACKEND,)))[0][0]
    return pid


def cut(database: str, *pids: int) -> None:
    """End these server processes, and wait until they are gone."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) pid", (list(pids),))
        while connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = ANY (%s)", (list(pids),)).fetchone():
            pass


async def cancelled_trip(kept: Kept) -> None:
    """Begin a long statement and be cancelled, which loses the connection."""
    task = asyncio.create_task(kept.wire.send((Query(b"SELECT pg_sleep(300)"),)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def nothing_is_opened() -> None:
    """Wait until no connection is being opened."""
    while "penstock-connect" in [task.get_name() for task in asyncio.all_tasks()]:
        await asyncio.sleep(0.01)


async def test_the_last_used_is_the_first_taken(make: MakeShelf) -> None:
    shelf = make()
    first, second = await shelf.take(), await shelf.take()
    assert await backend(first) != await backend(second)
    await shelf.give(first)
    await shelf.give(second)
    assert await shelf.take() is second
    assert await shelf.take() is first
    for kept in (first, second):
        await shelf.give(kept)


async def test_no_more_are_opened_than_allowed(make: MakeShelf) -> None:
    shelf = make(size=2)
    taking = [asyncio.create_task(shelf.take()) for _ in range(3)]
    first, second = [await task for task in taking[:2]]
    await nothing_is_opened()
    assert not taking[2].done()
    await shelf.give(first)
    assert await taking[2] is first
    for kept in (first, second):
        await shelf.give(kept)


async def test_the_first_to_wait_is_the_first_served(make: MakeShelf) -> None:
    shelf = make(size=1)
    held = await shelf.take()
    served: list[int] = []

    async def wait(number: int) -> None:
        kept = await shelf.take()
        served.append(number)
        assert kept is held
        await shelf.give(kept)

    waiting = [asyncio.create_task(wait(number)) for number in range(5)]
    await asyncio.sleep(0)
    await shelf.give(held)
    await asyncio.gather(*waiting)
    assert served == [0, 1, 2, 3, 4]


async def test_who_waits_too_long_is_told_why(make: MakeShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf_module, "CHECKOUT_SECONDS", 0.1)

    async def refused() -> AsyncConnection[Any]:
        raise psycopg.OperationalError("too many clients")

    with pytest.raises(psycopg.OperationalError, match="too many clients"):
        await make(connect=refused).take()
    await nothing_is_opened()  # nobody waits any more
    shelf = make(size=1)
    held = await shelf.take()
    with pytest.raises(psycopg.OperationalError, match="no connection within"):
        await shelf.take()
    await shelf.give(held)
    assert await shelf.take() is held
    await shelf.give(held)


async def test_a_server_that_refuses_for_a_moment_is_asked_again(make: MakeShelf, connect: Connect) -> None:
    refusals = [psycopg.OperationalError("starting up"), psycopg.OperationalError("starting up")]

    async def reluctant() -> AsyncConnection[Any]:
        if refusals:
            raise refusals.pop()
        return await connect()

    shelf = make(connect=reluctant)
    await shelf.give(await shelf.take())
    assert refusals == []


async def test_who_stops_waiting_takes_nothing_along(make: MakeShelf) -> None:
    shelf = make(size=1)
    held = await shelf.take()
    before, after = (asyncio.create_task(shelf.take()) for _ in range(2))
    await asyncio.sleep(0)
    before.cancel()  # before its turn
    await shelf.give(held)
    after.cancel()  # when it has just been given the connection
    await asyncio.wait([before, after])
    assert before.cancelled()
    assert after.cancelled()
    assert await shelf.take() is held
    await shelf.give(held)


async def test_what_was_left_open_is_rolled_back(make: MakeShelf) -> None:
    shelf = make(size=1)
    for broken in (False, True):
        kept = await shelf.take()
        await kept.wire.send((BEGIN, WRITE))
        if broken:
            with pytest.raises(psycopg.errors.UniqueViolation):
                await kept.wire.send((WRITE,))
        await shelf.give(kept)
        assert await shelf.take() is kept
        assert await kept.wire.send((NOTES,)) == []
        await shelf.give(kept)


async def test_after_a_loss_the_others_prove_themselves(make: MakeShelf, database: str) -> None:
    shelf = make()
    lost, other = await shelf.take(), await shelf.take()
    pid = await backend(other)
    await shelf.give(other)
    await cancelled_trip(lost)
    await shelf.give(lost)
    cut(database, pid)  # the loop has no time to notice
    fresh = await shelf.take()
    assert await backend(fresh) != pid
    await shelf.give(fresh)


async def test_after_a_long_rest_a_connection_proves_itself(
    make: MakeShelf, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = make()
    kept = await shelf.take()
    pid = await backend(kept)
    await shelf.give(kept)
    monkeypatch.setattr(shelf_module, "_QUIET_SECONDS", -1.0)
    cut(database, pid)
    fresh = await shelf.take()
    assert await backend(fresh) != pid
    await shelf.give(fresh)


async def test_a_place_is_free_again_after_a_cancelled_trip(make: MakeShelf) -> None:
    shelf = make(size=1)
    kept = await shelf.take()
    await cancelled_trip(kept)
    await shelf.give(kept)
    fresh = await shelf.take()
    assert await fresh.wire.send((NOTES,)) == []
    await shelf.give(fresh)


@pytest.mark.parametrize("limit", ["_LIFETIME_SECONDS", "_SPARE_SECONDS"])
async def test_old_and_spare_connections_are_closed(
    make: MakeShelf, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    shelf = make()
    first, second = await shelf.take(), await shelf.take()
    await shelf.give(first)
    monkeypatch.setattr(shelf_module, limit, -1.0)
    await shelf.give(second)
    monkeypatch.undo()
    kept = await shelf.take()
    gone = second if limit == "_LIFETIME_SECONDS" else first
    assert kept is (first if gone is second else second)
    while not gone.wire.closed:
        await asyncio.sleep(0)
    await shelf.give(kept)


async def test_closing_lets_who_runs_end_and_tells_who_waits(make: MakeShelf) -> None:
    shelf = make(size=1)
    held = await shelf.take()
    waiting = asyncio.create_task(shelf.take())
    await asyncio.sleep(0)
    closing = asyncio.create_task(shelf.close())
    with pytest.raises(psycopg.OperationalError, match="closed"):
        await waiting
    with pytest.raises(psycopg.OperationalError, match="closed"):
        await shelf.take()
    assert not closing.done()
    assert await held.wire.send((NOTES,)) == []
    await shelf.give(held)
    await closing
    assert held.wire.closed


async def test_closing_does_not_wait_for_ever(make: MakeShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = make()
    held = await shelf.take()
    monkeypatch.setattr(shelf_module, "CHECKOUT_SECONDS", 0.01)
    await shelf.close()
    assert await held.wire.send((NOTES,)) == []
    await shelf.give(held)
    while not held.wire.closed:
        await asyncio.sleep(0)
