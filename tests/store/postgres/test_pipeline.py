"""One connection in the pipeline: what it answers, and what it does when a trip fails, is cancelled or cut."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg import AsyncConnection

from penstock.codec import Column, JsonText
from penstock.store.postgres.address import parse
from penstock.store.postgres.parameters import Query
from penstock.store.postgres.pipeline import PipelinedWire
from penstock.store.postgres.pools import connect_options

ONE = Query(b"SELECT 1")
HELD = Query(b"SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'penstock_%'", prepare=False)
BACKEND = Query(b"SELECT pg_backend_pid()", prepare=False)
BEGIN, COMMIT, ROLLBACK = (Query(word, prepare=False) for word in (b"BEGIN", b"COMMIT", b"ROLLBACK"))
DIVIDE = b"SELECT 1 / $1::integer"

Other = psycopg.Connection[tuple[object, ...]]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PipelinedWire]:
    """A wire of our own."""
    address = parse(url)
    wire = PipelinedWire(await AsyncConnection.connect(address.conninfo, **connect_options(address)))
    try:
        yield wire
    finally:
        await wire.close()


@pytest.fixture
async def wire(database: str) -> AsyncIterator[PipelinedWire]:
    """A wire on the test's database."""
    async with opened(database) as wire:
        yield wire


