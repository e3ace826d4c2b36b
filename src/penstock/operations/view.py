"""Jobs as people see them: times as datetimes, the outside status beside the engine's state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from penstock import codec
from penstock.domain.options import moment_of
from penstock.domain.states import JobState, JobStatus, status_of
from penstock.domain.steps import NEVER
from penstock.store.programs.read import ErrorRow, JobRow, SummaryRow


@dataclass(frozen=True, slots=True)
class JobView:
    """One job. `attempt` is the number of counted runs so far; times are aware datetimes in UTC."""

    id: str
    kind: str
    queue: str
    status: JobStatus
    state: JobState
    priority: int
    attempt: int
    max_attempts: int
    losses: int
    tenant: str | None
    tags: tuple[str, ...]
    flow_id: str | None
    unique_key: str | None
    concurrency_key: str | None
    reason: str | None
    progress: float | None
    message: str | None
    worker_id: int | None
    created_at: datetime
    due_at: datetime | None
    claimed_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime | None
    cancel_requested_at: datetime | None

    @classmethod
    def of(cls, row: JobRow) -> "JobView":
        """From a stored row."""
        options = codec.loads(row.options) if row.options else {}
        return cls(
            id=row.id, kind=row.kind, queue=row.queue, status=status_of(JobState(row.state)), state=JobState(row.state),
            priority=row.priority, attempt=row.attempt, max_attempts=row.max_attempts, losses=row.losses,
            tenant=row.tenant, tags=tuple(options.get("tags", ())), flow_id=row.flow_id, unique_key=row.unique_key,
            concurrency_key=row.concurrency_key, reason=row.reason, progress=row.progress, message=row.message,
            worker_id=row.worker_id, created_at=moment_of(row.created_at),
            due_at=None if row.due_at == NEVER else _moment(row.due_at),
            claimed_at=_moment(row.claimed_at), started_at=_moment(row.started_at),
            finished_at=_moment(row.finished_at), deadline_at=_moment(row.deadline_at),
            cancel_requested_at=_moment(row.cancel_requested_at),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobSummary:
    """Jobs of some queues counted: by status, how many have ended how, seconds a completed one ran in the mean (None:
    none has), and since when the one that runs longest does (None: none runs)."""

    counts: Mapping[JobStatus, int]
    mean_run_s: float | None
    running_since: datetime | None

    @classmethod
    def of(cls, rows: Iterable[SummaryRow]) -> "JobSummary":
        """From counted rows."""
        rows = list(rows)
        counts = dict.fromkeys(JobStatus, 0)
        for row in rows:
            counts[status_of(JobState(row.state))] += row.count
        done = [row for row in rows if row.state == JobState.COMPLETED and row.mean_run is not None]
        ran = sum(row.count for row in done)
        total = sum((row.mean_run or 0) * row.count for row in done)
        began = [row.began_at for row in rows if row.state == JobState.RUNNING and row.began_at is not None]
        return cls(counts, total / ran / 1_000_000 if ran else None, moment_of(min(began)) if began else None)


@dataclass(frozen=True, slots=True)
class ErrorView:
    """One failed, timed out or lost run of a job. `duration_s` is None when its start is not known."""

    attempt: int
    error_class: str
    message: str
    traceback: str
    worker: str | None
    duration_s: float | None
    at: datetime

    @classmethod
    def of(cls, row: ErrorRow) -> "ErrorView":
        """From a stored row."""
        duration = None if row.started_at is None else (row.at - row.started_at) / 1_000_000
        return cls(row.attempt, row.error_class, row.message, row.traceback, row.worker, duration, moment_of(row.at))


def _moment(time: int | None) -> datetime | None:
    return None if time is None else moment_of(time)
