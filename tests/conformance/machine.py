"""Several actors who do random things to a store and to a model of it, compared table by table at each step."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from penstock import codec
from penstock.domain.outcomes import Lost, Outcome, Released
from penstock.domain.states import FINAL, JobState
from penstock.errors import PenstockError
from penstock.store.base import Store
from penstock.store.program import Program
from penstock.store.programs.cancel import cancel, cancel_flow, expire
from penstock.store.programs.change import Move, move_waiting, pause_queue, resume_queue
from penstock.store.programs.claim import ClaimRequest, claim, fall_due, unpark_all
from penstock.store.programs.commit import Writes, commit, finish
from penstock.store.programs.enqueue import Fence
from penstock.store.programs.new import Enqueued, NewFlow, NewJob
from penstock.store.programs.read import job_payload
from penstock.store.programs.retry import Revived, retry_flow, retry_job
from penstock.store.programs.settle import settle
from penstock.store.programs.upkeep import prune
from penstock.store.programs.workers import beat, give_back, rescue
from tests.conformance.machine_inputs import (
    ALL_KINDS,
    BEYOND,
    ENDED_BY,
    KNOWN,
    OUTCOMES,
    PICK,
    PICKS,
    SELDOM,
    WISH,
    WISHES,
    Held,
    Wish,
    at,
    newest,
)
from tests.conformance.model import Model
from tests.conformance.model_ground import AGING, SECOND, Refused
from tests.conformance.tables import Reader, adopt_ending, compare
from tests.support.clock import START, MovableClock

R = TypeVar("R")
WORKERS = (1, 2, 3)
MOST_JOBS = 80
Maybe = st.sampled_from


@dataclass(slots=True)
class Place:
    """One database with its store, for all examples of a test."""

    store: Store
    clock: MovableClock
    reader: Reader


class Machine(RuleBasedStateMachine):
    """The actors. Each rule runs a program on the store and its like on the model, and compares all tables."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.store, self.clock, self.reader = place.store, place.clock, place.reader
        self.model = Model()
        self.runs: list[Held] = []
        self.numbers = 0
        self.seen: list[str] = []
        self.only_flows = False

    @initialize(wishes=st.lists(WISH, min_size=3, max_size=9), more=WISHES, only_flows=st.booleans())
    def begin(self, wishes: list[Wish], more: list[Wish], only_flows: bool) -> None:
        """Each example begins with an empty database, and fills it: with all there is, or only with flows."""
        self.reader.empty()
        self.clock.move_to(START)
        self.only_flows = only_flows
        self.enqueue(wishes, new_flow=True)
        self.enqueue(more, new_flow=True)

    # Doing and comparing.

    def now(self) -> int:
        """A new moment: steps are a millisecond apart, so that places of different steps never meet."""
        self.clock.advance(0.001)
        self.model.now = self.clock.now()
        return self.model.now

    def both(
        self, program: Program[R], change: Callable[[], Any], value: Callable[[R], Any] = lambda answer: answer
    ) -> R | None:
        """Run a program and its like; their answers, or refusals, and then the tables, must be the same."""
        answer: R | None = None
        try:
            answer = self.store.run_sync(program)
            told: Any = value(answer)
        except PenstockError as error:
            told = type(error).__name__
        found = self.reader.read()
        ready = {id_ for id_, row in found.jobs.items() if row.state == JobState.READY}
        self.model.tie = lambda id_: self._first(id_, ready, told)
        try:
            expected: Sequence[Any] = [self.model.trying(change)]
        except Refused as refusal:
            expected = refusal.names
        assert told in expected, f"answered {told!r}, expected {expected!r}"
        for id_ in sorted(found.jobs.keys() - self.model.jobs.keys()):  # as they were enqueued
            payload = self.store.read_sync(job_payload(id_))
            assert payload is not None
            adopt_ending(self.model, found.jobs[id_], codec.loads(payload[0]), ENDED_BY["level"], ENDED_BY["attempts"])
        compare(self.model, found)
        self.part_equals()
        return answer

    def part_equals(self) -> None:
        """Move jobs that came to the same place apart: whom a store takes first is its own choice, and may change."""
        places: set[tuple[str, int]] = set()
        for id_, job in list(self.model.jobs.items()):
            if job.state is JobState.READY or job.parked:
                if (job.queue, job.position) in places:
                    due = self.now()
                    self.both(move_waiting(Move(id_, due), due), partial(self.model.move, id_, due, None))
                    return
                places.add((job.queue, job.position))

    @staticmethod
    def _first(id_: str, ready: set[str], told: Any) -> int:
        """Of equals the store may take whom it likes: who it took comes first, in its order."""
        if isinstance(told, list) and id_ in told:
            return told.index(id_)
        return 1_000_000 + (id_ in ready)

    def jobs(self, *states: JobState) -> list[str]:
        """Ids of the jobs in these states (all), oldest first."""
        return [id_ for id_, job in self.model.jobs.items() if not states or job.state in states]

    def next_id(self) -> str:
        """A new id; in the order of creation."""
        self.numbers += 1
        return f"{self.numbers:08x}-0000-7000-8000-000000000000"

    # Enqueue.

    def writes(self, wishes: Sequence[Wish], new_flow: bool, now: int) -> Writes:
        """The wishes as jobs, the first ones as possible parents of the later, perhaps with a new flow."""
        flows = [NewFlow(self.next_id(), "f")] if new_flow else []
        open_flows = [*self.model.flows, *[flow.id for flow in flows]]
        ids: list[str] = [*self.model.flows, *self.model.jobs, *[flow.id for flow in flows]]
        jobs: list[NewJob] = []
        for asked in wishes:
            wish = Wish(after=asked.after, when=asked.when, attempts=1, flow=0) if self.only_flows else asked
            again = None if wish.again is None else newest(wish.again, self.seen)
            given = again not in (None, BEYOND, *[job.id for job in jobs])
            job = wish.job(again if given and again else self.next_id(), now, self.numbers)
            job.given_id = given
            job.after = () if given else tuple({newest(pick, ids): None for pick in wish.after})
            job.flow_id = None if wish.flow is None or not open_flows else newest(wish.flow, open_flows)
            jobs.append(job)
            ids.append(job.id)
        self.seen += [job.id for job in jobs if job.id not in self.seen]
        return Writes(flows, jobs)

    @staticmethod
    def answers(enqueued: Sequence[Enqueued]) -> list[tuple[str, bool]]:
        """As the model gives them."""
        return [(one.id, one.created) for one in enqueued]

    @precondition(lambda self: len(self.model.jobs) < MOST_JOBS)
    @rule(wishes=WISHES, new_flow=Maybe([False, False, True]))
    def enqueue(self, wishes: list[Wish], new_flow: bool) -> None:
        """A producer."""
        now = self.now()
        w = self.writes(wishes, new_flow, now)
        self.both(commit(w, now), lambda: self.model.commit(w.jobs, w.flows, None), self.answers)

    @precondition(lambda self: self.may_write())
    @rule(pick=PICK, late=SELDOM, wishes=WISHES)
    def enqueue_on_behalf(self, pick: int, late: bool, wishes: list[Wish]) -> None:
        """A run on its way, perhaps a lost one."""
        now, held = self.now(), self.held(pick, late)
        w = self.writes(wishes, False, now)
        fence = Fence(held.job.id, held.job.claim_id)
        self.both(commit(w, now, fence), lambda: self.model.commit(w.jobs, w.flows, held.run), self.answers)

    # Runs.

    def held(self, pick: int, late: bool) -> Held:
        """A run, newest first: one that holds its job; or one that has lost it, to a newer run if there is one."""
        current = [held for held in self.runs if self.holder(held) == held.job.claim_id]
        lost = [held for held in self.runs if self.holder(held) not in (None, held.job.claim_id)]
        among = (lost if late else current) or self.runs
        return among[-1 - pick % len(among)]

    def holder(self, held: Held) -> int | None:
        """The claim that holds the job of this run now."""
        job = self.model.jobs.get(held.job.id)
        return None if job is None else job.claim

    def may_write(self) -> bool:
        """Whether a run holds its job, and there is room for more jobs."""
        return len(self.model.jobs) < MOST_JOBS and bool(self.jobs(JobState.RUNNING))

    @rule(worker=Maybe(WORKERS), queue=Maybe(["strict", "strict", "aged"]), limit=Maybe([1, 2, 5]), kinds=KNOWN)
    def claim(self, worker: int, queue: str, limit: int, kinds: tuple[str, ...]) -> None:
        """A worker; it also takes a job that has to be claimed alone."""
        self.take(worker, queue, limit, kinds, solo=False)
        if any(job.solo for job in self.model.jobs.values()):
            self.take(worker, queue, 1, kinds, solo=True)

    def take(self, worker: int, queue: str, limit: int, kinds: tuple[str, ...], *, solo: bool) -> list[Held]:
        """Claim; the new runs."""
        self.numbers += 1
        claim_id, now = self.numbers, self.now()
        # Gated where there are concurrency keys, so that claiming and admitting are one step, as for the model.
        keyed = any(job.ckey is not None for job in self.model.jobs.values())
        request = ClaimRequest(queue, kinds, limit, claim_id, worker, solo=solo, gated=keyed)
        claimed = self.both(
            claim(request, now),
            lambda: self.model.claim(queue, kinds, limit, solo=solo, claim_id=claim_id, worker=worker),
            lambda answer: [job.id for job in answer.jobs],
        )
        assert claimed is not None
        taken = [Held(job, solo) for job in claimed.jobs]
        self.runs += taken
        return taken

    @rule(worker=Maybe(WORKERS), queue=Maybe(["strict", "aged"]), outcomes=st.lists(OUTCOMES, min_size=1, max_size=6))
    def work(self, worker: int, queue: str, outcomes: list[Outcome]) -> None:
        """A worker takes jobs and ends them together."""
        runs = self.take(worker, queue, len(outcomes), ALL_KINDS, solo=False)
        self.settle_all(list(zip(runs, outcomes, strict=False)), began=True)

    @precondition(lambda self: self.runs)
    @rule(picks=PICKS, late=SELDOM, outcomes=st.lists(OUTCOMES, min_size=4, max_size=4), began=st.booleans())
    def settle(self, picks: list[int], late: bool, outcomes: list[Outcome], began: bool) -> None:
        """A completer: runs that hold their jobs, and late ones, also twice."""
        self.settle_all([(self.held(p, late), o) for p, o in zip(picks, outcomes, strict=False)], began=began)

    def settle_all(self, runs: Sequence[tuple[Held, Outcome]], *, began: bool) -> None:
        """Settle these."""
        now = self.now()
        started = now if began else None
        ends = [(held, at(outcome, now, index)) for index, (held, outcome) in enumerate(runs)]
        self.both(
            settle([held.end(outcome, now, started) for held, outcome in ends], now, "w"),
            lambda: self.model.settle([(held.run, outcome, started) for held, outcome in ends]),
        )

    @precondition(lambda self: self.may_write())
    @rule(pick=PICK, late=SELDOM, outcome=OUTCOMES, wishes=WISHES, new_flow=st.booleans())
    def finish(self, pick: int, late: bool, outcome: Outcome, wishes: list[Wish], new_flow: bool) -> None:
        """A handler's transaction that ends its job."""
        now, held = self.now(), self.held(pick, late)
        outcome = at(outcome, now)
        w = self.writes(wishes, new_flow, now)
        self.both(
            finish(held.end(outcome, now, now), w, now, "w"),
            lambda: self.model.finish(held.run, outcome, now, w.jobs, w.flows),
            self.answers,
        )

    @precondition(lambda self: self.runs)
    @rule(worker=Maybe(WORKERS), picks=PICKS, late=SELDOM)
    def heartbeat(self, worker: int, picks: list[int], late: bool) -> None:
        """A worker says which of its runs have begun, also of such as it has lost."""
        now = self.now()
        runs = [self.held(pick, late).run for pick in sorted(set(picks))]
        started = [(run.job, run.claim, now) for run in runs]
        self.both(
            beat(worker, now, stopping=False, stats={}, started=started),
            lambda: self.model.beat(worker, runs),
            lambda answer: sorted((run.job_id, run.claim_id, run.cancel_requested) for run in answer.held),
        )

    @precondition(lambda self: self.jobs(JobState.RUNNING))
    @rule(worker=Maybe(WORKERS), picks=Maybe([None, None, [0], [0, 1, 2]]))
    def lose_worker(self, worker: int, picks: list[int] | None) -> None:
        """The leader takes a silent worker's runs, or the worker returns some that it does not hold."""
        now = self.now()
        if picks is None:
            self.both(
                rescue(worker, "w", now, random.Random(1)),
                lambda: self.model.take_from(worker, None, lambda job: Lost("w", started=job.started is not None)),
            )
            return
        only = {held.run for pick in picks for held in self.runs[-1 - pick :][:1]}
        self.both(
            give_back(worker, "w", now, {(run.job, run.claim) for run in only}),
            lambda: self.model.take_from(worker, only, lambda _: Released("given back")),
        )

    # From outside.

    @rule(picks=PICKS, whom=Maybe(["running", "blocked", "any", "flow"]))
    def cancel(self, picks: list[int], whom: str) -> None:
        """A person cancels jobs, or a flow."""
        now = self.now()
        if whom == "flow":
            flow = newest(picks[0], list(self.model.flows))
            self.both(
                cancel_flow(flow, now, "enough"),
                lambda: self.model.cancel_flow(flow),
                lambda a: None if a is None else (sorted(a.cancelled), sorted(a.stopping)),
            )
            return
        among = [BEYOND, *self.jobs()] if whom == "any" else self.jobs(JobState(whom))
        ids = [newest(pick, among) for pick in picks[:2]]
        self.both(
            cancel(ids, now, "enough"),
            lambda: self.model.cancel(ids),
            lambda a: (a.cancelled, a.stopping, a.ended, a.unknown),
        )

    @precondition(lambda self: not self.only_flows)
    @rule(pick=PICK, due=Maybe([None, -5, 0, 5, 60]), level=Maybe([None, 0, 10]))
    def move(self, pick: int, due: int | None, level: int | None) -> None:
        """A person moves a job in time or order."""
        now = self.now()
        id_ = newest(pick, self.jobs(JobState.BLOCKED, JobState.SCHEDULED, JobState.READY) or self.jobs())
        due_at = None if due is None else now + due * SECOND
        self.both(move_waiting(Move(id_, due_at, level), now), lambda: self.model.move(id_, due_at, level))

    @precondition(lambda self: self.jobs(*FINAL))
    @rule(pick=PICK, any_job=Maybe([False, False, False, True]))
    def retry_job(self, pick: int, any_job: bool) -> None:
        """A person retries a job."""
        id_ = newest(pick, self.jobs() if any_job else self.jobs(*FINAL))
        self.both(retry_job(id_, self.now()), lambda: self.model.retry_job(id_), self.revived)

    @precondition(lambda self: any(job.state is JobState.FAILED and job.flow for job in self.model.jobs.values()))
    @rule(pick=PICK)
    def retry_flow(self, pick: int) -> None:
        """A person retries a flow."""
        failed = [id_ for id_ in self.model.flows if self.model.counts(id_)[JobState.FAILED]]
        flow = newest(pick, failed or list(self.model.flows))
        self.both(retry_flow(flow, self.now()), lambda: self.model.retry_flow(flow), self.revived)

    @staticmethod
    def revived(answer: Revived) -> tuple[list[str], list[str]]:
        """As the model gives it."""
        return sorted(answer.ready), sorted(answer.blocked)

    # Upkeep.

    @precondition(lambda self: not self.only_flows)
    @rule(seconds=Maybe([1, 5, 5, 60, 130, 100_000]), late=st.booleans())
    def pass_time(self, seconds: int, late: bool) -> None:
        """Time passes, and the leader looks what is due, or what is too late."""
        self.clock.advance(seconds)
        self.both(expire(self.now()), self.model.expire) if late else self.both(
            fall_due(self.now()), self.model.fall_due
        )

    @precondition(lambda self: not self.only_flows)
    @rule(what=Maybe(["prune", "prune", "unpark", "pause", "resume"]), queue=Maybe(list(AGING)))
    def keep_house(self, what: str, queue: str) -> None:
        """The leader forgets what is old, and looks for parked jobs; a person stops and starts a queue."""
        now, paused = self.now(), self.model.paused
        match what:
            case "prune":
                self.both(prune(now), self.model.prune)
            case "unpark":
                self.both(unpark_all(), self.model.unpark_all)
            case "pause":
                self.both(pause_queue(queue, now), lambda: paused.add(queue))
            case _:
                self.both(resume_queue(queue), lambda: queue in paused)
                paused.discard(queue)
