"""Promise 5: a fan-in starts exactly once, when the last job it waits for has ended, whatever the order of things."""

import asyncio
import random

import pytest

from penstock import InvalidJob, JobHandle, Penstock, When
from penstock.domain.claimed import ClaimedJob
from penstock.domain.flows import Verdict, judge
from penstock.domain.outcomes import Completed, ErrorRecord, Failed
from penstock.store.base import Store
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

FAILED = Failed(ErrorRecord("E", "no"), permanent=True)


async def end(worker: HandWorker, engine: Penstock, handle: JobHandle, fate: str) -> None:
    """End a ready job: c(ompleted), f(ailed) or x (cancelled). It must be the next one of its queue."""
    if fate == "x":
        await engine.cancel(handle.id)
        return
    job = await worker.claim_one(queue="parents")
    assert job.id == handle.id
    await worker.settle(job, Completed() if fate == "c" else FAILED)


@pytest.mark.parametrize("when", ["all_completed", "all_ended"])
async def test_without_parents_it_starts_at_once(engine: Penstock, worker: HandWorker, when: str):
    handle = await engine.enqueue(Work(), after=[], when=when)
    assert [job.id for job in await worker.claim()] == [handle.id]


async def test_any_of_no_parents_is_refused(engine: Penstock):
    with pytest.raises(InvalidJob, match="any_completed"):
        await engine.enqueue(Work(), after=[], when="any_completed")
    with pytest.raises(InvalidJob, match="must be one of"):
        await engine.enqueue(Work(), after=[], when="sometimes")


@pytest.mark.parametrize("declared", ["before", "between", "after"])
@pytest.mark.parametrize("when", list(When))
async def test_it_starts_or_ends_as_its_condition_says(engine: Penstock, worker: HandWorker, when: When, declared: str):
    for ends in ("cc", "cf", "fc", "ff", "cx", "xx", "c", "f", "x", "cfx", "xfc"):
        await check_one_end_after_another(engine, worker, when, ends, declared)


async def check_one_end_after_another(
    engine: Penstock, worker: HandWorker, when: When, ends: str, declared: str
) -> None:
    """End the parents in order, one by one, and look at the child after each."""
    parents = await engine.enqueue_many([Work(n=n) for n in range(len(ends))], queue="parents")
    children: list[JobHandle] = []
    moment = {"before": 0, "between": 1, "after": len(ends)}[declared]
    open_, completed, failed = len(ends), 0, 0
    decided = Verdict.WAIT
    for index, letter in enumerate([*ends, None]):
        if index == moment:
            children.append(await engine.enqueue(Work(), after=parents, when=when))
        if children and decided is Verdict.WAIT:
            decided = judge(when, open_, completed, failed)
        for child in children:
            expected = {"wait": "blocked", "start": "ready", "unmet": "cancelled"}[decided]
            assert (await engine.get(child.id)).state == expected
        if letter is not None:
            await end(worker, engine, parents[index], letter)
            open_, completed, failed = open_ - 1, completed + (letter == "c"), failed + (letter != "c")
    taken = [job.id for job in await worker.claim()]
    assert taken == [child.id for child in children if decided is Verdict.START], ends


