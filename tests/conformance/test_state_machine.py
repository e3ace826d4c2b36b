"""Random operations of several actors on each store, compared with the model after each step.

`HYPOTHESIS_PROFILE=deep` plays longer and many more times.
"""

import asyncio
import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from penstock import ClaimLost, Conflict, Fixed, FlowEnded, Penstock, UniqueKeyTaken, When
from penstock.domain.flows import FlowStatus
from penstock.domain.outcomes import Cancelled, Completed, ErrorRecord, Failed, Outcome, Released, Snoozed
from penstock.domain.states import FINAL, LEGAL, WAITING, JobState
from penstock.store.programs.cancel import cancel, cancel_flow, expire
from penstock.store.programs.change import Move, move_waiting, pause_queue, resume_queue
from penstock.store.programs.claim import ClaimedJob, ClaimRequest, claim, fall_due, unpark_all
from penstock.store.programs.commit import Writes, finish
from penstock.store.programs.retry import retry_flow, retry_job
from penstock.store.programs.settle import settle
from penstock.store.programs.workers import beat, rescue
from tests.conformance.arena import Arena
from tests.conformance.databases import Database
from tests.conformance.model import RETRY_US, Model, ModelJob
from tests.support.clock import MovableClock
from tests.support.engine import Work

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
SETTINGS = settings(
    max_examples=1_000 if DEEP else 60,
    stateful_step_count=80 if DEEP else 30,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)

ERROR = ErrorRecord("E", "m")
WORKERS = (1, 2, 3)
PICK = st.integers(0, 10_000)

enqueued = st.fixed_dictionaries(
    {
        "parents": st.lists(PICK, max_size=3),
        "when": st.sampled_from(When),
        "flow": st.none() | PICK,
        "unique": st.none() | st.sampled_from(["u0", "u1"]),
        "ckey": st.none() | st.sampled_from(["c0", "c1"]),
        "climit": st.integers(1, 2),
        "delay": st.sampled_from([0, 0, 0, 5]),
        "deadline": st.sampled_from([None, None, None, 8]),
        "max_attempts": st.integers(1, 3),
    }
)
outcomes: st.SearchStrategy[Outcome] = st.sampled_from(
    [
        Completed(b"1"),
        Completed(b"1"),
        Failed(ERROR),
        Failed(ERROR, permanent=True),
        Snoozed(0, "later"),
        Released("stopping"),
        Cancelled("myself", by_handler=True),
    ]
)


