"""On PostgreSQL a hot statement costs what its batch costs, whatever lies in the tables and whatever the planner knows.

Measured in rows and pages, never in time, over the history and backlog that `plans.sql` writes: with no statistics,
with fresh ones, and with plans made while the tables were empty.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import RawCursor, sql

from penstock import codec
from penstock.codec import JsonText
from penstock.domain.order import STRICT_STEP
from penstock.store.postgres import PostgresStore
from penstock.store.postgres.address import parse
from penstock.store.postgres.parameters import Statement, own_statements
from penstock.store.postgres.pools import connect_options
from penstock.store.postgres.transaction import DURABLE, Frame
from tests.support.postgres import Server, create_database, drop_database

# Longer than other tests: whichever comes first loads 1.4 million rows.
pytestmark = pytest.mark.timeout(300)

NOW = 10_000_000
MOST_ROWS = 3_000
"""Rows that one step of a plan may touch; the largest batch here is 1,000 jobs."""
MOST_CLAIM_PAGES = 2_000
LARGE = (
    "jobs", "events", "edges", "flows", "streams", "stream_chunks", "calls", "usage_owed", "budget_windows",
    "budget_waits",
)  # fmt: skip
CALLERS = Frame(begin=DURABLE.begin[:1], end=DURABLE.end)
"""A transaction that the application began: none of our settings hold."""

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A statement of the engine with parameters; `shared`: it also runs in transactions of the application."""

    statement: Statement
    params: dict[str, Any]
    about: str
    shared: bool = False

    @property
    def values(self) -> list[Any]:
        """In the order of `$1`, `$2`, …"""
        return list(self.statement.bind(self.params).values or ())


def job(number: int) -> str:
    """As `job_id` of plans.sql."""
    return f"01900000-0000-7000-8000-{number:012x}"


def flow(number: int) -> str:
    """As `flow_id` of plans.sql."""
    return f"01900000-0000-7000-9000-{number:012x}"


def case(name: str, about: str = "", /, *, shared: bool = False, **params: Any) -> Case:
    """A case; lists become JSON parameters."""
    sent = {key: codec.ids(value) if isinstance(value, list) else value for key, value in params.items()}
    return Case(own_statements()[name], sent, f"{name} {about}".strip(), shared)


def claim_case(about: str, **changed: Any) -> Case:
    """A claim of a hundred jobs."""
    params: dict[str, Any] = {
        "queue": "q", "kinds": ["work", "other"], "seal_keys": [], "any_kind": False, "solo": False, "hints": [],
        "held": [], "ahead": [], "known": [1], "limit": 100, "claim_id": 43, "worker_id": 9, "now": NOW,
    }  # fmt: skip
    return case("claim", about, **params | changed)


RUNNING = [6_000_000 + n for n in range(1, 501)]
BLOCKED = [5_000_000 + n for n in range(1, 101)]
SETTLED = [{"id": job(n), "claim": 42, "state": "completed", "attempt": 1, "result": "1"} for n in RUNNING]
STREAMED = {"claim": 42, "attempt": 1, "name": "plan", "part": 0, "end": 19, "cut": False}
CHUNK = {"name": "plan", "version": 2, "start": 15, "text": "text"}
PRUNED: dict[str, Any] = {"queue": "q", "now": NOW, "limit": 500}
CALLED = [{"id": job(200_000 + n), "at": 9, "outcome": "answered", "input": 1, "output": 1} for n in range(1, 101)]
OWED = [{"sink": "stripe", "call_id": job(150_000 + n), "due_at": NOW, "problem": "busy"} for n in range(1, 101)]
WINDOW = {"budget": "each", "shape": "shape", "kind": "", "flow": "", "spent": 1, "reserved": 0}
WINDOWS = [WINDOW | {"tenant": f"t{n}", "start": n} for n in range(100)]
HELD = [window | {"job_id": job(4_000_000 + n)} for n, window in enumerate(WINDOWS, start=1)]
READ: dict[str, Any] = {"limit": 100, "stream": None, "subject": None, "types": None}

