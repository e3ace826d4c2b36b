"""One program, one transaction: shapes, settings, snapshots, reruns, lanes."""

import asyncio
from uuid import uuid4

import psycopg
import pytest

from penstock.errors import ConfigurationError, StoreUnavailable
from penstock.store.postgres import PostgresStore
from penstock.store.program import Call, Steps, Wake, program
from tests.store.postgres.programs import MakeStore, lanes, notes, prepared, put, put_all, settings, shapes


class Refused(Exception):
    """What the tests' programs raise."""


async def test_a_program_that_raises_writes_nothing(store: PostgresStore) -> None:
    with pytest.raises(Refused):
        await store.run(put_all(1, 2, then=Refused()))
    assert await store.run(put(3)) == 3
    assert await store.run(put_all(4, 5)) == 2
    assert await store.read(notes()) == [3, 4, 5]


async def test_a_wrong_statement_comes_out_as_it_is_and_the_connection_goes_on(make_store: MakeStore) -> None:
    store = await make_store(pool_size=1)
    await store.run(put(1))
    with pytest.raises(psycopg.errors.UniqueViolation):
        await store.run(put_all(2, 1))
    assert await store.read(notes()) == [1]


@pytest.mark.parametrize("prepared", ["on", "off"])
async def test_ids_and_json_come_as_text_and_numbers_as_numbers(database: str, prepared: str) -> None:
    store = PostgresStore(f"{database}?penstock_prepared={prepared}", auto_migrate=True)
    await store.open()
    id_ = str(uuid4())
    expected = (id_, '{"a":  "ü"}', '{"a": "ü"}', [id_], 7, True, None, "ready")
    assert await store.run(shapes(id_, '{"a":  "ü"}'.encode())) == expected
    assert await asyncio.to_thread(store.run_sync, shapes(id_, '{"a":  "ü"}'.encode())) == expected
    await store.close()


async def test_statements_are_prepared_unless_the_url_says_otherwise(database: str) -> None:
    for setting, count in (("on", 3), ("off", 0)):  # planner settings, the statement, and the one that counts
        store = PostgresStore(f"{database}?penstock_prepared={setting}", auto_migrate=True, pool_size=1)
        await store.open()
        for _ in range(2):
            await store.run(settings("search_path", only=True))
        assert await store.run(prepared()) == count
        await store.close()


async def test_only_a_hasty_commit_need_not_reach_the_disk(make_store: MakeStore) -> None:
    store = await make_store(pool_size=1)
    for only in (True, False):
        assert await store.run(settings("synchronous_commit", only=only), durable=False) == ["off"]
        assert await store.run(settings("synchronous_commit", only=only)) == ["on"]


async def test_a_transaction_is_ended_by_the_server_when_its_process_freezes(store: PostgresStore) -> None:
    assert await store.run(settings("idle_in_transaction_session_timeout")) == ["15s"]
    assert await store.read(settings("idle_in_transaction_session_timeout")) == ["15s"]
    assert await store.run(settings("idle_in_transaction_session_timeout", only=True)) == ["0"]


async def test_reading_sees_one_state_and_cannot_write(store: PostgresStore) -> None:
    names = ("transaction_isolation", "transaction_read_only")
    assert await store.read(settings(*names)) == ["repeatable read", "on"]
    assert await store.run(settings(*names)) == ["read committed", "off"]
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await store.read(put_all(1))


async def test_what_follows_an_only_statement_is_refused(store: PostgresStore) -> None:
    @program
    def liar() -> Steps[None]:
        yield Call("all", only=True)
        yield Call("all")

    with pytest.raises(RuntimeError, match="program 'liar' called 'all' after a call marked only=True"):
        await store.run(liar())


async def test_unknown_statements_and_missing_parameters_are_named(store: PostgresStore) -> None:
    @program
    def calling(call: Call) -> Steps[None]:
        yield call

    with pytest.raises(ConfigurationError, match="no SQL statement named 'nonsense'"):
        await store.run(calling(Call("nonsense")))
    with pytest.raises(ConfigurationError, match="statement 'put' was not given its parameter 'text'"):
        await store.run(calling(Call("put", {"id": 1})))


async def test_a_deadlock_is_run_again(store: PostgresStore, database: str) -> None:
    with psycopg.connect(database) as connection:
        # Waits until both programs hold their first row: a fact, not a time.
        connection.execute(
            "CREATE FUNCTION say(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM pg_advisory_xact_lock($1::bigint); "
            "WHILE (SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "       WHERE datname = current_database() AND locktype = 'advisory') < 2 "
            "LOOP PERFORM pg_sleep(0.002); END LOOP; END $$"
        )
    await store.run(put_all(1, 2))
    starts: list[int] = []

    @program
    def change(first: int, second: int) -> Steps[int]:
        again = first in starts
        starts.append(first)
        yield Call("change", {"id": first, "text": "changed"})
        if not again:
            yield Call("say", {"text": str(first)})
        yield Call("change", {"id": second, "text": "changed"})
        return first

    assert tuple(await asyncio.gather(store.run(change(1, 2)), store.run(change(2, 1)))) == (1, 2)
    assert len(starts) == 3


async def test_a_program_that_never_gets_through_makes_the_store_unavailable(
    store: PostgresStore, database: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "CREATE FUNCTION say(text) RETURNS void LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE 'no luck' USING ERRCODE = '40001'; END $$"
        )
    starts = []

    @program
    def unlucky() -> Steps[None]:
        starts.append(1)
        yield Call("say", {"text": ""})

    with pytest.raises(StoreUnavailable, match="no luck"):
        await store.run(unlucky())
    assert len(starts) == 6


async def test_lanes_are_made_once_and_then_known(store: PostgresStore) -> None:
    first = await store.run(lanes("a", "b"))
    assert len({lane.id for lane in first}) == 2
    assert await store.run(lanes("b", "a")) == list(reversed(first))
    assert await asyncio.to_thread(store.run_sync, lanes("a", "b")) == first


async def test_lanes_in_the_middle_of_a_transaction_need_no_second_connection(make_store: MakeStore) -> None:
    store = await make_store(pool_size=1)
    found = await asyncio.gather(*(store.run(lanes("a", "b", note_first=n)) for n in range(5)))
    assert len({lane.id for pair in found for lane in pair}) == 2
    assert await store.read(notes()) == [0, 1, 2, 3, 4]


async def test_a_program_without_statements_needs_no_server(store: PostgresStore) -> None:
    @program
    def nothing() -> Steps[str]:
        yield Wake(frozenset({"q:a"}))
        return "done"

    assert await store.run(nothing()) == "done"
