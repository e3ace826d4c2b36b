"""Flows: chains, diamonds, any graph; counts; flows as parents; additions; conditions that cannot be met."""

import asyncio
import random

import pytest

from penstock import FlowEnded, JobHandle, NotFound, Penstock, Unique, When, codec
from penstock.domain.flows import Verdict, judge
from penstock.domain.outcomes import Completed, ErrorRecord, Failed
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.engine import HandWorker, Work, run_of

FAILED = Failed(ErrorRecord("E", "no"), permanent=True)


async def test_a_chain_runs_one_after_the_other(engine: Penstock, worker: HandWorker):
    async with engine.transaction() as tx:
        flow = tx.flow("chain")
        links = [await tx.enqueue(Work(n=0), flow=flow)]
        for n in range(1, 6):
            links.append(await tx.enqueue(Work(n=n), after=links[-1]))
    for link in links:
        [job] = await worker.claim()
        assert job.id == link.id
        assert job.flow_id == flow.id
        await worker.complete(job)
    view = await engine.flows.get(flow.id)
    assert (view.status, view.counts.completed, view.counts.progress()) == ("completed", 6, 1.0)


async def test_a_diamond_meets_again_once(engine: Penstock, worker: HandWorker):
    top = await engine.enqueue(Work())
    sides = await engine.enqueue_many([Work(), Work(), Work()], after=top)
    bottom = await engine.enqueue(Work(), after=[top, *sides])
    assert await worker.finish_all() == [top.id, *[side.id for side in sides], bottom.id]


@pytest.mark.parametrize("seed", range(4))
async def test_any_graph_ends_as_the_rules_say(make_store: MakeStore, seed: int):
    rng = random.Random(seed)
    engines = [Penstock(store=await make_store()) for _ in range(2)]
    workers = [await HandWorker.register(engine.store) for engine in engines]
    fates: dict[str, str] = {}
    parents: dict[str, list[str]] = {}
    whens: dict[str, When] = {}
    async with engines[0].transaction() as tx:
        flow = tx.flow("graph")
        nodes: list[JobHandle] = []
        for n in range(60):
            before = rng.sample(nodes, min(len(nodes), rng.choice([0, 1, 1, 2, 3, 5])))
            when = rng.choice(list(When)) if before else When.ALL_ENDED
            node = await tx.enqueue(Work(n=n), after=before, when=when, flow=flow)
            fates[node.id], whens[node.id], parents[node.id] = rng.choice("cccf"), when, [p.id for p in before]
            nodes.append(node)

    expected: dict[str, str] = {}
    for id_, before_ids in parents.items():
        completed = sum(expected[p] == "completed" for p in before_ids)
        verdict = judge(whens[id_], 0, completed, len(before_ids) - completed)
        ran = not before_ids or verdict is Verdict.START
        expected[id_] = {"c": "completed", "f": "failed"}[fates[id_]] if ran else "cancelled"

    runs: list[str] = []

    async def work(worker: HandWorker) -> None:
        idle = 0
        while idle < 20:
            jobs = await worker.claim(rng.randint(1, 4))
            runs.extend(job.id for job in jobs)
            await worker.settle_all([(job, Completed() if fates[job.id] == "c" else FAILED) for job in jobs])
            idle = 0 if jobs else idle + 1
            await asyncio.sleep(0)

    await asyncio.gather(*map(work, workers))
    assert {job.id: job.state for job in await engines[0].flows.jobs(flow.id)} == expected, f"seed {seed}"
    assert sorted(runs) == sorted(id_ for id_, state in expected.items() if state != "cancelled"), f"seed {seed}"
    counts = (await engines[0].flows.get(flow.id)).counts
    states = list(expected.values())
    assert (counts.open, counts.completed, counts.failed, counts.cancelled) == (
        0, states.count("completed"), states.count("failed"), states.count("cancelled"),
    ), f"seed {seed}"  # fmt: skip


