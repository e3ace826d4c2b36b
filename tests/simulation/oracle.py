"""What a schedule's steps should answer and leave behind: the model of the state machine, and beside it who works."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Lost, Outcome, Released
from penstock.domain.states import JobState
from penstock.store.programs.events import NewEvent
from penstock.store.programs.new import NewFlow, NewJob
from penstock.store.programs.settle import RunEnd
from penstock.store.programs.workers import Lead
from tests.conformance.machine_inputs import ENDED_BY
from tests.conformance.model import Model
from tests.conformance.model_ground import ModelJob, Run
from tests.simulation.database import TOTALS

ENDING = ENDED_BY | {"attempts": 1}
"""What runs at the end of a fragile job. It has one attempt: a second would come after a delay that no seed draws."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, and what its worker will write of it, however often. `at`: when that was decided (µs)."""

    run: Run
    outcome: Outcome
    started: int | None
    at: int
    row: RunEnd


class Oracle(Model):
    """The model, with workers and their leader, totals of queues, the log, and endings written after their decision."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: dict[int, int] = {}
        self.signed_on = 0
        self.lead: Lead | None = None
        self.log: list[tuple[str, str | None]] = []
        self.unadmitted: set[Run] = set()
        self.had_children: set[str] = set()
        self.streams: dict[str, tuple[int, int, str]] = {}
        self._all_fit = False
        self._decided: dict[Run, int] = {}

    # Runs.

    def claim(
        self, queue: str, kinds: Iterable[str], limit: int, *, solo: bool, claim_id: int, worker: int
    ) -> list[str]:
        """As the model's, within the queue's total. Without one, concurrency keys are looked at by `admit`."""
        gated = queue in TOTALS
        if gated:
            running = sum(job.queue == queue and job.state is JobState.RUNNING for job in self.jobs.values())
            limit = max(0, min(limit, TOTALS[queue] - running))
        self._all_fit = not gated
        taken = super().claim(queue, kinds, limit, solo=solo, claim_id=claim_id, worker=worker)
        self._all_fit = False
        if not gated:
            self.unadmitted |= {Run(id_, claim_id) for id_ in taken if self.jobs[id_].ckey is not None}
        return taken

    def _running(self, ckey: str) -> int:
        return 0 if self._all_fit else super()._running(ckey)

    def admit(self, claim_id: int, jobs: Sequence[ClaimedJob]) -> list[str]:
        """Of claimed jobs, those that may start beside what others hold of their keys; the rest is parked, or is to

        end when its cancel was requested meanwhile: then it never counts as admitted.
        """
        keys = Counter(job.concurrency_key for job in jobs if job.concurrency_key is not None)
        running = {key: self._running(key) - own for key, own in keys.items()}
        kept: list[str] = []
        for claimed in jobs:
            key = claimed.concurrency_key
            job = self.jobs.get(claimed.id)
            holds = job is not None and job.claim == claim_id
            if key is None or running[key] < (claimed.concurrency_limit or 0):
                kept.append(claimed.id)
                running |= {} if key is None else {key: running[key] + 1}
                self.unadmitted.discard(Run(claimed.id, claim_id))
            elif job is not None and holds and not job.stop_asked:
                job.go(JobState.SCHEDULED)
                job.claim = None
                self.unadmitted.discard(Run(claimed.id, claim_id))
        return kept

    def write_endings(self, endings: Sequence[Ending]) -> dict[str, JobState]:
        """Settle; delays count from when each ending was decided, not from when it is written."""
        self._decided = {ending.run: ending.at for ending in endings}
        return self.settle([(ending.run, ending.outcome, ending.started) for ending in endings])

    def complete(self, endings: Sequence[Ending]) -> set[str]:
        """Of these completed runs end those to whose jobs nothing is tied, and which nobody has asked to stop; answers

        the jobs of the others.
        """
        plain = [ending for ending in endings if self._is_plain(ending.run)]
        return {ending.run.job for ending in endings} - self.write_endings(plain).keys()

    def _is_plain(self, run: Run) -> bool:
        job = self.jobs.get(run.job)
        if job is None or job.claim != run.claim or job.stop_asked:
            return False
        return job.flow is None and job.unique is None and job.ckey is None and job.id not in self.had_children

    def enqueue(self, new: Sequence[NewJob], flows: Sequence[NewFlow], fence: Run | None) -> list[tuple[str, bool]]:
        """As `commit`; remembers who has ever had a job after it."""
        answers = self.commit(new, flows, fence)
        self.had_children.update(parent for job in self.jobs.values() for parent in job.after)
        return answers

    def _settle_one(self, run: Run, outcome: Outcome, started: int | None) -> ModelJob | None:
        written = self.now
        self._written, self._at = written, self._decided.pop(run, written)
        return super()._settle_one(run, outcome, started)

    def _decide(self, job: ModelJob, outcome: Outcome) -> tuple[JobState, bool]:
        self.now = self._at
        try:
            return super()._decide(job, outcome)
        finally:
            self.now = self._written

    def progress(self, run: Run) -> set[str]:
        """A run tells how far it is; its job, when that counts."""
        job = self.jobs.get(run.job)
        return {run.job} if job is not None and job.claim == run.claim and not job.stop_asked else set()

    def stream(self, run: Run, start: int, text: str) -> tuple[set[str], int, str]:
        """A run streams; its job, when that counts, and the version and text that readers get then."""
        taken = self.progress(run)
        version, claim, known = self.streams.get(run.job, (0, 0, "")) if run.job in self.jobs else (0, 0, "")
        if taken:
            if claim != run.claim:
                version, known = version + 1, ""
            known = max(known, known[:start] + text, key=len)
            self.streams[run.job] = (version, run.claim, known)
        return taken, version, known

    def publish(self, events: Sequence[NewEvent]) -> None:
        """Append to the log."""
        self.log += [(event.type, event.subject) for event in events]

    # Workers.

    def sign_on(self) -> int:
        """A worker registers; its number."""
        self.signed_on += 1
        self.workers[self.signed_on] = 0
        return self.signed_on

    def sign_off(self, worker: int) -> None:
        """A worker goes; while it holds jobs it stays listed, so that they are rescued."""
        if not self._held_by(worker):
            self.workers.pop(worker, None)

    def renew(self, worker: int, begun: Iterable[Run]) -> tuple[bool, list[tuple[str, int, bool]]]:
        """A heartbeat; whether the worker is still registered, and what it should hold."""
        known = worker in self.workers
        if known:
            self.workers[worker] += 1
        return known, self.beat(worker, begun)

    def beats(self) -> dict[int, int]:
        """The counters of all workers, -1 for those who hold jobs without being registered."""
        holders = {job.worker for job in self.jobs.values() if job.state is JobState.RUNNING and job.worker}
        return dict.fromkeys(sorted(holders), -1) | self.workers

    def rescue(self, worker: int, limit: int) -> int:
        """The leader takes the oldest runs of a worker, and forgets it when these were all."""
        held = sorted(self._held_by(worker), key=lambda job: job.id)[:limit]
        only = {Run(job.id, job.claim or 0) for job in held}
        taken = self.take_from(worker, only, lambda job: Lost("w", started=job.started is not None))
        if taken < limit:
            self.workers.pop(worker, None)
        return taken

    def give_back(self, worker: int, only: Collection[tuple[str, int]]) -> int:
        """A worker returns runs that it does not hold."""
        runs = {Run(job, claim) for job, claim in only}
        return self.take_from(worker, runs, lambda _: Released("given back"))

    def take_lead(self, worker: int, seen: Lead | None) -> int | None:
        """A candidate asks for the term after the one it has seen."""
        if self.lead is not None and (seen is None or (seen.term, seen.beats) != (self.lead.term, self.lead.beats)):
            return None
        self.lead = Lead(worker, 1 if self.lead is None else self.lead.term + 1, 0)
        return self.lead.term

    def keep_lead(self, worker: int, term: int) -> bool:
        """A leader renews its term."""
        lead = self.lead
        if lead is None or (lead.worker_id, lead.term) != (worker, term):
            return False
        self.lead = Lead(worker, term, lead.beats + 1)
        return True


def run_of(claimed: ClaimedJob) -> Run:
    """As the model knows it."""
    return Run(claimed.id, claimed.claim_id)


def check_limits(oracle: Oracle) -> None:
    """Of each concurrency key no more runs are admitted than it allows, and nothing is parked while it has room."""
    by_key: dict[str, list[ModelJob]] = {}
    for job in oracle.jobs.values():
        if job.ckey is not None:
            by_key.setdefault(job.ckey, []).append(job)
    for key, jobs in by_key.items():
        running = [job for job in jobs if job.state is JobState.RUNNING]
        admitted = [job for job in running if Run(job.id, job.claim or 0) not in oracle.unadmitted]
        assert len(admitted) <= max((job.climit or 0 for job in admitted), default=0), f"too many of {key} run"
        going = len(running) + sum(job.state is JobState.READY for job in jobs)
        for job in jobs:
            room = 1 if key == "mixed" else job.climit or 0
            assert not job.parked or going >= room, f"{job.id} is parked, and {key} has room"
