"""What people do with jobs."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from penstock import codec
from penstock.domain.options import canonical_id, micros
from penstock.domain.order import level_of
from penstock.domain.states import FINAL, JobState, JobStatus, status_of
from penstock.errors import InvalidJob, JobCancelled, JobFailed, NotFound, ResultTimeout
from penstock.operations.view import ErrorView, JobView
from penstock.operations.why import Why, why
from penstock.store.base import Store
from penstock.store.programs.cancel import CancelReport, cancel
from penstock.store.programs.change import Move, move_waiting
from penstock.store.programs.read import (
    JobFilter,
    OutcomeRow,
    get_job,
    ids_like,
    job_errors,
    job_outcome,
    job_payload,
    list_jobs,
)
from penstock.store.programs.retry import Revived, retry_job

_HEX = frozenset("0123456789abcdef")
_FIRST_LOOK_S, _LAST_LOOK_S = 0.01, 0.5


class JobOperations:
    """Inspect, wait for, cancel, retry and move jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def resolve(self, prefix: str) -> str:
        """The full id that begins with `prefix`. Raises NotFound, or InvalidJob when several do."""
        return await resolve(self._store, "job", prefix)

    async def get(self, job_id: str) -> JobView:
        """One job. Raises NotFound."""
        row = await self._store.read(get_job(known_id("job", job_id)))
        if row is None:
            raise NotFound(f"no job {job_id}")
        return JobView.of(row)

    async def list(self, wanted: JobFilter | None = None) -> Sequence[JobView]:
        """Jobs, newest first."""
        return [JobView.of(row) for row in await self._store.read(list_jobs(wanted or JobFilter()))]

    async def payload(self, job_id: str) -> tuple[Any, Any]:
        """Data and result as plain JSON values; sealed secrets stay sealed. Raises NotFound."""
        found = await self._store.read(job_payload(known_id("job", job_id)))
        if found is None:
            raise NotFound(f"no job {job_id}")
        return codec.loads(found[0]), None if found[1] is None else codec.loads(found[1])

    async def errors(self, job_id: str) -> Sequence[ErrorView]:
        """The error history, oldest first; none for an unknown job. Raises NotFound for what is no id."""
        return [ErrorView.of(row) for row in await self._store.read(job_errors(known_id("job", job_id)))]

    async def why(self, job_id: str) -> Why:
        """Why a job is where it is, and until when. Raises NotFound."""
        return await why(self._store, known_id("job", job_id))

    async def status_of(self, job_id: str) -> JobStatus:
        """The status now. Raises NotFound."""
        return status_of(JobState((await self._outcome(job_id)).state))

    async def result_of(self, job_id: str, timeout: float | None = None) -> Any:
        """Wait for the end; the result as plain JSON. Raises JobFailed, JobCancelled, ResultTimeout, NotFound."""
        pause = _FIRST_LOOK_S
        try:
            async with asyncio.timeout(timeout):
                while JobState((outcome := await self._outcome(job_id)).state) not in FINAL:
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, _LAST_LOOK_S)
        except TimeoutError:
            raise ResultTimeout(f"job {job_id} had not ended after {timeout} s; it goes on") from None
        return result_value(job_id, outcome)

    async def _outcome(self, job_id: str) -> OutcomeRow:
        outcome = await self._store.read(job_outcome(known_id("job", job_id)))
        if outcome is None:
            raise NotFound(f"no job {job_id} (was it pruned?)")
        return outcome

    async def cancel(self, job_id: str, *, reason: str = "cancelled by a person", on: Any = None) -> CancelReport:
        """Cancel one job. Raises NotFound; a job that has ended is reported, not an error."""
        report = await self.cancel_many([known_id("job", job_id)], reason=reason, on=on)
        if report.unknown:
            raise NotFound(f"no job {job_id}")
        return report

    async def cancel_many(
        self, ids: Sequence[str], *, reason: str = "cancelled by a person", on: Any = None
    ) -> CancelReport:
        """Cancel jobs: waiting ones end now, running ones are told to stop; with `on=` in the caller's transaction."""
        program = cancel([known_id("job", id_) for id_ in ids], self._store.clock.now(), reason)
        return await (self._store.run(program) if on is None else self._store.run_on(on, program))

    async def retry(self, job_id: str) -> Revived:
        """Run an ended job again, keeping its history. Raises NotFound, Conflict, UniqueKeyTaken."""
        return await self._store.run(retry_job(known_id("job", job_id), self._store.clock.now()))

    async def move(self, job_id: str, *, run_at: datetime | None = None, priority: int | str | None = None) -> JobState:
        """Reschedule or reprioritise a waiting job. Raises NotFound, Conflict, InvalidJob."""
        due = None if run_at is None else micros("run_at", run_at)
        level = None if priority is None else level_of(priority)
        return await self._store.run(move_waiting(Move(known_id("job", job_id), due, level), self._store.clock.now()))


def known_id(what: str, given: object) -> str:
    """The id in canonical form. Raises NotFound for what cannot be the id of a job or flow."""
    id_ = canonical_id(given)
    if id_ is None:
        raise NotFound(f"no {what} {given}: an id is a UUID")
    return id_


def result_value(job_id: str, outcome: OutcomeRow) -> Any:
    """The result of an ended job, or its error raised."""
    if outcome.state == JobState.FAILED:
        raise JobFailed(job_id, outcome.reason or "no reason recorded")
    if outcome.state == JobState.CANCELLED:
        raise JobCancelled(job_id, outcome.reason or "no reason recorded")
    return None if outcome.result is None else codec.loads(outcome.result)


async def resolve(store: Store, what: str, prefix: str) -> str:
    """The full id of the `what` ("job" or "flow") that begins with `prefix`."""
    digits = prefix.replace("-", "").lower()
    if not digits or len(digits) > 32 or not set(digits) <= _HEX:
        raise InvalidJob(f"{prefix!r} is no {what} id: give hexadecimal digits, at least the first few")
    found = await store.read(ids_like(f"{what}_ids_like", digits))
    if not found:
        raise NotFound(f"no {what} begins with {prefix}")
    if len(found) > 1:
        raise InvalidJob(f"{prefix!r} is the beginning of several {what} ids ({', '.join(found)} …); give more digits")
    return found[0]