async def test_a_job_whose_condition_cannot_be_met_is_cancelled_with_all_that_needs_it(
    engine: Penstock, worker: HandWorker
):
    flow = await engine.flow("f")
    root = await engine.enqueue(Work(), flow=flow)
    child = await engine.enqueue(Work(), after=root, unique=Unique("child"))
    grandchild = await engine.enqueue(Work(), after=child)
    cleanup = await engine.enqueue(Work(), after=grandchild, when="all_ended")
    await worker.fail(await worker.claim_one())
    for handle, culprit in ((child, root), (grandchild, child)):
        view = await engine.get(handle.id)
        assert view.state == "cancelled"
        assert view.reason == f"its condition all_completed can no longer be met: {culprit.id} did not complete"
    assert (await engine.enqueue(Work(), unique=Unique("child"))).created
    assert (await worker.claim_one()).id == cleanup.id
    counts = (await engine.flows.get(flow.id)).counts
    assert (counts.open, counts.failed, counts.cancelled) == (1, 1, 2)


async def test_a_job_that_can_never_start_is_cancelled_at_its_enqueue_with_what_follows(
    engine: Penstock, worker: HandWorker
):
    bad = await engine.enqueue(Work())
    await worker.fail(await worker.claim_one())
    async with engine.transaction() as tx:
        flow = tx.flow("born late")
        dead = await tx.enqueue(Work(), after=bad, flow=flow, unique="dead")
        below = await tx.enqueue(Work(), after=dead)
        cleanup = await tx.enqueue(Work(), after=below, when="all_ended", flow=None)
        beyond = await tx.enqueue(Work(), after=flow, when="all_ended")
    assert dead.created
    assert [(await engine.get(h.id)).state for h in (dead, below, cleanup, beyond)] == [
        "cancelled", "cancelled", "ready", "blocked",
    ]  # fmt: skip
    assert (await engine.enqueue(Work(), unique="dead", delay=5)).created
    assert await worker.finish_all() == [cleanup.id, beyond.id]
    view = await engine.flows.get(flow.id)
    assert (view.status, view.counts.total, view.counts.open) == ("cancelled", 3, 0)
    assert view.finished_at is not None


async def test_a_flow_of_nothing_but_dead_jobs_ends_at_once(engine: Penstock, worker: HandWorker):
    bad = await engine.enqueue(Work())
    await worker.fail(await worker.claim_one())
    flow = await engine.flow("dead")
    waiting = await engine.enqueue(Work(), after=flow, when="all_ended")
    await engine.enqueue(Work(), after=bad, flow=flow)
    assert (await engine.flows.get(flow.id)).status == "cancelled"
    assert (await worker.claim_one()).id == waiting.id
    with pytest.raises(FlowEnded):
        await engine.enqueue(Work(), flow=flow)


@pytest.mark.parametrize(("fate", "state"), [("c", "ready"), ("f", "cancelled")])
async def test_a_flow_can_be_a_parent(engine: Penstock, worker: HandWorker, fate: str, state: str):
    async with engine.transaction() as tx:
        first, second = tx.flow("first"), tx.flow("second")
        await tx.enqueue_many([Work(), Work()], flow=first)
        waiting = await tx.enqueue(Work(), after=first, flow=second)
    after_end = [await engine.enqueue(Work(), after=first)]
    for job in await worker.claim():
        assert (await engine.get(waiting.id)).state == "blocked"
        await worker.settle(job, Completed() if fate == "c" else FAILED)
    after_end.append(await engine.enqueue(Work(), after=first.id))
    assert {(await engine.get(handle.id)).state for handle in (waiting, *after_end)} == {state}


async def test_an_empty_flow_has_not_begun_to_end(engine: Penstock, worker: HandWorker):
    flow = await engine.flow("empty")
    waiting = await engine.enqueue(Work(), after=flow)
    assert (await engine.get(waiting.id)).state == "blocked"
    only = await engine.enqueue(Work(), flow=flow)
    assert await worker.finish_all() == [only.id, waiting.id]


