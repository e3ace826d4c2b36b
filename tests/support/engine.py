"""Acting as a worker by hand: claim, settle, rescue, through the engine's programs and nothing else."""

import random
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from penstock import JobData, JobEnded, Secret, codec
from penstock.context import Job
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import (
    Cancelled,
    Completed,
    ErrorRecord,
    Failed,
    Outcome,
    Released,
    RunFacts,
    Snoozed,
    TimedOut,
    decide,
)
from penstock.domain.retry import load_policy
from penstock.domain.states import JobState
from penstock.store.base import Store
from penstock.store.program import LaneKey
from penstock.store.programs.claim import Claimed, ClaimRequest, admit, claim, fall_due
from penstock.store.programs.settle import RunEnd, settle
from penstock.store.programs.workers import WorkerInfo, add_worker, rescue


class Work(JobData, kind="work"):
    """A job that tests tell apart by `n`."""

    n: int = 0


class Tidied(JobEnded, kind="tidied", queue="tidying"):
    """Runs when a `Fragile` job ends without its handler finishing."""


class Fragile(JobData, kind="fragile", max_attempts=2, ended_by=Tidied):
    """A job with an ending of its own."""

    n: int = 0


class Sealed(JobData, kind="sealed", ended_by=Tidied):
    """A job with a secret."""

    token: Secret[str]


@dataclass(slots=True)
class HandWorker:
    """A worker whose steps a test takes one by one."""

    store: Store
    id: int
    name: str
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    @classmethod
    async def register(cls, store: Store, name: str = "hand", *, queues: Sequence[str] = ("default",)) -> "HandWorker":
        """Sign a worker on."""
        kinds = ("fragile", "sealed", "tidied", "work")
        info = WorkerInfo(name, "here", 1, None, tuple(queues), kinds, 30_000_000)
        return cls(store, await store.run(add_worker(info, store.clock.now())), name)

    async def look(self, limit: int = 1000, *, queue: str = "default", **asked: Any) -> Claimed:
        """Claim; `asked` are fields of `ClaimRequest`. All kinds, unless it names some."""
        asked.setdefault("any_kind", "kinds" not in asked)
        asked.setdefault("kinds", ())
        request = ClaimRequest(queue=queue, limit=limit, claim_id=secrets.randbits(63), worker_id=self.id, **asked)
        claimed = await self.store.run(claim(request, self.store.clock.now()), durable=False)
        if not claimed.unadmitted:
            return claimed
        admitted = await self.store.run(admit(request.claim_id, claimed.jobs), durable=False)
        return replace(claimed, jobs=admitted.jobs, stopped=admitted.stopped, unadmitted=False)

    async def claim(self, limit: int = 1000, **asked: Any) -> list[ClaimedJob]:
        """The claimed jobs, in order."""
        return (await self.look(limit, **asked)).jobs

    async def claim_one(self, **asked: Any) -> ClaimedJob:
        """Claim exactly one job."""
        [job] = await self.claim(1, **asked)
        return job

    def end_of(self, job: ClaimedJob, outcome: Outcome, *, started: bool = True, solo: bool = False) -> RunEnd:
        """What settling this run would write."""
        options = codec.loads(job.options) if job.options else {}
        facts = RunFacts(
            job.level, job.attempts_before, job.losses_before, job.max_attempts, load_policy(options.get("retry")),
            None, job.deadline_at, job.position,
        )  # fmt: skip
        now = self.store.clock.now()
        lane = LaneKey(job.queue, job.kind, job.tenant, None, solo)
        return RunEnd(job.id, job.claim_id, lane, decide(outcome, facts, now, self.rng), now if started else None)

    async def settle(self, job: ClaimedJob, outcome: Outcome, **how: Any) -> JobState | None:
        """End a run; the job's new state, or None when the run no longer held its job."""
        return (await self.settle_all([(job, outcome)], **how)).get(job.id)

    async def settle_all(self, runs: Iterable[tuple[ClaimedJob, Outcome]], **how: Any) -> dict[str, JobState]:
        """End runs in one batch."""
        ends = [self.end_of(job, outcome, **how) for job, outcome in runs]
        return await self.store.run(settle(ends, self.store.clock.now(), self.name))

    async def complete(self, job: ClaimedJob, result: Any = None) -> JobState | None:
        """The handler returned."""
        return await self.settle(job, Completed(None if result is None else codec.dumps(result)))

    async def fail(self, job: ClaimedJob, *, permanent: bool = True, message: str = "it broke") -> JobState | None:
        """The handler raised."""
        return await self.settle(job, Failed(ErrorRecord("ValueError", message), permanent=permanent))

    async def time_out(self, job: ClaimedJob) -> JobState | None:
        """The run was stopped at its timeout."""
        return await self.settle(job, TimedOut(1.0))

    async def snooze(self, job: ClaimedJob, seconds: float, reason: str = "later") -> JobState | None:
        """The handler asked for later."""
        return await self.settle(job, Snoozed(self.store.clock.now() + int(seconds * 1_000_000), reason))

    async def release(self, job: ClaimedJob) -> JobState | None:
        """The worker gives the job back."""
        return await self.settle(job, Released("stopping"), started=False)

    async def stop(self, job: ClaimedJob, reason: str = "as asked") -> JobState | None:
        """The run was asked to stop and has."""
        return await self.settle(job, Cancelled(reason))

    async def be_lost(self) -> int:
        """What the leader does once this worker is silent; answers how many runs it took."""
        return await self.store.run(rescue(self.id, self.name, self.store.clock.now(), self.rng))

    async def finish_all(self, **asked: Any) -> list[str]:
        """Claim and complete until nothing is ready; the ids in the order they were taken."""
        done: list[str] = []
        while jobs := await self.claim(**asked):
            await self.settle_all([(job, Completed()) for job in jobs])
            done += [job.id for job in jobs]
        return done

    async def fall_due(self) -> int | None:
        """Let scheduled jobs whose time has come be ready."""
        return await self.store.run(fall_due(self.store.clock.now()))


def run_of(job: ClaimedJob, data: JobData | None = None) -> Job[Any]:
    """The handler's view of a claimed job, without a worker around it."""
    return Job(
        job.id, data or Work.model_validate_json(job.data), job.kind, job.queue, job.attempts_before + 1,
        job.max_attempts, job.claim_id, job.created_at, flow_id=job.flow_id, tenant=job.tenant,
        losses=job.losses_before,
    )  # fmt: skip
