"""Trips: what goes to the server together. No server is needed to see it."""

from collections.abc import Sequence

from penstock.store.lanes import LaneCache
from penstock.store.postgres.parameters import Statement, Statements, prepare
from penstock.store.postgres.transaction import DURABLE, HASTY, INSIDE, SNAPSHOT, Frame, Run
from penstock.store.program import Lane, LaneKey, NeedLanes, Program
from tests.store.postgres.programs import STATEMENTS, lanes, put, put_all


def trips(program: Program[int], frame: Frame, answers: Sequence[object]) -> list[list[str]]:
    """The first words of each trip's queries."""
    run = Run(program, frame, prepare(STATEMENTS), LaneCache())
    step = run.forward()
    sent = []
    for answer in answers:
        assert isinstance(step, tuple)
        sent.append([" ".join(query.sql.decode().split()[:2]) for query in step])
        step = run.forward(answer)
    assert step is None
    return sent


def test_a_single_statement_is_one_trip() -> None:
    assert trips(put(1), DURABLE, [[(1,)]]) == [["SELECT set_config('enable_seqscan',", "INSERT INTO"]]
    assert trips(put(1, seeks=False), DURABLE, [[(1,)]]) == [["INSERT INTO"]]
    assert trips(put(1, seeks=False), HASTY, [[(1,)]]) == [["SELECT set_config('synchronous_commit',", "INSERT INTO"]]
    assert trips(put(1), SNAPSHOT, [[(1,)]]) == [["SELECT set_config('enable_seqscan',", "INSERT INTO"]]
    assert trips(put(1), HASTY, [[(1,)]]) == [["SELECT set_config('synchronous_commit',", "INSERT INTO"]]


def test_n_statements_are_n_trips_and_one_for_the_commit() -> None:
    begin = ["BEGIN ISOLATION", "SELECT set_config('idle_in_transaction_session_timeout',", "INSERT INTO"]
    assert trips(put_all(1, 2), DURABLE, [[], [], []]) == [begin, ["INSERT INTO"], ["COMMIT"]]


def test_inside_a_callers_transaction_the_wake_up_goes_with_the_last_trip() -> None:
    assert trips(put_all(1, 2, wake="q:a"), INSIDE, [[], [], []]) == [
        ["SAVEPOINT penstock", "INSERT INTO"],
        ["INSERT INTO"],
        ["RELEASE SAVEPOINT", "SELECT pg_notify('penstock',"],
    ]
    assert trips(put(1, wake="q:a"), INSIDE, [[(1,)], []]) == [["INSERT INTO"], ["SELECT pg_notify('penstock',"]]


def test_unknown_lanes_are_asked_for_before_anything_is_sent() -> None:
    run = Run(lanes("a"), DURABLE, Statements(), LaneCache())
    step = run.forward()
    assert step == NeedLanes((LaneKey("a", "kind"),))
    lane = Lane(1, None, None)
    assert run.forward([lane]) is None
    assert run.result == [lane]


def test_parameters_are_numbered_and_everything_else_is_left_alone() -> None:
    text = "SELECT :b::text, :a, ':a', \":b\", x::json -- :c\nFROM t WHERE b = :b; -- done\n"
    statement = prepare({"s": text})["s"]
    assert statement.sql == b"SELECT $1::text, $2, ':a', \":b\", x::json \nFROM t WHERE b = $1"
    assert statement == Statement("s", statement.sql, (("b", ""), ("a", "")))
    assert statement.bind({"a": 1, "b": 2, "c": 3}).values == (2, 1)
