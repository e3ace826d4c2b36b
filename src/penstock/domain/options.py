"""The options of one enqueue, and how they combine with those of the kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from penstock.domain.flows import When
from penstock.domain.job import MAX_ATTEMPTS, KindSpec, checked_name, checked_names, is_count, seconds_of
from penstock.domain.order import level_of
from penstock.domain.retry import DEFAULT_RETRY, LONGEST_S, RetryPolicy, checked_policy, dump_policy
from penstock.domain.unique import Unique
from penstock.errors import InvalidJob

_MICROSECOND = timedelta(microseconds=1)
_LONGEST = timedelta(seconds=LONGEST_S)
MAX_CONCURRENCY = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueueOptions:
    """Options of one enqueue; None means: as the kind says.

    delay and timeout in seconds or timedelta; run_at and deadline are aware datetimes; `id` is a UUID and makes the
    enqueue idempotent for as long as that job's row lives; `retention` overrides the queue's for this job.
    """

    queue: str | None = None
    priority: int | str | None = None
    delay: timedelta | float | None = None
    run_at: datetime | None = None
    unique: Unique | str | None = None
    max_attempts: int | None = None
    retry: RetryPolicy | None = None
    timeout: timedelta | float | None = None
    deadline: datetime | timedelta | None = None
    retention: timedelta | None = None
    tags: tuple[str, ...] = ()
    tenant: str | None = None
    concurrency_key: str | None = None
    concurrency_limit: int = 1
    id: UUID | str | None = None
    when: When = When.ALL_COMPLETED

    def unique_key(self) -> Unique | None:
        """The unique option as a `Unique`."""
        if self.unique is None:
            return None
        if isinstance(self.unique, str):
            return Unique(self.unique)
        if isinstance(self.unique, Unique):
            return self.unique
        raise InvalidJob(f"unique must be a text or a Unique, not {self.unique!r}")

    def due_at(self, now: int) -> int | None:
        """When the job may start (µs), None for at once."""
        if self.delay is not None and self.run_at is not None:
            raise InvalidJob("give either delay or run_at, not both")
        if self.run_at is not None:
            return micros("run_at", self.run_at)
        if self.delay is None:
            return None
        delay = _span("delay", self.delay)
        return now + delay if delay else None

    def deadline_at(self, now: int, spec: KindSpec) -> int | None:
        """The deadline in µs."""
        if self.deadline is None and spec.deadline_s is not None:
            return now + int(spec.deadline_s * 1_000_000)
        if isinstance(self.deadline, timedelta):
            return now + _span("deadline", self.deadline)
        return None if self.deadline is None else micros("deadline", self.deadline)

    def level(self, spec: KindSpec) -> int:
        """The priority level."""
        return spec.level if self.priority is None else level_of(self.priority)

    def attempts(self, spec: KindSpec) -> int:
        """The bound on counted runs."""
        if self.max_attempts is None:
            return spec.max_attempts
        if not is_count(self.max_attempts, MAX_ATTEMPTS):
            raise InvalidJob(f"max_attempts must be an integer from 1 to {MAX_ATTEMPTS}, not {self.max_attempts!r}")
        return self.max_attempts

    def stored(self, spec: KindSpec) -> dict[str, Any]:
        """What differs from the engine's defaults, as stored with the job (so that any worker or leader knows it)."""
        out: dict[str, Any] = {}
        timeout_s = spec.timeout_s if self.timeout is None else seconds_of("timeout", self.timeout)
        retry = spec.retry if self.retry is None else checked_policy(self.retry)
        if timeout_s is not None:
            out["timeout"] = timeout_s
        if retry != DEFAULT_RETRY:
            out["retry"] = dump_policy(retry)
        if self.tags or spec.tags:
            out["tags"] = sorted({*spec.tags, *checked_names("tags", self.tags)})
        if self.retention is not None:
            out["retention"] = _span("retention", self.retention)
        elif spec.retention_s is not None:
            out["retention"] = int(spec.retention_s * 1_000_000)
        if spec.ended_by is not None:
            end = spec.ended_by.job_kind
            out["ended_by"] = {"kind": end.kind, "queue": end.queue, "level": end.level, "attempts": end.max_attempts}
        return out

    def checked_id(self) -> str | None:
        """The caller-given id in canonical form."""
        if self.id is None:
            return None
        known = canonical_id(self.id)
        if known is None:
            raise InvalidJob(f"id must be a UUID, not {self.id!r}; for a business key use unique=")
        return known

    def checked_keys(self) -> Mapping[str, str | None]:
        """Tenant and concurrency key, checked."""
        if not is_count(self.concurrency_limit, MAX_CONCURRENCY):
            raise InvalidJob(
                f"concurrency_limit must be an integer from 1 to {MAX_CONCURRENCY}, not {self.concurrency_limit!r}"
            )
        return {
            "tenant": None if self.tenant is None else checked_name("tenant", self.tenant),
            "concurrency_key": None
            if self.concurrency_key is None
            else checked_name("concurrency_key", self.concurrency_key),
        }


def canonical_id(given: object) -> str | None:
    """A UUID, or its text in any of the usual forms, in the one form ids are stored in; None for anything else."""
    try:
        return str(given if isinstance(given, UUID) else UUID(given if isinstance(given, str) else ""))
    except ValueError:
        return None


def _span(what: str, given: timedelta | float) -> int:
    """A duration (timedelta or seconds) in µs. Raises InvalidJob for a negative one and for more than a century."""
    try:
        span = given if isinstance(given, timedelta) else timedelta(seconds=given)
    except (OverflowError, ValueError, TypeError):
        span = None
    if span is None or not timedelta(0) <= span <= _LONGEST:
        raise InvalidJob(f"{what} must be a timedelta or seconds from 0 to {_LONGEST.days} days, not {given!r}")
    return span // _MICROSECOND


def micros(what: str, moment: datetime) -> int:
    """An aware datetime as µs since 1970. Raises InvalidJob for one without a time zone, and for anything else."""
    if not isinstance(moment, datetime):
        raise InvalidJob(f"{what} must be a datetime with a time zone, not {moment!r}")
    if moment.tzinfo is None:
        raise InvalidJob(f"{what} must have a time zone, not {moment!r}; use datetime.now(UTC) or .replace(tzinfo=UTC)")
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(time: int) -> datetime:
    """µs since 1970 as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=time)
