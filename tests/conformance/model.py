"""What the engine's tables should say: written from the rules, as loops over dicts, without the engine's programs.

Every public method does to the model what the program of that name does to a store, or raises `Refused`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from penstock.domain.outcomes import Cancelled, Completed, Failed, Lost, Outcome, Released, Snoozed, TimedOut
from penstock.domain.states import FINAL, WAITING, JobState
from penstock.store.programs.new import NewFlow, NewJob
from tests.conformance.model_ground import (
    AGING,
    DAY,
    KEPT,
    LOSSES_BEFORE_SOLO,
    MOST_LOSSES,
    SECOND,
    Key,
    ModelFlow,
    ModelJob,
    Refused,
    Run,
)
from tests.conformance.model_retry import RetryModel


class Model(RetryModel):
    """A store, as it should behave."""

    # Enqueue.

    def commit(self, new: Sequence[NewJob], flows: Sequence[NewFlow], fence: Run | None) -> list[tuple[str, bool]]:
        """Enqueue, perhaps on behalf of a run; the id that stands for each job and whether it was created."""
        if fence is not None:
            self._held(fence)
        for flow in flows:
            self.flows.setdefault(flow.id, ModelFlow(flow.id))
        holders, freed = self._take_keys(new)
        reasons: set[str] = set()
        created: set[str] = set()
        never: list[ModelJob] = []
        asked = [job for job in new if holders.get(job.id, job.id) == job.id]
        for index, job in enumerate(asked):
            after = tuple(dict.fromkeys(holders.get(parent, parent) for parent in job.after))
            reasons |= {"InvalidJob" for later in asked[index:] if later.id in after}
            reasons |= {"NotFound" for parent in after if parent not in self.jobs and parent not in self.flows}
            if job.id in self.jobs:
                continue
            made = self._make(job, after, index)
            flow_of = self.flows.get(made.flow or "")
            if made.flow is not None and (flow_of is None or flow_of.finished is not None):
                reasons.add("NotFound" if flow_of is None else "FlowEnded")
            never += [made] if made.state is JobState.BLOCKED and self.fate(made) == "never" else []
            self.jobs[made.id] = made
            created.add(made.id)
        if reasons:
            raise Refused(*reasons)
        for dead in never:
            self._end(dead, JobState.CANCELLED, unfinished=True)
            dead.culprit = "?"
        self._follow(never)
        self._unpark(freed)
        return [(holders.get(job.id, job.id), job.id in created) for job in new]

    def _make(self, new: NewJob, after: tuple[str, ...], index: int) -> ModelJob:
        stored = new.options.get("retry", {"f": [0]})
        flow = new.flow_id
        if flow is None and after:
            shared = {self.jobs[parent].flow if parent in self.jobs else None for parent in after}
            flow = shared.pop() if len(shared) == 1 else None
        due = new.due_at if new.due_at is not None and new.due_at > self.now else None
        job = ModelJob(
            new.id, new.lane.queue, new.lane.kind, new.lane.tenant, JobState.READY, new.level, new.max_attempts,
            self.now, due or self.now, due, stored["f"][0], new.deadline_at, after, new.when, flow,
            new.unique.key if new.unique else None, new.concurrency_key,
            new.concurrency_limit if new.concurrency_key else None,
        )  # fmt: skip
        if after and self.fate(job) != "start":
            job.state = JobState.BLOCKED
        elif due is not None:
            job.state = JobState.SCHEDULED
        return job

    def _take_keys(self, new: Sequence[NewJob]) -> tuple[dict[str, str], set[str]]:
        """Who stands for each job that has a key (a job that exists already takes none); what may have room now."""
        first: dict[str, NewJob] = {}
        for job in new:
            if job.unique is not None:
                first.setdefault(job.unique.key, job)
        stands: dict[str, str] = {}
        freed: set[str | None] = set()
        for key, job in first.items():
            assert job.unique is not None
            held = self.keys.get(key)
            if held is not None and not (held.expires is not None and held.expires <= self.now):
                stands[key] = held.job
                if job.unique.replace:
                    freed.add(self._replace(held.job, job))
                continue
            stands[key] = job.id
            self.keys.pop(key, None)
            if job.id not in self.jobs:
                self.keys[key] = Key(job.id, job.unique.scope, job.unique.expires_at(self.now))
        return {job.id: stands[job.unique.key] for job in new if job.unique}, {key for key in freed if key}

    def _replace(self, holder: str, new: NewJob) -> str | None:
        """Debounce: a waiting holder of the same kind takes the new time and level; a key that may have room now."""
        job = self.jobs.get(holder)
        if job is None or job.state not in WAITING or job.kind != new.lane.kind:
            return None
        due = new.due_at if new.due_at is not None and new.due_at > self.now else None
        job.level, job.ready_at = new.level, due or self.now
        if not job.parked:
            job.due = due
            if job.state is not JobState.BLOCKED:
                job.state = JobState.SCHEDULED if due is not None else JobState.READY
        return job.ckey if job.state is JobState.SCHEDULED else None

    # Runs.

    def _held(self, run: Run) -> ModelJob:
        """The job of a run that may write. Raises Refused."""
        job = self.jobs.get(run.job)
        if job is None or job.claim != run.claim or job.stop_asked:
            raise Refused("ClaimLost")
        return job

    def claim(
        self, queue: str, kinds: Iterable[str], limit: int, *, solo: bool, claim_id: int, worker: int
    ) -> list[str]:
        """A worker takes jobs; their ids in order."""
        turns: Counter[tuple[str | None, int]] = Counter()
        places: list[tuple[int, int, int, int, str]] = []
        can = [j for j in self.jobs.values() if j.queue == queue and j.state is JobState.READY and j.kind in kinds]
        for job in sorted((j for j in can if j.solo == solo), key=lambda j: (j.position, self.tie(j.id))):
            band = -job.level if AGING[queue] is None else 0
            turns[job.tenant, band] += 1
            places.append((band, turns[job.tenant, band], job.position, self.tie(job.id), job.id))
        kept: list[str] = []
        for *_, id_ in sorted(places)[: 0 if queue in self.paused else limit]:
            job = self.jobs[id_]
            room = job.ckey is None or self._running(job.ckey) < (job.climit or 0)
            job.go(JobState.RUNNING)
            job.started = None
            if room:
                job.claim, job.worker = claim_id, worker
                kept.append(id_)
            else:
                job.go(JobState.SCHEDULED)
        return kept

    def beat(self, worker: int, begun: Iterable[Run]) -> list[tuple[str, int, bool]]:
        """A heartbeat says that these runs have begun; job, claim and wish to stop of all runs it should hold."""
        for run in begun:
            job = self.jobs.get(run.job)
            if job is not None and job.claim == run.claim:
                job.started = self.now
        return sorted((j.id, j.claim or 0, j.stop_asked) for j in self._held_by(worker))

    def _held_by(self, worker: int) -> list[ModelJob]:
        return [j for j in self.jobs.values() if j.state is JobState.RUNNING and j.worker == worker]

    def settle(self, ends: Sequence[tuple[Run, Outcome, int | None]]) -> dict[str, JobState]:
        """End runs (run, outcome, when its handler began); the new states of those that held their job."""
        states: dict[str, JobState] = {}
        left = list(ends)
        while left:
            batch = {end[0].job: end for end in reversed(left)}
            moved = [job for end in batch.values() if (job := self._settle_one(*end)) is not None]
            states |= {job.id: job.state for job in moved}
            self._follow(moved)
            left = [end for end in left if batch[end[0].job] is not end]
        return states

    def _settle_one(self, run: Run, outcome: Outcome, started: int | None) -> ModelJob | None:
        job = self.jobs.get(run.job)
        if job is None or job.claim != run.claim:
            return None
        job.claim = None
        job.started = started if started is not None else job.started
        state, unfinished = self._decide(job, outcome)
        if job.stop_asked:
            unfinished = unfinished if state is JobState.CANCELLED else True
            state, job.due = JobState.CANCELLED, None
        if state in FINAL:
            self._end(job, state, unfinished=unfinished)
        else:
            job.go(state)
        return job

    def _decide(self, job: ModelJob, outcome: Outcome) -> tuple[JobState, bool]:
        """Where a run leads, and whether that is an end without its handler finishing; counts what it spends."""
        match outcome:
            case Completed():
                job.attempt += 1
                return JobState.COMPLETED, False
            case Snoozed(until=until):
                job.due = max(until, self.now)
                job.ready_at = job.due
                return JobState.SCHEDULED, False
            case Cancelled(by_handler=by_handler):
                return JobState.CANCELLED, not by_handler
            case Released():
                return JobState.READY, False
            case Failed(permanent=permanent, after_s=after_s, by_handler=by_handler):
                return self._again(job, after_s, permanent=permanent), not by_handler
            case TimedOut():
                return self._again(job, None), True
            case Lost(started=started):
                return self._lose(job, started=started), True

    def _lose(self, job: ModelJob, *, started: bool) -> JobState:
        job.losses += 1
        if started:
            return self._again(job, None)
        if job.losses >= MOST_LOSSES:
            return JobState.FAILED
        job.solo |= job.losses >= LOSSES_BEFORE_SOLO
        return JobState.READY

    def _again(self, job: ModelJob, after_s: float | None, *, permanent: bool = False) -> JobState:
        job.attempt += 1
        wait = int((job.retry_s if after_s is None else after_s) * SECOND)
        if permanent or job.attempt >= job.max_attempts:
            return JobState.FAILED
        if job.deadline is not None and self.now + wait >= job.deadline:
            return JobState.FAILED
        job.solo |= job.losses >= LOSSES_BEFORE_SOLO
        job.ready_at = self.now + wait
        job.due = job.ready_at if wait else None
        return JobState.SCHEDULED if wait else JobState.READY

    def finish(
        self, run: Run, outcome: Outcome, started: int, new: Sequence[NewJob], flows: Sequence[NewFlow]
    ) -> list[tuple[str, bool]]:
        """End a run together with what it enqueues."""
        answers = self.commit(new, flows, run)
        self.settle([(run, outcome, started)])
        return answers

    def take_from(self, worker: int, only: set[Run] | None, outcome: Callable[[ModelJob], Outcome]) -> int:
        """End the runs of a worker that no longer has them; how many."""
        runs = [j for j in self._held_by(worker) if only is None or Run(j.id, j.claim or 0) in only]
        self.settle([(Run(j.id, j.claim or 0), outcome(j), j.started) for j in runs])
        return len(runs)

    # From outside.

    def cancel(self, ids: Iterable[str]) -> tuple[list[str], list[str], list[str], list[str]]:
        """Cancel jobs: ended now, asked to stop, had ended, unknown."""
        known = [self.jobs[id_] for id_ in sorted(set(ids)) if id_ in self.jobs]
        waiting = [job for job in known if job.state in WAITING]
        running = [job for job in known if job.state is JobState.RUNNING]
        over = [job.id for job in known if job.state in FINAL]
        for job in running:
            job.stop_asked = True
        for job in waiting:
            self._end(job, JobState.CANCELLED, unfinished=True)
        self._follow(waiting)
        unknown = [id_ for id_ in sorted(set(ids)) if id_ not in self.jobs]
        return [job.id for job in waiting], [job.id for job in running], over, unknown

    def cancel_flow(self, flow: str) -> tuple[list[str], list[str]] | None:
        """Cancel the open jobs of a flow; ended now, asked to stop."""
        if flow not in self.flows:
            return None
        cancelled, stopping, _, _ = self.cancel([job.id for job in self.members(flow) if job.state not in FINAL])
        return cancelled, stopping

    def expire(self) -> int:
        """Fail what waits beyond its deadline."""
        late = [j for j in self.jobs.values() if j.state in WAITING and j.deadline is not None]
        late = [job for job in late if (job.deadline or 0) <= self.now]
        for job in late:
            self._end(job, JobState.FAILED, unfinished=True)
        self._follow(late)
        return len(late)

    def fall_due(self) -> int | None:
        """Let what is due be ready; when the next is due."""
        for job in self.jobs.values():
            if job.state is JobState.SCHEDULED and job.due is not None and job.due <= self.now:
                job.go(JobState.READY)
                job.ready_at, job.due = job.due, None
        return min((j.due for j in self.jobs.values() if j.state is JobState.SCHEDULED and j.due), default=None)

    def move(self, id_: str, due: int | None, level: int | None) -> JobState:
        """Move a waiting job in time or order."""
        job = self.jobs.get(id_)
        if job is None or job.state not in WAITING:
            raise Refused("NotFound" if job is None else "Conflict")
        job.level = job.level if level is None else level
        if due is None:
            return job.state
        if job.parked:
            job.ready_at = self.now
            return job.state
        job.due = due if due > self.now else None
        job.ready_at = job.due or self.now
        if job.state is not JobState.BLOCKED:
            left = job.state is JobState.READY and job.due is not None
            job.state = JobState.SCHEDULED if job.due else JobState.READY
            self._unpark({job.ckey} if left and job.ckey else set())
        return job.state

    # Upkeep.

    def prune(self) -> int:
        """Forget what ended long enough ago and nobody needs."""
        gone = [job for job in self.jobs.values() if self._prunable(job)]
        for job in gone:
            del self.jobs[job.id]
            if job.flow in self.flows:
                self.flows[job.flow].gone[job.state] += 1
        self.keys = {k: v for k, v in self.keys.items() if v.expires is None or v.expires > self.now}
        for flow in list(self.flows.values()):
            old = flow.finished is not None and flow.finished <= self.now - DAY
            if old and not self.members(flow.id) and not self.children(flow.id):
                del self.flows[flow.id]
        return len(gone)

    def _prunable(self, job: ModelJob) -> bool:
        age = KEPT[job.queue].get(job.state)
        flow = self.flows.get(job.flow or "")
        return (
            job.finished is not None
            and age is not None
            and job.finished <= self.now - age
            and (flow is None or flow.finished is not None)
            and all(child.state in FINAL for child in self.children(job.id))
        )