CASES = [
    claim_case("behind 100,000 jobs of a kind it does not know"),
    claim_case("of any kind", any_kind=True),
    claim_case("from a position on", hints=[{"lane": 2, "after": 2_050_000}]),
    claim_case("of jobs that are not there", kinds=["absent"]),
    claim_case("without a kind that is held", held=[{"kind": "other", "tenant": None, "whole": True}]),
    claim_case("with tenants that have had their turn", ahead=[{"tenant": None, "turns": 3}]),
    claim_case("of what is claimed alone", solo=True),
    case("fall_due", now=NOW, limit=500, strict_step=STRICT_STEP),
    case("next_due"),
    case("settle", shared=True, rows=SETTLED, now=NOW),
    case("advance_children", shared=True, ended=[{"id": job(n), "ok": True} for n in RUNNING[:20]]),
    case("unblock", shared=True, jobs=[{"id": job(n), "state": "ready", "position": 5} for n in BLOCKED]),
    case("end_unmet", shared=True, now=NOW, jobs=[{"id": job(n), "culprit": job(1), "reason": "r"} for n in BLOCKED]),
    case("hold_claim", shared=True, job_id=job(RUNNING[0]), claim_id=42),
    case("held_by_worker", worker_id=1),
    case("runs_of_worker", worker_id=1, limit=500),
    case("cancels_of_worker", worker_id=1),
    case("write_progress", rows=[{"id": job(n), "claim": 42, "share": 0.5} for n in RUNNING], now=NOW),
    case("write_streams", shared=True, rows=[STREAMED | {"id": job(n)} for n in RUNNING], now=NOW),
    case("write_chunks", shared=True, rows=[CHUNK | {"id": job(n)} for n in RUNNING]),
    case("streams_of", job_id=job(1), name=None),
    case("stream_chunks", job_id=job(1), name="plan", version=1, start=7),
    case("flows_ended_jobs", shared=True, now=NOW, flows=[
        {"id": flow(50_000 + n), "completed": 1, "failed": 0, "cancelled": 0} for n in range(1, 101)]),
    case("unnumbered"),
    case("number_events", limit=500),
    case("read_events", "far behind", after=0, **READ),
    case("read_events", "at the head", after=299_950, **READ),
    case("read_events", "of some types", after=100_000, **READ | {"types": ["t1", "t2"]}),
    case("expired", now=NOW, limit=500),
    case("prunable", "of what is kept for a while", state="completed", before=5_000, **PRUNED),
    case("prunable", "of what is kept for ever", state="failed", before=-1, **PRUNED),
    case("close_calls", rows=CALLED, was_unknown=False),
    case("take_owed", sink="stripe", now=NOW, until=NOW, limit=100),
    case("put_owed", until=1, rows=OWED),
    case("pay_owed", sink="stripe", ids=[one["call_id"] for one in OWED]),
    case("metered_calls", ids=[job(n) for n in range(1, 101)]),
    case("prune_calls", before=NOW, limit=500),
    case("lock_windows", keys=WINDOWS),
    case("write_windows", rows=WINDOWS),
    case("put_waits", rows=HELD),
    case("prune_windows", before=200, limit=500),
    case("wake_budgeted", shared=True, ids=[one["job_id"] for one in HELD], now=NOW, strict_step=STRICT_STEP),
    case("drop_waits", shared=True, ids=[one["job_id"] for one in HELD]),
]  # fmt: skip


def explain(connection: psycopg.Connection[Any], query: bytes, values: list[Any] | None, frame: Frame) -> Node:
    """The plan as it went (`EXPLAIN ANALYZE`), in a transaction that leaves nothing behind."""
    for begin in frame.begin:
        RawCursor(connection).execute(begin.sql, begin.values, prepare=False)
    try:
        text = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query
        found = RawCursor(connection).execute(text, values, prepare=False).fetchone()
    finally:
        connection.execute("ROLLBACK")
    assert found is not None
    plan: Node = json.loads(found[0])[0]["Plan"]
    return plan


class Prepared:
    """The cases as generic plans, made at once and kept as long as nobody tells the server more about the tables."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._connection.execute("SET plan_cache_mode = force_generic_plan")
        for number, one in enumerate(CASES):
            kinds = ", ".join(_type(value) for value in one.values)
            head = f"PREPARE p{number} ({kinds}) AS " if kinds else f"PREPARE p{number} AS "
            self._connection.execute(head.encode() + one.statement.sql)
        self.costs = [plan["Total Cost"] for plan in self.plans()]

    def plans(self) -> list[Node]:
        """The plan of each case."""
        return [explain(self._connection, self._call(number), None, DURABLE) for number in range(len(CASES))]

    def _call(self, number: int) -> bytes:
        values = [value.decode() if isinstance(value, JsonText) else value for value in CASES[number].values]
        name = sql.SQL("EXECUTE ") + sql.Identifier(f"p{number}")
        with_values = sql.SQL(" ({})").format(sql.SQL(", ").join(map(sql.Literal, values))) if values else sql.SQL("")
        return (name + with_values).as_bytes(self._connection)


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "bigint" if isinstance(value, int) else "unknown"


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection as the store's, but that psycopg prepares nothing by itself."""
    address = parse(url)
    return psycopg.connect(address.conninfo, **connect_options(address) | {"prepare_threshold": None})