class Machine(RuleBasedStateMachine):
    """The actors: producers, three workers, a leader, a person."""

    def __init__(self, arena: Arena) -> None:
        super().__init__()
        self.arena = arena
        self.model = Model()
        self.before: dict[str, JobState] = {}
        self.claims: list[tuple[ClaimedJob, bool]] = []
        self.next_claim = 1
        arena.clear()

    @property
    def now(self) -> int:
        return self.arena.clock.now()

    def pick(self, number: int) -> str:
        """A job by number."""
        ids = list(self.model.jobs)
        return ids[number % len(ids)]

    # Producers

    @rule()
    def new_flow(self) -> None:
        with self.arena.engine.sync.transaction() as tx:
            flow = tx.flow("f")
        self.model.flows.add(flow.id)

    @rule(wanted=st.lists(enqueued, min_size=1, max_size=3))
    def enqueue(self, wanted: list[dict[str, Any]]) -> None:
        """Several jobs in one transaction; later ones may come after earlier ones."""
        flows = sorted(self.model.flows)
        known = [*self.model.jobs, *flows]
        made: list[tuple[Any, ModelJob]] = []
        tx = self.arena.engine.sync.transaction()
        for index, options in enumerate(wanted):
            choices = [*known, *[handle for handle, _ in made]]
            parents = [choices[p % len(choices)] for p in options["parents"]] if choices else []
            when = When.ALL_ENDED if not parents else options["when"]
            flow = flows[options["flow"] % len(flows)] if flows and options["flow"] is not None else None
            deadline = options["deadline"] and timedelta(seconds=options["deadline"])
            handle = tx.enqueue(
                Work(), after=parents, when=when, flow=flow, unique=options["unique"], delay=options["delay"],
                concurrency_key=options["ckey"], concurrency_limit=options["climit"], deadline=deadline,
                max_attempts=options["max_attempts"], retry=Fixed(RETRY_US / 1_000_000),
            )  # fmt: skip
            job = ModelJob(
                handle.id, when=when, flow=flow, key=options["unique"], ckey=options["ckey"], climit=options["climit"],
                max_attempts=options["max_attempts"],
                due=self.now + 5_000_000 + index if options["delay"] else None,
                deadline=self.now + 8_000_000 if options["deadline"] else None,
            )  # fmt: skip
            made.append((handle, job))
            job.parents = tuple(p if isinstance(p, str) else p.id for p in parents)
        holders, fresh = self._deduplicate([job for _, job in made])
        if any(job.flow in self.model.ended_flows for job in fresh):
            with pytest.raises(FlowEnded):
                tx.__exit__(None, None, None)
            return
        tx.__exit__(None, None, None)
        for handle, job in made:
            assert handle.created == (job in fresh)
            assert handle.id == holders.get(job.id, job.id)
        self.model.add(fresh, self.now)

    def _deduplicate(self, jobs: list[ModelJob]) -> tuple[dict[str, str], list[ModelJob]]:
        """Who stands for whom by unique key, and the jobs that are new, with their parents and flow settled."""
        holders: dict[str, str] = {}
        taken: dict[str, str] = {}
        fresh: list[ModelJob] = []
        for job in jobs:
            if job.key is not None:
                held = self.model.holder(job.key)
                holders[job.id] = held.id if held else taken.setdefault(job.key, job.id)
        inside: dict[str, ModelJob] = {}
        for job in jobs:
            if holders.get(job.id, job.id) != job.id:
                continue
            job.parents = tuple(holders.get(p, p) for p in job.parents)
            if job.flow is None and job.parents:
                both = Model(jobs=self.model.jobs | inside)
                job.flow = both.shared_flow(job.parents)
            inside[job.id] = job
            fresh.append(job)
        return holders, fresh

    @precondition(lambda self: self.model.jobs)
    @rule(number=PICK)
    def enqueue_an_id_that_exists(self, number: int) -> None:
        handle = self.arena.engine.sync.enqueue(Work(), id=self.pick(number))
        assert not handle.created

    # Workers

    @rule(worker=st.sampled_from(WORKERS), limit=st.integers(1, 4), solo=st.sampled_from([False, False, False, True]))
    def take(self, worker: int, limit: int, solo: bool) -> None:
        request = ClaimRequest("default", (), limit, self.next_claim, worker, solo=solo, any_kind=True)
        self.next_claim += 1
        claimed = self.arena.run(claim(request, self.now)).jobs
        assert not (claimed and self.model.paused)
        for job in claimed:
            mine = self.model.jobs[job.id]
            assert (mine.state, mine.solo) == (JobState.READY, solo)
            assert (job.attempts_before, job.losses_before) == (mine.attempt, mine.losses)
            mine.state, mine.claim, mine.worker, mine.started = JobState.RUNNING, job.claim_id, worker, False
            assert mine.ckey is None or self.model.running(mine.ckey) <= mine.climit
            self.claims.append((job, solo))
        parked = self._see_parked()
        if len(claimed) + parked < limit and not self.model.paused:
            assert not [j for j in self.model.jobs.values() if j.state is JobState.READY and j.solo == solo]

    def _see_parked(self) -> int:
        """Jobs that the claim took and put aside, because their key is full."""
        parked = 0
        for id_, seen in self.arena.jobs().items():
            mine = self.model.jobs[id_]
            if mine.state is JobState.READY and seen.state is JobState.SCHEDULED:
                assert mine.ckey is not None
                assert seen.due is None
                assert self.model.running(mine.ckey) >= mine.climit
                mine.state, mine.due = JobState.SCHEDULED, None
                parked += 1
        return parked

    @precondition(lambda self: self.claims)
    @rule(number=PICK, outcome=outcomes)
    def end_a_run(self, number: int, outcome: Outcome) -> None:
        """Also runs that lost their job long ago."""
        job, solo = self._run(number)
        if isinstance(outcome, Snoozed):
            outcome = Snoozed(self.now + 4_000_000, outcome.reason)
        states = self.arena.run(settle([self.arena.end_of(job, outcome, solo=solo)], self.now, "w"))
        mine = self.model.jobs[job.id]
        if mine.claim != job.claim_id:
            assert states == {}
            return
        self._apply(mine, outcome)
        assert states == {job.id: self.arena.jobs()[job.id].state} or mine.ckey is not None
        assert job.id in states

    def _run(self, number: int) -> tuple[ClaimedJob, bool]:
        """A run: mostly one that holds its job."""
        current = [run for run in self.claims if self.model.jobs[run[0].id].claim == run[0].claim_id]
        return (current[number % len(current)]) if current and number % 4 else self.claims[number % len(self.claims)]

    def _apply(self, mine: ModelJob, outcome: Outcome) -> None:
        match outcome:
            case Completed():
                mine.attempt += 1
                self.model.finish(mine, JobState.COMPLETED, self.now)
            case Failed(permanent=permanent):
                self.model.fail(mine, self.now, permanent=permanent)
            case Snoozed(until):
                self.model.finish(mine, JobState.SCHEDULED, self.now, due=until)
            case Cancelled():
                self.model.finish(mine, JobState.CANCELLED, self.now)
            case _:
                self.model.finish(mine, JobState.READY, self.now)

    @precondition(lambda self: self.claims)
    @rule(number=PICK)
    def end_a_run_in_its_transaction(self, number: int) -> None:
        """Complete and enqueue what follows, in the job's flow."""
        job, solo = self._run(number)
        mine = self.model.jobs[job.id]
        new = self.arena.engine.producer.builder.job(Work(), {}, self.now, mine.flow)
        program = finish(self.arena.end_of(job, Completed(), solo=solo), Writes(jobs=[new]), self.now, "w")
        if mine.claim != job.claim_id or mine.cancel_requested:
            with pytest.raises(ClaimLost):
                self.arena.run(program)
            return
        self.arena.run(program)
        self.model.add([ModelJob(new.id, flow=mine.flow, max_attempts=new.max_attempts)], self.now)
        self._apply(mine, Completed())

    @precondition(lambda self: self.claims)
    @rule(number=PICK)
    def say_that_a_run_has_begun(self, number: int) -> None:
        job, _ = self._run(number)
        self.arena.run(beat(1, self.now, stopping=False, stats={}, started=[(job.id, job.claim_id, self.now)]))
        mine = self.model.jobs[job.id]
        mine.started = mine.started or mine.claim == job.claim_id

    @rule(worker=st.sampled_from(WORKERS))
    def lose_a_worker(self, worker: int) -> None:
        self.arena.run(rescue(worker, f"w{worker}", self.now, None))
        for mine in [job for job in self.model.jobs.values() if job.worker == worker]:
            self.model.lose(mine, self.now)

    # The leader

    @rule(seconds=st.sampled_from([0.5, 3, 5, 10]))
    def time_passes(self, seconds: float) -> None:
        self.arena.clock.advance(seconds)

    @rule()
    def let_fall_due(self) -> None:
        self.arena.run(fall_due(self.now))
        self.model.fall_due(self.now)

    @rule()
    def let_expire(self) -> None:
        self.arena.run(expire(self.now))
        self.model.expire(self.now)

    @rule()
    def look_after_parked_jobs(self) -> None:
        self.arena.run(unpark_all())

    # A person

    @precondition(lambda self: self.model.jobs)
    @rule(numbers=st.lists(PICK, min_size=1, max_size=3))
    def cancel_jobs(self, numbers: list[int]) -> None:
        ids = {self.pick(number) for number in numbers}
        self.arena.run(cancel(sorted(ids), self.now, "person"))
        self.model.cancel(ids, self.now)

    @precondition(lambda self: self.model.flows)
    @rule(number=PICK)
    def cancel_a_flow(self, number: int) -> None:
        flow = sorted(self.model.flows)[number % len(self.model.flows)]
        self.arena.run(cancel_flow(flow, self.now, "person"))
        members = [job.id for job in self.model.jobs.values() if job.flow == flow and not job.final]
        self.model.cancel(members, self.now)

    @precondition(lambda self: self.model.jobs)
    @rule(number=PICK)
    def retry_a_job(self, number: int) -> None:
        mine = self.model.jobs[self.pick(number)]
        if not mine.final:
            with pytest.raises(Conflict):
                self.arena.run(retry_job(mine.id, self.now))
            return
        self._revive(retry_job(mine.id, self.now), self.model.cancelled_below({mine.id}))

    @precondition(lambda self: self.model.flows)
    @rule(number=PICK)
    def retry_a_flow(self, number: int) -> None:
        flow = sorted(self.model.flows)[number % len(self.model.flows)]
        failed = self.model.failed_part(flow)
        if not failed:
            with pytest.raises(Conflict):
                self.arena.run(retry_flow(flow, self.now))
            return
        self._revive(retry_flow(flow, self.now), self.model.cancelled_below(failed))

    def _revive(self, program: Any, coming: set[str]) -> None:
        keys = Counter(key for id_ in coming if (key := self.model.jobs[id_].key))
        if any(n > 1 or self.model.holder(key) for key, n in keys.items()):
            with pytest.raises(UniqueKeyTaken):
                self.arena.run(program)
            return
        revived = self.arena.run(program)
        assert {*revived.ready, *revived.blocked} == coming
        self.model.revive(coming)

    @precondition(lambda self: self.model.jobs)
    @rule(number=PICK, seconds=st.sampled_from([None, -1, 5]), level=st.sampled_from([None, 0, 10]))
    def move_a_job(self, number: int, seconds: int | None, level: int | None) -> None:
        mine = self.model.jobs[self.pick(number)]
        due = None if seconds is None else self.now + seconds * 1_000_000
        program = move_waiting(Move(mine.id, due, level), self.now)
        if mine.state not in WAITING:
            with pytest.raises(Conflict):
                self.arena.run(program)
            return
        self.arena.run(program)
        if due is not None and not mine.parked:
            mine.due = due if due > self.now else None
            if mine.state is not JobState.BLOCKED:
                mine.state = JobState.SCHEDULED if mine.due else JobState.READY

    @rule(paused=st.booleans())
    def pause_or_resume(self, paused: bool) -> None:
        self.arena.run(pause_queue("default", self.now) if paused else resume_queue("default"))
        self.model.paused = paused

    # What must hold after each step

    @invariant()
    def every_job_is_where_the_model_says(self) -> None:
        seen = self.arena.jobs()
        assert seen.keys() == self.model.jobs.keys()
        for id_, now in seen.items():
            mine = self.model.jobs[id_]
            if mine.parked and now.state is JobState.READY:
                assert self.model.running(mine.ckey or "") < mine.climit
                mine.state = JobState.READY
            assert (now.state, now.attempt, now.losses) == (mine.state, mine.attempt, mine.losses), id_
            assert now.due == (mine.due if mine.state in (JobState.SCHEDULED, JobState.BLOCKED) else None), id_
            assert now.claim == mine.claim, id_
            assert now.cancel_requested == mine.cancel_requested, id_
            if mine.state is JobState.RUNNING:
                assert now.worker == mine.worker, id_
            if mine.state is JobState.BLOCKED:
                assert now.open_parents == self.model.tally(mine)[0] > 0, id_
            if mine.unmet and mine.cause is None:
                mine.cause = now.unmet_parent
                assert mine.cause in mine.parents
                assert self.model.standing(mine.cause) == (False, False)
            before = self.before.get(id_)
            assert before is now.state or (before, now.state) in LEGAL or (before is None and now.state in FINAL)
        self.before = {id_: now.state for id_, now in seen.items()}

    @invariant()
    def flows_count_right(self) -> None:
        for id_, (total, open_, completed, failed, cancelled, finished) in self.arena.flows().items():
            counts = self.model.counts(id_)
            assert (total, open_) == (counts.total, counts.open)
            assert (completed, failed, cancelled) == (counts.completed, counts.failed, counts.cancelled)
            assert bool(finished) == (id_ in self.model.ended_flows) == (counts.status() is not FlowStatus.RUNNING)

    @invariant()
    def a_unique_key_is_held_by_its_live_job(self) -> None:
        live = [(job.key, job.id) for job in self.model.jobs.values() if job.key and not job.final]
        assert self.arena.keys() == set(live)
        assert len({key for key, _ in live}) == len(live)

    def teardown(self) -> None:
        """Nothing is lost: left alone with one good worker everything ends, but what waits for a flow without jobs."""
        self.arena.run(resume_queue("default"))
        for worker in WORKERS:
            self.arena.run(rescue(worker, "gone", self.now, None))
        idle = 0
        while idle < 2:
            self.arena.clock.advance(100)
            self.arena.run(fall_due(self.now))
            self.arena.run(unpark_all())
            jobs = []
            for solo in (False, True):
                self.next_claim += 1
                request = ClaimRequest("default", (), 1000, self.next_claim, 9, solo=solo, any_kind=True)
                jobs += self.arena.run(claim(request, self.now)).jobs
            ends = [self.arena.end_of(job, Completed(), solo=False) for job in jobs]
            assert len(self.arena.run(settle(ends, self.now, "w"))) == len(jobs)
            idle = 0 if jobs else idle + 1
        empty = any(total == 0 for total, *_ in self.arena.flows().values())
        left = {now.state for now in self.arena.jobs().values()} - FINAL
        assert left <= ({JobState.BLOCKED} if empty else set())


@pytest.mark.timeout(3_600 if DEEP else 120)
def test_random_operations_agree_with_the_model(database: Database, clock: MovableClock):
    store = database.new_store(clock)
    store.run_sync(resume_queue("default")) if database.name == "sqlite" else None
    with database.looking() as select:
        arena = Arena(database, store, clock, select, Penstock(store=store))
        run_state_machine_as_test(lambda: Machine(arena), settings=SETTINGS)
    asyncio.run(store.close())
