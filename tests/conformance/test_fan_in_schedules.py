"""Promise 5 under random schedules: several stores end, cancel and add at once; a fan-in starts once, after its last.

A failure names its seed: `Play(…, seed)` is then the same again, but for the order in which the database serves.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from penstock import ClaimLost, FlowEnded, FlowRef, Penstock, When, codec
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Completed, ErrorRecord, Failed, Outcome, Released
from penstock.domain.states import FINAL, JobState
from penstock.store.program import LaneKey
from penstock.store.programs.commit import Writes, commit, finish
from penstock.store.programs.enqueue import Fence
from penstock.store.programs.new import NewJob
from penstock.store.programs.read import JobFilter, JobRow, list_jobs, rows_of
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database, PostgresDatabase
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

SCHEDULES = 220
AT_ONCE = 6
MOST_ROUNDS = 60
WIDE, CHUNK, BATCH = 50_000, 10_000, 500
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
ERROR = ErrorRecord("E", "no")
OUTCOMES: list[Outcome] = [
    Completed(), Completed(), Completed(), Failed(ERROR, permanent=True), Failed(ERROR, after_s=0.0), Released("later"),
]  # fmt: skip


@dataclass(slots=True)
class Play:
    """A few flows in a queue of their own, with fan-ins over their jobs, over the flows and across them."""

    workers: list[HandWorker]
    engines: list[Penstock]
    seed: int
    rng: random.Random = field(init=False)
    queue: str = field(init=False)
    flows: list[FlowRef] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    joins: dict[str, When] = field(default_factory=dict)
    starts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.queue = f"q{self.seed}"

    def __repr__(self) -> str:
        return f"seed {self.seed}"

    async def run(self) -> None:
        """Declare, then let everybody act at once, round by round, until all has ended; then count."""
        await self._declare()
        for _ in range(MOST_ROUNDS):
            states = Counter(row.state for row in await self._rows())
            if states.keys() <= FINAL:
                break
            assert states[JobState.READY] or states[JobState.RUNNING], f"{self}: stuck with {states}"
            await asyncio.gather(*[self._work(worker) for worker in self.workers], self._cancel(), self._add_a_join())
        await self._check()

    async def _declare(self) -> None:
        async with self.rng.choice(self.engines).transaction() as tx:
            sizes = [self.rng.randint(0, 8) for _ in range(self.rng.randint(1, 3))]
            self.flows = [tx.flow("f") for _ in sizes]
            made = [
                await tx.enqueue_many([Work() for _ in range(size)], flow=flow, queue=self.queue)
                for flow, size in zip(self.flows, sizes, strict=True)
            ]
            everybody = [job for jobs in made for job in jobs]
            overs = [*made, *[[flow] for flow, jobs in zip(self.flows, made, strict=True) if jobs], everybody]
            whens = [self._when(bool(over)) for over in overs]
            joins = [
                await tx.enqueue(Work(n=1), after=over, when=when, queue=self.queue)
                for over, when in zip(overs, whens, strict=True)
            ]
        self.parents = [job.id for job in everybody]
        self.joins = {join.id: when for join, when in zip(joins, whens, strict=True)}

    def _when(self, some: bool) -> When:
        return self.rng.choice(list(When) if some else [When.ALL_COMPLETED, When.ALL_ENDED])

    async def _rows(self) -> list[JobRow]:
        return await self.engines[0].store.read(list_jobs(JobFilter(queue=self.queue, limit=1000)))

    async def _pause(self) -> None:
        for _ in range(self.rng.randint(0, 4)):
            await asyncio.sleep(0)

    async def _work(self, worker: HandWorker) -> None:
        """Take some jobs; end fan-ins one by one and others in batches, some together with an addition."""
        await self._pause()
        jobs = await worker.claim(self.rng.randint(1, 6), queue=self.queue)
        others: list[tuple[ClaimedJob, Outcome]] = []
        for job in jobs:
            self.starts[job.id] += 1
            if job.id in self.joins:
                await self._check_start(worker, job)
                await worker.complete(job)
            elif job.flow_id is not None and self.rng.random() < 0.15:
                await self._end_with_an_addition(worker, job)
            else:
                others.append((job, self.rng.choice(OUTCOMES)))
        await self._pause()
        self.rng.shuffle(others)
        await worker.settle_all(others)

    async def _end_with_an_addition(self, worker: HandWorker, job: ClaimedJob) -> None:
        """A handler adds a job to the flow it runs in, on its way or with its end; not when its job was cancelled."""
        more = NewJob(codec.new_id(), LaneKey(self.queue, "work"), 0, 3, b'{"n":0}', flow_id=job.flow_id)
        end, now = worker.end_of(job, Completed()), worker.store.clock.now()
        try:
            if self.rng.random() < 0.5:
                await worker.store.run(commit(Writes(jobs=[more]), now, Fence(job.id, job.claim_id)))
                await worker.complete(job)
            else:
                await worker.store.run(finish(end, Writes(jobs=[more]), now, worker.name))
        except ClaimLost:
            await worker.stop(job)

    async def _cancel(self) -> None:
        """Somebody cancels a job that others wait for."""
        if self.parents and self.rng.random() < 0.4:
            await self._pause()
            await self.rng.choice(self.engines).cancel(self.rng.choice(self.parents))

    async def _add_a_join(self) -> None:
        """Somebody declares a further fan-in, over jobs of which some may have ended."""
        if not self.parents or self.rng.random() > 0.3:
            return
        await self._pause()
        over, when = self.rng.sample(self.parents, self.rng.randint(1, len(self.parents))), self._when(True)
        flow = self.rng.choice(self.flows)
        id_ = codec.new_id()
        self.joins[id_] = when
        try:
            await self.rng.choice(self.engines).enqueue(
                Work(n=1), after=over, when=when, queue=self.queue, id=id_, flow=flow
            )
        except FlowEnded:
            del self.joins[id_]

    async def _standing(self, worker: HandWorker, join: str) -> Counter[str]:
        """How the jobs and flows it comes after stand now."""
        found = await worker.store.read(rows_of("parents_of", ids=codec.ids([join])))
        count: Counter[str] = Counter()
        for _, _, state, open_, total, failed, cancelled in found:
            if total is not None:
                state = "running" if open_ else "failed" if failed or cancelled else "completed"
            count["open" if JobState(state) not in FINAL else "ok" if state == JobState.COMPLETED else "bad"] += 1
        return count

    def _may_start(self, when: When, count: Counter[str]) -> bool:
        if when is When.ANY_COMPLETED:
            return count["ok"] > 0
        return count["open"] == 0 and (when is When.ALL_ENDED or count["bad"] == 0)

    async def _check_start(self, worker: HandWorker, job: ClaimedJob) -> None:
        count = await self._standing(worker, job.id)
        assert self._may_start(self.joins[job.id], count), f"{self}: {job.id} started too early: {count}"

    async def _check(self) -> None:
        rows = {row.id: row for row in await self._rows()}
        assert {row.state for row in rows.values()} <= FINAL, f"{self}: not over after {MOST_ROUNDS} rounds"
        for join, when in self.joins.items():
            expected = int(self._may_start(when, await self._standing(self.workers[0], join)))
            assert self.starts[join] == expected, f"{self}: {join} started {self.starts[join]} times, not {expected}"
        for flow in self.flows:
            counted = Counter(row.state for row in rows.values() if row.flow_id == flow.id)
            stored = (await self.engines[0].flows.get(flow.id)).counts
            ended = (stored.completed, stored.failed, stored.cancelled)
            assert ended == (counted["completed"], counted["failed"], counted["cancelled"]), f"{self}: {stored}"
            assert stored.total == sum(ended), f"{self}: {stored}"


@pytest.mark.timeout(180)
async def test_each_fan_in_starts_once_and_after_its_last_parent(make_store: MakeStore, database: Database):
    # On PostgreSQL six connections that really run beside each other; on SQLite three writers of one file.
    options = {"pool_size": 2} if database.name == "postgres" else {}
    stores = [await make_store(**options) for _ in range(3)]
    engines = [Penstock(store=store) for store in stores]
    workers = [await HandWorker.register(store, f"w{n}") for n, store in enumerate(stores)]
    seeds = iter(range(SCHEDULES))

    async def play() -> None:
        for seed in seeds:
            await Play(workers, engines, seed).run()

    await asyncio.gather(*[play() for _ in range(AT_ONCE)])


@pytest.mark.timeout(180)
async def test_endings_at_once_lock_their_common_children_in_one_order(migrated_postgres: PostgresDatabase):
    migrated_postgres.empty()
    stores = [migrated_postgres.new_store(MovableClock(), pool_size=2) for _ in range(3)]
    engine = Penstock(store=stores[0])
    workers = [await HandWorker.register(store, f"w{n}") for n, store in enumerate(stores) for _ in range(2)]
    before = migrated_postgres.select(DEADLOCKS)
    joins = 0
    for _ in range(4):
        parents = await engine.enqueue_many([Work() for _ in range(60)])
        await engine.enqueue_many([Work() for _ in range(40)], after=parents, when="all_ended", queue="joins")
        runs = [job for worker in workers for job in await worker.claim(10)]
        batches = [runs[n::30] for n in range(30)]
        await asyncio.gather(*[
            workers[n % 6].settle_all([(job, Completed()) for job in batch]) for n, batch in enumerate(batches)
        ])  # fmt: skip
        joins += len(await workers[0].claim(queue="joins"))
    for store in stores:
        await store.close()  # each connection tells the server its statistics
    assert joins == 160
    assert migrated_postgres.select(DEADLOCKS) == before


@pytest.mark.timeout(180)
async def test_a_fan_in_over_50_000_jobs_starts_once(make_store: MakeStore, database: Database):
    stores = [await make_store() for _ in range(2)]
    engine, other = Penstock(store=stores[0]), Penstock(store=stores[1])
    workers = [await HandWorker.register(store, f"w{n}") for n, store in enumerate(stores)]
    flow = await engine.flow("wide")
    parents: list[str] = []
    for _ in range(WIDE // CHUNK):
        made = await engine.enqueue_many([Work() for _ in range(CHUNK)], flow=flow, queue="wide")
        parents += [job.id for job in made]
    join = await other.enqueue(Work(n=1), after=parents, when="all_ended", queue="wide")
    starts: Counter[str] = Counter()
    failing = set(parents[::1000])

    async def work(worker: HandWorker) -> int:
        jobs = await worker.claim(BATCH, queue="wide")
        starts.update(job.id for job in jobs)
        await worker.settle_all(
            [(job, Failed(ERROR, permanent=True) if job.id in failing else Completed()) for job in jobs]
        )
        return len(jobs)

    while len(starts.keys() - {join.id}) < WIDE:
        assert (await engine.get(join.id)).state == "blocked"
        await asyncio.gather(*map(work, workers))
    while any(await asyncio.gather(*map(work, workers))):
        pass
    assert set(starts.values()) == {1}
    assert starts.keys() == {*parents, join.id}
    bad = len(failing)
    [row] = database.select("SELECT open_parents, completed_parents, failed_parents FROM ~jobs WHERE id = ?", join.id)
    assert row == (0, WIDE - bad, bad)
    view = await engine.flows.get(flow.id)
    assert view.status == "failed"
    assert (view.counts.total, view.counts.open, view.counts.completed, view.counts.failed) == (
        WIDE + 1, 0, WIDE + 1 - bad, bad,
    )  # fmt: skip