def direct_plans(url: str, frame: Frame) -> list[Node]:
    """The plan of each case, made for its parameters."""
    with connect(url) as connection:
        return [explain(connection, one.statement.sql, one.values, frame) for one in CASES]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Plans by what the planner knew, one per case; `stale` come with the costs they were made with and have now."""

    blind: list[Node]
    blind_generic: list[Node]
    callers_blind: list[Node]
    stale: list[Node]
    stale_costs: tuple[list[float], list[float]]
    informed: list[Node]
    informed_generic: list[Node]
    callers_informed: list[Node]


@pytest.fixture(scope="session")
def crowd(postgres_server: Server) -> Crowd:
    """All plans. The database lives no longer than it takes to see them."""
    url = create_database(postgres_server)
    try:
        asyncio.run(PostgresStore(url).migrate())
        return observe(url)
    finally:
        drop_database(url)


def observe(url: str) -> Crowd:
    """Prepare on empty tables, load, look, gather statistics, look again."""
    with connect(url) as connection, connect(url) as other:
        for table in LARGE:
            # No statistics behind our back; before the first plan, since it makes the server plan anew.
            off = sql.SQL("ALTER TABLE penstock.{} SET (autovacuum_enabled = off)")
            connection.execute(off.format(sql.Identifier(table)))
        early = Prepared(other)
        connection.execute(Path(__file__).with_name("plans.sql").read_bytes())
        stale = early.plans()
        blind, callers_blind, blind_generic = direct_plans(url, DURABLE), direct_plans(url, CALLERS), generic_plans(url)
        connection.execute("ANALYZE")
    return Crowd(
        blind=blind,
        blind_generic=blind_generic,
        callers_blind=callers_blind,
        stale=stale,
        stale_costs=(early.costs, [plan["Total Cost"] for plan in stale]),
        informed=direct_plans(url, DURABLE),
        informed_generic=generic_plans(url),
        callers_informed=direct_plans(url, CALLERS),
    )


def generic_plans(url: str) -> list[Node]:
    """The generic plan of each case, as it is made now."""
    with connect(url) as connection:
        return Prepared(connection).plans()


def nodes(plan: Node) -> Iterator[Node]:
    """All steps of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def faults(plans: list[Node], *, shared: bool = False) -> list[str]:
    """What is wrong with these plans of all cases, in words."""
    found = []
    for one, plan in zip(CASES, plans, strict=True):
        if shared and not one.shared:
            continue
        for node in nodes(plan):
            where = node.get("Index Name") or node.get("Relation Name") or ""
            left_out = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            rows = node["Actual Loops"] * (node["Actual Rows"] + left_out)
            if node["Node Type"] == "Seq Scan" and where in LARGE:
                found.append(f"{one.about}: reads all of {where}")
            elif rows > MOST_ROWS:
                found.append(f"{one.about}: {node['Node Type']} {where} touches {rows:,.0f} rows")
        pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        if one.statement.name == "claim" and pages >= MOST_CLAIM_PAGES:
            found.append(f"{one.about}: {pages:,} pages")
    return found


def test_plans_hold_without_statistics(crowd: Crowd) -> None:
    assert faults(crowd.blind) == []
    assert faults(crowd.blind_generic) == []


def test_plans_hold_with_statistics(crowd: Crowd) -> None:
    assert faults(crowd.informed) == []
    assert faults(crowd.informed_generic) == []


def test_plans_made_on_empty_tables_stay_good(crowd: Crowd) -> None:
    made, now = crowd.stale_costs
    assert made == now, "the server has planned anew; this test would prove nothing"
    assert faults(crowd.stale) == []


def test_plans_hold_in_the_applications_own_transactions(crowd: Crowd) -> None:
    assert faults(crowd.callers_blind, shared=True) == []
    assert faults(crowd.callers_informed, shared=True) == []


def test_the_cases_do_what_they_are_to_measure(crowd: Crowd) -> None:
    rows = {one.about: plan["Actual Rows"] for one, plan in zip(CASES, crowd.informed, strict=True)}
    assert rows["claim behind 100,000 jobs of a kind it does not know"] == 100
    assert rows["claim of any kind"] == 100
    assert rows["settle"] == 500
    assert rows["fall_due"] == rows["expired"] == rows["prunable of what is kept for a while"] == 500
    assert rows["advance_children"] == 2_000
    assert rows["write_progress"] == rows["write_streams"] == 495
    assert (rows["streams_of"], rows["stream_chunks"]) == (1, 3)
    assert rows["read_events far behind"] == 100
    assert rows["close_calls"] == rows["take_owed"] == rows["metered_calls"] == rows["lock_windows"] == 100
    assert rows["prune_calls"] == 500
