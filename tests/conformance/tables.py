"""Reading the engine's tables whole, and comparing them with the model."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg

from penstock.domain.order import STRICT_STEP
from penstock.domain.states import FINAL, JobState
from tests.conformance.databases import Database, PostgresDatabase, SqliteDatabase
from tests.conformance.model_ground import AGING, ENDING_QUEUE, Ground, Key, ModelFlow, ModelJob

_SLACK = 1_000
"""What one program places together it keeps apart by microseconds; the steps of a test are farther apart than this."""


class JobRow(NamedTuple):
    """A row of jobs, with its lane."""

    id: str
    queue: str
    kind: str
    tenant: str | None
    solo: bool
    state: str
    level: int
    attempt: int
    max_attempts: int
    losses: int
    position: int
    created_at: int
    due: int | None
    claim: int | None
    worker: int | None
    started: int | None
    finished: int | None
    stop_asked_at: int | None
    deadline: int | None
    open_parents: int
    completed_parents: int
    failed_parents: int
    when: str | None
    flow: str | None
    culprit: str | None
    ckey: str | None
    climit: int | None
    unique: str | None
    has_children: bool


class FlowRow(NamedTuple):
    """A row of flows."""

    id: str
    round: int
    total: int
    open: int
    completed: int
    failed: int
    cancelled: int
    finished: int | None
    has_children: bool


@dataclass(frozen=True, slots=True)
class Tables:
    """All rows that the model knows of."""

    jobs: Mapping[str, JobRow]
    flows: Mapping[str, FlowRow]
    edges: set[tuple[str, str]]
    keys: Mapping[str, Key]


_JOBS = """
SELECT CAST(j.id AS text), l.queue, l.kind, l.tenant, l.solo, CAST(j.state AS text), j.priority, j.attempt,
       j.max_attempts, j.losses, j.position, j.created_at, j.due_at, j.claim_id, j.worker_id, j.started_at,
       j.finished_at, j.cancel_requested_at, j.deadline_at, j.open_parents, j.completed_parents, j.failed_parents,
       j.when_parents, CAST(j.flow_id AS text), CAST(j.unmet_parent AS text), j.concurrency_key, j.concurrency_limit,
       j.unique_key, j.has_children
FROM ~jobs j JOIN ~lanes l ON l.id = j.lane_id ORDER BY j.id"""
_FLOWS = """
SELECT CAST(id AS text), round, total, open, completed, failed, cancelled, finished_at, has_children FROM ~flows"""
_EDGES = "SELECT CAST(parent_id AS text), CAST(child_id AS text) FROM ~edges"
_KEYS = "SELECT key, CAST(job_id AS text), scope, expires_at FROM ~unique_keys"
_EMPTIED = ("jobs", "results", "errors", "progress", "unique_keys", "concurrency_keys", "flows", "edges")


class Reader:
    """A connection of the test's own to a migrated database."""

    def __init__(self, database: Database) -> None:
        match database:
            case SqliteDatabase(path):
                self._prefix = "penstock_"
                self._extra: tuple[str, ...] = ("job_data",)
                self._connection: Any = sqlite3.connect(path, isolation_level=None, timeout=10)
            case PostgresDatabase(url):
                self._prefix = "penstock."
                self._extra = ()
                self._connection = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def empty(self) -> None:
        """Forget all jobs; lanes and the settings of queues stay, nothing is paused."""
        for table in (*_EMPTIED, *self._extra):
            self._rows(f"DELETE FROM ~{table} RETURNING 1")  # noqa: S608 - names of this file
        self._rows("UPDATE ~queues SET paused_at = NULL RETURNING 1")

    def read(self) -> Tables:
        """Everything."""
        jobs = [JobRow(*row) for row in self._rows(_JOBS)]
        flows = [FlowRow(*row) for row in self._rows(_FLOWS)]
        keys = {row[0]: Key(*row[1:]) for row in self._rows(_KEYS)}
        return Tables({j.id: j for j in jobs}, {f.id: f for f in flows}, set(self._rows(_EDGES)), keys)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(sql.replace("~", self._prefix)).fetchall()
        return rows


def compare(model: Ground, found: Tables) -> None:
    """Hold the tables against the model; what a store may choose (a place among equals, whom to blame) it takes."""
    assert not model.endings, f"no job was enqueued for the end of {model.endings}"
    assert found.jobs.keys() == model.jobs.keys()
    for id_, job in model.jobs.items():
        _take_over(model, job, found.jobs[id_])
    for id_, job in model.jobs.items():
        _compare_job(model, job, found.jobs[id_])
    assert found.flows.keys() == model.flows.keys()
    for flow in model.flows.values():
        _compare_flow(model, flow, found.flows[flow.id])
    assert found.edges == {(parent, job.id) for job in model.jobs.values() for parent in job.after}
    parents = {parent for parent, _ in found.edges}
    rows: list[Any] = [*found.jobs.values(), *found.flows.values()]
    unmarked = [row.id for row in rows if row.id in parents and not row.has_children]
    assert not unmarked, f"has_children is missing: {unmarked}"
    assert found.keys == model.keys
    _check_keys(model)
    _check_concurrency(model)


