"""Reading: what people and other parts ask of jobs, flows, queues and workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock import codec
from penstock.store.migrations import SchemaState
from penstock.store.program import Call, Row, Steps, program


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as stored, without its data. Times µs; `options` is JSON text or None."""

    id: str
    queue: str
    kind: str
    tenant: str | None
    state: str
    priority: int
    attempt: int
    max_attempts: int
    losses: int
    created_at: int
    due_at: int | None
    claimed_at: int | None
    started_at: int | None
    finished_at: int | None
    cancel_requested_at: int | None
    deadline_at: int | None
    flow_id: str | None
    reason: str | None
    unique_key: str | None
    concurrency_key: str | None
    open_parents: int
    when: str | None
    worker_id: int | None
    seal_key: str | None
    solo: bool
    progress: float | None
    message: str | None
    options: str | None
    concurrency_limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """What to list, newest first. Times µs; `before` is the last id of the page before."""

    states: tuple[str, ...] | None = None
    queue: str | None = None
    kind: str | None = None
    tenant: str | None = None
    flow_id: str | None = None
    tag: str | None = None
    since: int | None = None
    until: int | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """How a job stands, for whoever waits for it."""

    state: str
    reason: str | None
    result: str | None
    progress: float | None
    message: str | None


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Jobs of one queue and state. `mean_run` and `began_at` (of the first one) in µs."""

    queue: str
    state: str
    count: int
    mean_run: float | None
    began_at: int | None


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One entry of a job's error history. Times µs."""

    attempt: int
    error_class: str
    message: str
    traceback: str
    worker: str | None
    started_at: int | None
    at: int


@program
def get_job(job_id: str) -> Steps[JobRow | None]:
    """One job."""
    rows = yield Call("get_job", {"job_id": job_id}, only=True)
    return JobRow(*rows[0]) if rows else None


@program
def list_jobs(wanted: JobFilter) -> Steps[list[JobRow]]:
    """Jobs, newest first."""
    params: dict[str, Any] = {name: getattr(wanted, name) for name in JobFilter.__dataclass_fields__}
    params["states"] = None if wanted.states is None else codec.ids(wanted.states)
    return [JobRow(*row) for row in (yield Call("list_jobs", params, only=True))]


@program
def job_payload(job_id: str) -> Steps[tuple[str, str | None] | None]:
    """A job's data and result as JSON text."""
    rows = yield Call("job_payload", {"job_id": job_id}, only=True)
    return (rows[0][0], rows[0][1]) if rows else None


@program
def job_outcome(job_id: str) -> Steps[OutcomeRow | None]:
    """How a job stands now."""
    rows = yield Call("job_outcome", {"job_id": job_id}, only=True)
    return OutcomeRow(*rows[0]) if rows else None


@program
def job_errors(job_id: str) -> Steps[list[ErrorRow]]:
    """A job's error history, oldest first."""
    return [ErrorRow(*row) for row in (yield Call("job_errors", {"job_id": job_id}, only=True))]


@program
def job_summary(since: int | None) -> Steps[list[SummaryRow]]:
    """Jobs enqueued since then (µs; None: all), counted by queue and state."""
    return [SummaryRow(*row) for row in (yield Call("job_summary", {"since": since}, only=True))]


@program
def rows_of(statement: str, **params: Any) -> Steps[list[Row]]:
    """The rows of one reading statement (list_queues, list_workers, open_counts, …)."""
    return list((yield Call(statement, params, only=True)))


@program
def schema_state() -> Steps[SchemaState]:
    """Which schema the database has now, and which code it asks for."""
    found = dict((yield Call("schema_state", only=True)))
    return SchemaState(int(found["schema_version"]), int(found["compatible_from"]))


@program
def ids_like(statement: str, prefix: str) -> Steps[list[str]]:
    """Up to three ids that begin with `prefix` (hex digits, dashes optional)."""
    digits = prefix.replace("-", "").lower()
    low, high = digits.ljust(32, "0"), digits.ljust(32, "f")
    params = {"low": _dashed(low), "high": _dashed(high)}
    return [row[0] for row in (yield Call(statement, params, only=True))]


def _dashed(hex32: str) -> str:
    return "-".join((hex32[:8], hex32[8:12], hex32[12:16], hex32[16:20], hex32[20:32]))


@program
def parent_results(job_id: str) -> Steps[Sequence[tuple[str, str | None]]]:
    """Ids and results (JSON text) of the jobs a job comes after."""
    return [(row[0], row[1]) for row in (yield Call("parent_results", {"job_id": job_id}, only=True))]
