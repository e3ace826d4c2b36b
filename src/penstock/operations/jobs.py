"""What people do with jobs."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from penstock import codec
from penstock.domain.options import canonical_id, micros
from penstock.domain.order import level_of
from penstock.domain.states import FINAL, JobState, JobStatus, status_of
from penstock.domain.steps import checked_step
from penstock.errors import InvalidJob, JobCancelled, JobFailed, NotFound, PayloadTooLarge, ResultTimeout
from penstock.operations.steps import StepView, copy_of, signal_json
from penstock.operations.streams import StreamView
from penstock.operations.usage import CallView
from penstock.operations.view import ErrorView, JobSummary, JobView
from penstock.operations.why import Why, why
from penstock.sealing import Keyring
from penstock.store.base import Store
from penstock.store.program import Program
from penstock.store.programs.cancel import CancelReport, cancel
from penstock.store.programs.change import Move, move_waiting
from penstock.store.programs.ledger import calls_of_job
from penstock.store.programs.read import (
    JobFilter,
    OutcomeRow,
    get_job,
    ids_like,
    job_errors,
    job_outcome,
    job_payload,
    job_summary,
    list_jobs,
)
from penstock.store.programs.retry import Revived, retry_job
from penstock.store.programs.steps import rerun, send_signal, steps_of
from penstock.store.programs.streams import streams_of
from penstock.store.programs.upkeep import prune_older

_HEX = frozenset("0123456789abcdef")
_FIRST_LOOK_S, _LAST_LOOK_S = 0.01, 0.5


class JobOperations:
    """Inspect, wait for, cancel, retry, rerun, signal and move jobs."""

    def __init__(self, store: Store, keyring: Keyring, max_payload_bytes: int) -> None:
        self._store = store
        self._keyring = keyring
        self._max_payload_bytes = max_payload_bytes

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

    async def find(
        self,
        *,
        statuses: Collection[JobStatus] = (),
        queue: str | None = None,
        kind: str | None = None,
        tenant: str | None = None,
        since: datetime | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> Sequence[JobView]:
        """Jobs of these statuses (none named: all), newest first.

        since: enqueued then or later; before: the last id of the page before. InvalidJob for a time without a zone.
        """
        states = tuple(state for state in JobState if status_of(state) in statuses) if statuses else None
        at = None if since is None else micros("since", since)
        return await self.list(
            JobFilter(states=states, queue=queue, kind=kind, tenant=tenant, since=at, before=before, limit=limit)
        )

    async def summary(self, queues: Collection[str], *, since: datetime | None = None) -> JobSummary:
        """The jobs of these queues counted, those enqueued since then or all. Reads the whole history: not for the hot
        path. Raises InvalidJob for a time without a zone."""
        rows = await self._store.read(job_summary(None if since is None else micros("since", since)))
        return JobSummary.of(row for row in rows if row.queue in queues)

    async def prune(self, queues: Collection[str], *, older_than: timedelta) -> int:
        """Delete jobs of these queues that ended so long ago; answers how many went.

        For who keeps them by a rule of their own, beside the queues' `Retention`. Never a job that one after it, or its
        flow, still needs.
        """
        gone, now = 0, self._store.clock.now()
        before = now - older_than // timedelta(microseconds=1)
        for queue in sorted(queues):
            while found := await self._store.run(prune_older(queue, before, now)):
                gone += found
        return gone

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

    async def rerun(self, job_id: str, *, from_step: str) -> str:
        """Enqueue a copy of a job, with a history of its own, that has done what was done before this step.

        Answers the copy's id. It is in no flow and holds no unique key. Raises NotFound, which names the steps that
        there are; SealingError.
        """
        row = await self._store.read(get_job(known_id("job", job_id)))
        payload = await self._store.read(job_payload(known_id("job", job_id)))
        if row is None or payload is None:
            raise NotFound(f"no job {job_id}")
        copy = copy_of(row, payload[0], self._keyring)
        await self._store.run(rerun(row.id, from_step, copy, self._store.clock.now()))
        return copy.id

    async def signal(self, job_id: str, name: str, data: Any = None, *, on: Any = None) -> bool:
        """See `Penstock.signal`."""
        program = self.signalling(job_id, name, data)
        return await (self._store.run(program) if on is None else self._store.run_on(on, program))

    def signalling(self, job_id: str, name: str, data: Any) -> Program[bool]:
        """The program that sends a signal. Raises NotFound, InvalidJob."""
        text = signal_json(data)
        if len(text) > self._max_payload_bytes:
            raise PayloadTooLarge(f"the data of signal {name!r}", len(text), self._max_payload_bytes)
        return send_signal(known_id("job", job_id), checked_step("signal", name), text, self._store.clock.now())

    async def calls(self, job_id: str) -> Sequence[CallView]:
        """The model calls that the job has made, in order; none for an unknown job. Raises NotFound."""
        return [CallView.of(row) for row in await self._store.read(calls_of_job(known_id("job", job_id)))]

    async def steps(self, job_id: str) -> Sequence[StepView]:
        """What the job's handler has done and waits for, in order; none for an unknown job. Raises NotFound."""
        id_ = known_id("job", job_id)
        return [StepView.of(row) for row in (await self._store.read(steps_of([id_])))[id_]]

    async def streams(self, job_id: str) -> Sequence[StreamView]:
        """What the job's runs have streamed, by name; none for an unknown job. Raises NotFound for what is no id."""
        found = await self._store.read(streams_of(known_id("job", job_id)))
        return [] if found is None else [StreamView.of(head) for head in found[1]]

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
