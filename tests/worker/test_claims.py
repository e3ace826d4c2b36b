"""What a worker knows of lanes is told once, and forgotten when it becomes too much."""

import pytest

from penstock import Job, Penstock
from penstock.store.programs.claim import LaneFacts
from penstock.worker import claims
from tests.support.engine import HandWorker, Work
from tests.worker.working import Note, until, working


async def test_a_claim_tells_only_of_lanes_that_the_worker_does_not_know(any_engine: Penstock):
    worker = await HandWorker.register(any_engine.store)
    await any_engine.enqueue_many([Work(n=1), Work(n=2)])
    [first] = (one := await worker.look(1)).jobs
    assert one.learnt == {first.lane_id: LaneFacts("work", None)}
    await any_engine.enqueue(Work(n=3), tenant="t")
    two = await worker.look(known=one.learnt)
    assert list(two.learnt.values()) == [LaneFacts("work", "t")]
    assert [(job.queue, job.kind, job.tenant) for job in two.jobs] == [
        ("default", "work", None),
        ("default", "work", "t"),
    ]
    assert {job.claim_id for job in two.jobs} != {first.claim_id}


async def test_claims_of_more_lanes_than_are_remembered_go_on(any_engine: Penstock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(claims, "LANES_KNOWN", 3)
    ran: set[tuple[str, str | None]] = set()

    async def handle(job: Job[Note]) -> None:
        ran.add((job.data.text, job.tenant))

    expected: set[tuple[str, str | None]] = set()
    async with working(any_engine, handle):
        for turn in range(3):
            for tenant in "abcde":
                expected.add((f"{tenant}{turn}", tenant))
                await any_engine.enqueue(Note(text=f"{tenant}{turn}"), tenant=tenant)
            await until(lambda: ran == expected, "each job with its own tenant")
