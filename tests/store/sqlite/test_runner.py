import sqlite3
from typing import Any

import pytest

from penstock import codec
from penstock.errors import ConfigurationError
from penstock.store import migrations
from penstock.store.lanes import LaneCache
from penstock.store.program import Call, Lane, LaneKey, Steps, program
from penstock.store.programs.claim import ClaimRequest, claim
from penstock.store.programs.enqueue import enqueue_alike
from penstock.store.programs.new import Alike, Template
from penstock.store.sqlite.migrate import migrate
from penstock.store.sqlite.runner import execute, own_statements, prepare, run_inline
from penstock.store.sqlite.store import SqliteStore
from tests.store.sqlite.things import THINGS, add, lanes, listing


@pytest.fixture
def connection(things_path):
    connection = sqlite3.connect(things_path, isolation_level=None)
    yield connection
    connection.close()


@program
def with_call(call: Call) -> Steps[list[tuple]]:
    return (yield call)


def test_inline_runs_in_one_transaction_and_answers_the_topics(connection):
    assert run_inline(connection, add("a", wake="t"), THINGS) == (1, frozenset({"t"}))
    assert not connection.in_transaction
    assert run_inline(connection, listing(), THINGS) == (["a"], frozenset())


def test_inline_rolls_back_a_program_that_raises(connection):
    with pytest.raises(ValueError, match="no"):
        run_inline(connection, add("a", error=ValueError("no")), THINGS)
    assert run_inline(connection, listing(), THINGS)[0] == []


def test_inline_rolls_back_when_the_database_refuses(connection):
    run_inline(connection, add("a"), THINGS)
    with pytest.raises(sqlite3.IntegrityError):
        run_inline(connection, add("a"), THINGS)
    assert not connection.in_transaction


def test_a_database_error_closes_the_program(connection):
    ended = []

    @program
    def careful() -> Steps[None]:
        try:
            yield Call("add_thing", {"name": None})
        finally:
            ended.append(True)

    with pytest.raises(sqlite3.IntegrityError):
        run_inline(connection, careful(), THINGS)
    assert ended == [True]


def test_parts_of_a_statement_run_in_order_and_the_last_one_answers(connection):
    run_inline(connection, add("a"), THINGS)
    call = Call("rename_and_list", {"old": "a", "new": "b"})
    assert run_inline(connection, with_call(call), THINGS)[0] == [("b",)]


def test_json_reaches_sqlite_as_text(connection):
    call = Call("from_json", {"names": codec.ids(["ä", True, None])})
    assert run_inline(connection, with_call(call), THINGS)[0] == [("ä",), (1,), (None,)]


def test_packed_rows_are_unpacked_in_order(connection):
    for name in ("a", "ä", "c"):
        run_inline(connection, add(name), THINGS)
    select = "SELECT json_group_array(json_array(id, name, NULL)) FROM things GROUP BY id > 2 ORDER BY id"
    packed = prepare({"packed": f"-- packed\n{select}"})
    rows = run_inline(connection, with_call(Call("packed")), packed)[0]
    assert [tuple(row) for row in rows] == [(1, "a", None), (2, "ä", None), (3, "c", None)]


async def test_a_claim_packs_small_jobs_together_and_large_ones_alone(store: SqliteStore):
    lane, ids = LaneKey("q", "a"), codec.new_ids(4)
    texts = [b'{"t":"%s"}' % (letter * size) for letter, size in ((b"a", 1), (b"b", 9_000), (b"c", 2), (b"d", 9_000))]
    await store.run(enqueue_alike([Alike(Template(lane, 0, 1), ids, texts)], 1))
    packs: list[Any] = []

    def noted(_cursor: object, row: tuple[Any, ...]) -> tuple[Any, ...]:
        packs.append(row[0])
        return row

    store._parts().writer._connection.row_factory = noted
    claimed = await store.run(claim(ClaimRequest("q", ("a",), 10, claim_id=2**63 - 1, worker_id=1), 2))
    assert [(job.id, job.data) for job in claimed.jobs] == [
        (id_, text.decode()) for id_, text in zip(ids, texts, strict=True)
    ]
    assert {job.claim_id for job in claimed.jobs} == {2**63 - 1}
    assert sorted(sum(id_ in pack for id_ in ids) for pack in packs if isinstance(pack, str)) == [1, 1, 2]


def test_an_unknown_statement_is_named(connection):
    with pytest.raises(ConfigurationError, match="'nonsense'"):
        run_inline(connection, with_call(Call("nonsense")), THINGS)


async def test_lanes_are_made_once_and_answered_in_the_order_asked(store: SqliteStore):
    first, second = LaneKey("q", "a"), LaneKey("q", "b", "tenant", "key", True)
    made = await store.run(lanes(first, second))
    assert await store.run(lanes(second, first)) == made[::-1]
    assert all(isinstance(lane, Lane) for lane in made)
    assert made[0].id != made[1].id


async def test_lanes_of_a_failed_program_are_not_remembered(store: SqliteStore):
    @program
    def fails() -> Steps[None]:
        yield from lanes(LaneKey("q", "a"))
        raise ValueError("after the lane")

    with pytest.raises(ValueError, match="after the lane"):
        await store.run(fails())
    assert store._lanes.get([LaneKey("q", "a")]) is None
    await store.run(lanes(LaneKey("q", "a")))
    assert store._lanes.get([LaneKey("q", "a")]) is not None


async def test_known_lanes_need_no_statement(store: SqliteStore, monkeypatch):
    key = LaneKey("q", "a")
    found = await store.run(lanes(key))
    connection = sqlite3.connect(":memory:", isolation_level=None)
    assert execute(connection, lanes(key), {}, store._lanes).result == found
    connection.close()
    monkeypatch.setattr("penstock.store.lanes.SECONDS_TO_LIVE", -1.0)
    assert store._lanes.get([key]) is None


def test_an_empty_cache_knows_no_lane():
    assert LaneCache().get([LaneKey("q", "a")]) is None
    assert LaneCache().get([]) == []


@pytest.mark.parametrize("name", sorted(own_statements()))
def test_a_statement_of_the_engine_fits_its_tables(connection, name, things_path):
    migrate(things_path, migrations.load("penstock.store.sqlite.migrations"))
    for part in own_statements()[name]:
        connection.execute(f"EXPLAIN {part}", _AnyParameter())


class _AnyParameter(dict):
    def __missing__(self, key):
        return None