@pytest.fixture
def other(database: str) -> Iterator[Other]:
    """Somebody else on the same database."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


async def test_the_last_query_of_a_trip_is_answered(wire: PipelinedWire) -> None:
    assert await wire.send((ONE, Query(b"SELECT $1::text, $2::bigint", ("a", 2)))) == [("a", 2)]
    assert await wire.send((ONE, Query(b"CREATE TABLE made (id bigint)"))) == []
    assert await wire.send((Query(b"SELECT 1 WHERE false"),)) == []


async def test_a_socket_that_the_loop_has_forgotten_is_asked(wire: PipelinedWire) -> None:
    asyncio.get_running_loop().remove_reader(wire._socket)
    assert await wire.send((ONE,)) == [(1,)]
    assert await wire.send((ONE,)) == [(1,)]


@pytest.mark.parametrize("prepared", ["on", "off"])
async def test_every_type_of_parameter_arrives(database: str, prepared: str) -> None:
    async with opened(f"{database}?penstock_prepared={prepared}") as wire:
        values = (7, 2.5, "ü", True, None, JsonText(b'{"a":1}'), Column(b"[1,null,3]"))
        sql = b"SELECT $1::bigint, $2::float8, $3::text, $4::boolean, $5::text, $6::json, $7::bigint[]"
        assert await wire.send((Query(sql, values),)) == [(7, 2.5, "ü", True, None, '{"a":1}', [1, None, 3])]


async def test_large_values_go_both_ways(wire: PipelinedWire) -> None:
    text = "x" * 20_000_000  # more than any socket buffer takes at once
    assert await wire.send((Query(b"SELECT $1::text", (text,)), Query(b"SELECT $1::text", (text,)))) == [(text,)]


async def test_a_statement_is_prepared_once_for_each_set_of_types(wire: PipelinedWire) -> None:
    for value in (1, 2, "3", "4", None):
        await wire.send((Query(b"SELECT $1::integer", (value,)), Query(b"SELECT $1::integer", (value,))))
    assert await wire.send((HELD,)) == [(2,)]  # numbers, and what has no type


async def test_a_connection_does_not_collect_statements_without_end(wire: PipelinedWire) -> None:
    for batch in range(5):
        await wire.send(tuple(Query(b"SELECT %d" % (batch * 100 + n)) for n in range(100)))
    assert await wire.send((HELD,)) == [(400,)]
    assert await wire.send((Query(b"SELECT 499"),)) == [(499,)]


async def test_an_error_undoes_a_trip_of_its_own_and_the_connection_goes_on(wire: PipelinedWire) -> None:
    write = Query(b"INSERT INTO notes VALUES (1, '')")
    for _ in range(2):  # the first time nothing is prepared yet, and what comes after the error never will be
        with pytest.raises(psycopg.errors.DivisionByZero):
            await wire.send((write, Query(DIVIDE, (0,)), Query(b"SELECT 2")))
    with pytest.raises(psycopg.errors.SyntaxError):
        await wire.send((Query(b"NONSENSE"), write))
    assert not wire.in_transaction
    assert await wire.send((Query(b"SELECT id FROM notes"),)) == []
    assert await wire.send((write, Query(DIVIDE, (1,)), Query(b"SELECT 2"))) == [(2,)]


async def test_an_error_in_a_transaction_leaves_it_to_be_rolled_back(wire: PipelinedWire) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await wire.send((BEGIN, Query(DIVIDE, (0,))))
    assert wire.in_transaction
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        await wire.send((ONE,))
    await wire.send((ROLLBACK,))
    assert not wire.in_transaction
    assert await wire.send((ONE,)) == [(1,)]


async def test_a_value_that_cannot_be_sent_sends_nothing(wire: PipelinedWire) -> None:
    with pytest.raises(psycopg.ProgrammingError, match="adapt"):
        await wire.send((BEGIN, Query(b"SELECT $1", (object(),))))
    assert not wire.in_transaction
    assert await wire.send((ONE,)) == [(1,)]


async def test_notices_disturb_nothing(wire: PipelinedWire) -> None:
    notice = Query(b"DO $$ BEGIN RAISE WARNING 'look'; END $$")
    assert await wire.send((notice, ONE, notice, ONE)) == [(1,)]


async def test_a_cancelled_trip_ends_the_connection_and_the_statement(database: str, other: Other) -> None:
    async with opened(database) as wire:
        await wire.send((ONE,))
        task = asyncio.create_task(wire.send((Query(b"SELECT pg_sleep(300)"),)))
        while not _running(other, "%pg_sleep(300)%"):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert wire.closed
        with pytest.raises(psycopg.OperationalError, match="cancelled"):
            await wire.send((ONE,))
    while _running(other, "%pg_sleep(300)%"):
        await asyncio.sleep(0.01)


async def test_a_trip_that_is_thrown_away_ends_the_connection(database: str) -> None:
    async with opened(database) as wire:
        trip = wire.send((ONE,))
        trip.send(None)
        trip.close()
        with pytest.raises(psycopg.OperationalError, match="cancelled"):
            await wire.send((Query(b"SELECT 2"),))


async def test_a_cut_in_the_middle_says_why(wire: PipelinedWire, other: Other) -> None:
    [(backend,)] = await wire.send((BACKEND,))
    task = asyncio.create_task(wire.send((Query(b"SELECT pg_sleep(300)"),)))
    while not _running(other, "%pg_sleep(300)%"):
        await asyncio.sleep(0.01)
    other.execute("SELECT pg_terminate_backend(%s)", (backend,))
    with pytest.raises(psycopg.errors.AdminShutdown):
        await task
    assert not wire.in_transaction


async def test_a_cut_between_trips_is_noticed_at_once(wire: PipelinedWire, other: Other) -> None:
    [(backend,)] = await wire.send((BACKEND,))
    other.execute("SELECT pg_terminate_backend(%s)", (backend,))
    while not wire.closed:
        await asyncio.sleep(0.01)
    with pytest.raises(psycopg.OperationalError, match="administrator command"):
        await wire.send((ONE,))


async def test_a_connection_that_follows_on_the_same_socket_number_is_undisturbed(database: str, other: Other) -> None:
    async with opened(database) as first:
        [(backend,)] = await first.send((BACKEND,))
        other.execute("SELECT pg_terminate_backend(%s)", (backend,))
        while not first.closed:
            await asyncio.sleep(0.01)
        async with opened(database) as second:
            await first.close()
            assert await second.send((ONE,)) == [(1,)]


def _running(connection: Other, query: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s AND pid <> pg_backend_pid() "
        "AND datname = current_database()",
        (query,),
    )
    return found.fetchone() is not None