def adopt_ending(model: Ground, row: JobRow, told: Mapping[str, Any], level: int, attempts: int) -> None:
    """Take over a job that an ending enqueued; `told` is its data."""
    assert told["job_id"] in model.endings, f"{row.id} was enqueued for {told['job_id']}, which had not ended so"
    model.endings.remove(told["job_id"])
    model.jobs[row.id] = ModelJob(
        row.id, ENDING_QUEUE, "tidied", model.jobs[told["job_id"]].tenant, JobState.READY, level, attempts,
        model.now, model.now,
    )  # fmt: skip


def _take_over(model: Ground, job: ModelJob, row: JobRow) -> None:
    if job.state in (JobState.READY, JobState.RUNNING) or job.parked:
        ready_at = row.position + job.level * (AGING[job.queue] or STRICT_STEP)
        assert 0 <= ready_at - job.ready_at < _SLACK, f"{job.id}: ready at {ready_at}, expected {job.ready_at}"
        job.ready_at = ready_at
    if job.due is not None and row.due is not None:
        assert 0 <= row.due - job.due < _SLACK, f"{job.id}: due at {row.due}, expected {job.due}"
        job.due = row.due
    if job.culprit == "?":
        blamed = row.culprit
        assert blamed in job.after, f"{job.id}: {blamed} is none of {job.after}"
        assert model.standing(blamed) == "bad", f"{job.id}: {blamed} is blamed, and is not guilty"
        job.culprit = blamed


def _compare_job(model: Ground, job: ModelJob, row: JobRow) -> None:
    running = job.state is JobState.RUNNING
    expected = {
        "queue": job.queue, "kind": job.kind, "tenant": job.tenant, "solo": job.solo, "state": job.state,
        "level": job.level, "attempt": job.attempt, "max_attempts": job.max_attempts, "losses": job.losses,
        "created_at": job.created_at, "due": job.due, "claim": job.claim if running else None, "started": job.started,
        "finished": job.finished, "deadline": job.deadline, "when": str(job.when) if job.after else None,
        "flow": job.flow, "ckey": job.ckey, "climit": job.climit, "unique": job.unique,
    }  # fmt: skip
    expected |= {"worker": job.worker} if running else {}
    expected |= {"culprit": job.culprit} if job.state is JobState.CANCELLED else {}
    if job.state is JobState.BLOCKED:
        count = model.parents(job)
        expected |= {"open_parents": count["open"], "completed_parents": count["ok"], "failed_parents": count["bad"]}
    actual = {name: getattr(row, name) for name in expected}
    differing = {name: (actual[name], value) for name, value in expected.items() if actual[name] != value}
    assert not differing, f"{job.id}: stored and expected differ: {differing}"
    assert (row.stop_asked_at is not None) == job.stop_asked, f"{job.id}: stop asked at {row.stop_asked_at}"
    assert row.attempt <= row.max_attempts


def _compare_flow(model: Ground, flow: ModelFlow, row: FlowRow) -> None:
    count = model.counts(flow.id)
    open_ = sum(n for state, n in count.items() if state not in FINAL)
    ended = tuple(count[state] for state in (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED))
    expected = (flow.id, flow.round, open_ + sum(ended), open_, *ended, flow.finished)
    assert tuple(row)[:-1] == expected, f"flow: stored {row}, expected {expected}"
    assert (row.finished is not None) == (row.total > 0 and row.open == 0)


def _check_keys(model: Ground) -> None:
    for key, held in model.keys.items():
        if held.scope == "active":
            holder = model.jobs[held.job]
            assert holder.state not in FINAL, f"{key} is still held by {held.job}, which is {holder.state}"


def _check_concurrency(model: Ground) -> None:
    for ckey in {job.ckey for job in model.jobs.values() if job.ckey is not None}:
        jobs = [job for job in model.jobs.values() if job.ckey == ckey]
        running = [job for job in jobs if job.state is JobState.RUNNING]
        assert len(running) <= max((job.climit or 0 for job in running), default=0), f"too many of {ckey} run"
        going = len(running) + sum(job.state is JobState.READY for job in jobs)
        for job in jobs:
            room = 1 if ckey == "mixed" else job.climit or 0
            assert not job.parked or going >= room, f"{job.id} is parked, and {ckey} has room"
