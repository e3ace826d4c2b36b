"""What a test may say about the jobs in a store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_jsonable_python

from penstock import codec
from penstock.app import Penstock
from penstock.domain.job import JobData
from penstock.domain.options import moment_of
from penstock.domain.secret import Secret
from penstock.domain.states import JobState
from penstock.store.program import Call, Steps, program
from penstock.store.programs.read import JobFilter, JobRow, list_jobs

_PAGE = 500


@dataclass(frozen=True, slots=True)
class EnqueuedJob:
    """A job as it stands in the store, ended or not. `data` are its plain JSON values; sealed secrets stay sealed."""

    id: str
    kind: str
    queue: str
    state: JobState
    priority: int
    data: dict[str, Any]
    tags: tuple[str, ...]
    tenant: str | None
    flow_id: str | None
    unique_key: str | None
    due_at: datetime | None


def enqueued(engine: Penstock, kind: type[JobData] | str | None = None) -> list[EnqueuedJob]:
    """All jobs of a kind (given as its `JobData` class or its name; None: of every kind), oldest first.

    Whatever has become of them: a job that has run was enqueued too.

        assert [job.data["to"] for job in enqueued(engine, SendMail)] == ["ada@example.org"]
    """
    name = kind if isinstance(kind, str) or kind is None else kind.job_kind.kind
    rows = _rows(engine, name)[::-1]
    data = engine.store.read_sync(_data_of([row.id for row in rows]))
    return [_job(row, text) for row, text in zip(rows, data, strict=True)]


def assert_enqueued(engine: Penstock, kind: type[JobData] | str, **fields: Any) -> EnqueuedJob:
    """Assert that a job of this kind was enqueued whose data has these fields; answers the first such job.

        assert_enqueued(engine, SendMail, to="ada@example.org")

    Raises AssertionError listing what was enqueued instead, and TypeError for a field that the kind does not have.
    """
    jobs = enqueued(engine, kind)
    wanted = _wanted(kind, fields)
    for job in jobs:
        if _has(job, wanted):
            return job
    there = "\n".join(f"  {job.kind} {job.data}" for job in jobs) or "  none of this kind"
    raise AssertionError(f"no {_name(kind)} with {wanted} was enqueued; there are:\n{there}")


def assert_not_enqueued(engine: Penstock, kind: type[JobData] | str, **fields: Any) -> None:
    """Assert that no job of this kind was enqueued whose data has these fields.

    assert_not_enqueued(engine, SendMail, to="bob@example.org")
    """
    wanted = _wanted(kind, fields)
    for job in enqueued(engine, kind):
        if _has(job, wanted):
            raise AssertionError(f"{_name(kind)} {job.id} was enqueued with {job.data}")


def _rows(engine: Penstock, kind: str | None) -> list[JobRow]:
    """Newest first."""
    found: list[JobRow] = []
    before: str | None = None
    while True:
        page = engine.store.read_sync(list_jobs(JobFilter(kind=kind, before=before, limit=_PAGE)))
        found += page
        if len(page) < _PAGE:
            return found
        before = page[-1].id


@program
def _data_of(ids: Sequence[str]) -> Steps[list[str]]:
    """The data of jobs that are there, as JSON text, in order."""
    found: dict[str, str] = {}
    for id_ in ids:
        found[id_] = (yield Call("job_payload", {"job_id": id_}))[0][0]
    return list(found.values())


def _job(row: JobRow, data: str) -> EnqueuedJob:
    options = codec.loads(row.options) if row.options else {}
    return EnqueuedJob(
        id=row.id, kind=row.kind, queue=row.queue, state=JobState(row.state), priority=row.priority,
        data=codec.loads(data), tags=tuple(options.get("tags", ())), tenant=row.tenant, flow_id=row.flow_id,
        unique_key=row.unique_key, due_at=None if row.due_at is None else moment_of(row.due_at),
    )  # fmt: skip


def _wanted(kind: type[JobData] | str, fields: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(kind, str):
        unknown = fields.keys() - kind.model_fields.keys()
        if unknown:
            raise TypeError(f"{_name(kind)} has no field {sorted(unknown)[0]!r}; it has {', '.join(kind.model_fields)}")
    for name, value in fields.items():
        if isinstance(value, Secret):
            raise TypeError(f"field {name!r} is a Secret: it is sealed in the store and cannot be compared")
    return {name: to_jsonable_python(value) for name, value in fields.items()}


def _has(job: EnqueuedJob, wanted: dict[str, Any]) -> bool:
    return all(name in job.data and job.data[name] == value for name, value in wanted.items())


def _name(kind: type[JobData] | str) -> str:
    return kind if isinstance(kind, str) else kind.job_kind.kind