async def test_it_waits_for_its_time_after_its_parents_have_ended(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    parent = await engine.enqueue(Work())
    child = await engine.enqueue(Work(), after=parent, delay=60)
    late = await engine.enqueue(Work(), after=parent, delay=5)
    clock.advance(10)
    await worker.complete(await worker.claim_one())
    assert [(await engine.get(handle.id)).state for handle in (child, late)] == ["scheduled", "ready"]
    assert [job.id for job in await worker.claim()] == [late.id]
    clock.advance(60)
    await worker.fall_due()
    assert [job.id for job in await worker.claim()] == [child.id]


async def test_a_parent_named_twice_counts_once(engine: Penstock, worker: HandWorker):
    parent = await engine.enqueue(Work())
    child = await engine.enqueue(Work(), after=[parent, parent, parent.id])
    await worker.complete(await worker.claim_one())
    assert [job.id for job in await worker.claim()] == [child.id]


async def test_a_retried_parent_counts_once(engine: Penstock, worker: HandWorker, clock: MovableClock):
    parents = await engine.enqueue_many([Work(), Work()])
    child = await engine.enqueue(Work(), after=parents)
    first, second = await worker.claim()
    for attempt in range(3):
        await worker.fail(first, permanent=False)
        clock.advance(100)
        await worker.fall_due()
        first = await worker.claim_one()
        assert first.attempts_before == attempt + 1
    await worker.release(second)
    second = await worker.claim_one()
    await worker.complete(first)
    assert (await engine.get(child.id)).state == "blocked"
    await worker.complete(second)
    assert [job.id for job in await worker.claim()] == [child.id]


class Scenario:
    """One random fan-in among many: its own queue, its own seed."""

    def __init__(self, engines: list[Penstock], workers: list[HandWorker], seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.engines = engines
        self.workers = workers
        self.queue = f"q{seed}"
        self.when = self.rng.choice(list(When))
        self.fates = [self.rng.choice("cccfx") for _ in range(self.rng.randint(1, 6))]

    async def run(self) -> None:
        """Declare and end in a random order by several actors at once; then compare."""
        parents = await self.engines[0].enqueue_many([Work(n=n) for n in range(len(self.fates))], queue=self.queue)
        runs = {job.id: job for job in await self.workers[0].claim(queue=self.queue)}
        early = self.rng.randint(0, len(parents))
        order = self.rng.sample(range(len(parents)), len(parents))
        await asyncio.gather(*[self._end(parents[index], runs, self.fates[index]) for index in order[:early]])
        declared, _ = await asyncio.gather(
            self._declare(parents),
            asyncio.gather(*[self._end(parents[index], runs, self.fates[index]) for index in order[early:]]),
        )
        completed = self.fates.count("c")
        expected = judge(self.when, 0, completed, len(self.fates) - completed)
        state = (await self.engines[0].get(declared.id)).state
        assert state == ("ready" if expected is Verdict.START else "cancelled"), self
        started = [job.id for worker in self.workers for job in await worker.claim(queue=self.queue)]
        assert started == ([declared.id] if expected is Verdict.START else []), self

    async def _declare(self, parents: list[JobHandle]) -> JobHandle:
        await self._step()
        return await self.rng.choice(self.engines).enqueue(Work(), after=parents, when=self.when, queue=self.queue)

    async def _end(self, handle: JobHandle, runs: dict[str, ClaimedJob], fate: str) -> None:
        await self._step()
        if fate == "x":
            await self.rng.choice(self.engines).cancel(handle.id)
        await self._step()
        await self.rng.choice(self.workers).settle(runs[handle.id], FAILED if fate == "f" else Completed())

    async def _step(self) -> None:
        for _ in range(self.rng.randint(0, 3)):
            await asyncio.sleep(0)

    def __repr__(self) -> str:
        return f"seed {self.seed}: {self.when} of {self.fates}"


async def test_300_random_interleavings_of_several_stores(make_store: MakeStore):
    stores: list[Store] = [await make_store() for _ in range(3)]
    engines = [Penstock(store=store) for store in stores]
    workers = [await HandWorker.register(store) for store in stores]
    seeds = iter(range(300))

    async def work() -> None:
        for seed in seeds:
            await Scenario(engines, workers, seed).run()

    await asyncio.gather(*[work() for _ in range(8)])


async def test_50_000_parents(database: Database, engine: Penstock, worker: HandWorker):
    parents = await engine.enqueue_many([Work(n=n) for n in range(50_000)], queue="wide")
    child = await engine.enqueue(Work(n=-1), after=parents, queue="wide")
    ended = 0
    while (jobs := await worker.claim(5_000, queue="wide")) and jobs[0].id != child.id:
        assert (await engine.get(child.id)).state == "blocked"
        ended += len(await worker.settle_all([(job, Completed()) for job in jobs]))
    assert ended == 50_000
    assert [job.id for job in jobs] == [child.id]
    [counts] = database.select("SELECT open_parents, completed_parents FROM ~jobs WHERE id = ?", child.id)
    assert counts == (0, 50_000)