async def test_a_job_joins_the_flow_its_parents_share_and_no_other(engine: Penstock):
    one, two = await engine.flow("one"), await engine.flow("two")
    a = await engine.enqueue(Work(), flow=one)
    b = await engine.enqueue(Work(), flow=one)
    c = await engine.enqueue(Work(), flow=two)
    loose = await engine.enqueue(Work())

    async def flow_of(*after: JobHandle, **options) -> str | None:
        return (await engine.get((await engine.enqueue(Work(), after=after, **options)).id)).flow_id

    assert await flow_of(a, b) == one.id
    assert await flow_of(a, c) is None
    assert await flow_of(a, loose) is None
    assert await flow_of(a, flow=two) == two.id


async def test_a_run_adds_to_its_flow_which_ends_only_after_that(engine: Penstock, worker: HandWorker):
    flow = await engine.flow("growing")
    await engine.enqueue(Work(), flow=flow)
    job = await worker.claim_one()
    added = await engine.producer.enqueue_for_run(run_of(job), [Work(n=1), Work(n=2)], {})
    await worker.complete(job)
    assert (await engine.flows.get(flow.id)).counts.open == 2
    assert await worker.finish_all() == [handle.id for handle in added]
    view = await engine.flows.get(flow.id)
    assert (view.status, view.counts.total) == ("completed", 3)


async def test_an_ended_flow_takes_no_further_jobs(engine: Penstock, worker: HandWorker):
    flow = await engine.flow("over")
    parent = await engine.enqueue(Work(), flow=flow)
    await worker.finish_all()
    for options in ({"flow": flow}, {"after": parent}):
        with pytest.raises(FlowEnded, match=flow.id):
            await engine.enqueue(Work(), **options)
    with pytest.raises(NotFound):
        await engine.enqueue(Work(), flow=codec.new_id())
    assert (await engine.flows.get(flow.id)).counts.total == 1


async def test_an_addition_and_the_end_of_the_flow_at_once_leave_right_counts(make_store: MakeStore):
    engines = [Penstock(store=await make_store()) for _ in range(2)]
    worker = await HandWorker.register(engines[0].store)

    async def add(flow: str) -> bool:
        try:
            await engines[1].enqueue(Work(), flow=flow, queue="added")
        except FlowEnded:
            return False
        return True

    for _ in range(40):
        flow = await engines[0].flow("race")
        await engines[0].enqueue(Work(), flow=flow)
        added, _ = await asyncio.gather(add(flow.id), worker.complete(await worker.claim_one()))
        counts = (await engines[0].flows.get(flow.id)).counts
        assert (counts.total, counts.open) == (1 + added, int(added))


async def test_results_of_parents_are_readable_in_the_child(engine: Penstock, worker: HandWorker):
    a, b, c = await engine.enqueue_many([Work(), Work(), Work()])
    child = await engine.enqueue(Work(), after=[a, b, c], when="all_ended")
    first, second, third = await worker.claim()
    await worker.complete(first, {"x": [1]})
    await worker.complete(second)
    await worker.fail(third)
    run = run_of(await worker.claim_one())
    assert run.id == child.id
    assert await engine.producer.parent_results(run) == {a.id: {"x": [1]}, b.id: None, c.id: None}


async def test_a_flow_shows_its_jobs_and_edges(engine: Penstock, database: Database):
    async with engine.transaction() as tx:
        flow = tx.flow("shown", tenant="t")
        a = await tx.enqueue(Work(), flow=flow)
        b = await tx.enqueue(Work(), after=a)
    jobs = await engine.flows.jobs(flow.id)
    assert [(job.id, job.kind, job.state) for job in jobs] == [(a.id, "work", "ready"), (b.id, "work", "blocked")]
    assert await engine.flows.edges(flow.id) == [(a.id, b.id)]
    view = await engine.flows.get(flow.id)
    assert (view.name, view.tenant, view.round, view.status) == ("shown", "t", 1, "running")
