"""Tenants take turns, also between claims of one job each."""

import asyncio

from penstock import Job, Penstock, Queue
from penstock.domain.claimed import ClaimedJob
from penstock.worker.turns import Turns
from tests.worker.working import Note, until, working


def of(tenant: str | None) -> ClaimedJob:
    """A claimed job of this tenant."""
    return ClaimedJob(
        "job", 1, 0, 0, 0, 0, 1, 0, None, None, False, None, 0, "{}", None, None, "q", 1, "note", tenant
    )  # fmt: skip


def taken(turns: Turns, tenants: str) -> dict[str | None, int]:
    turns.taken([of(tenant) for tenant in tenants])
    return dict(turns.ahead)


def test_who_was_claimed_last_is_ahead_of_who_was_not():
    turns = Turns()
    assert taken(turns, "a") == {"a": 1}
    assert taken(turns, "a") == {"a": 1}, "alone it only keeps its place"
    assert taken(turns, "b") == {"a": 1, "b": 1}
    assert taken(turns, "aaa") == {"a": 1}, "b was not there, and nothing is kept for it"


def test_a_batch_counts_as_it_was_shared_out():
    turns = Turns()
    assert taken(turns, "abab") == {"a": 1, "b": 1}
    assert taken(turns, "aba") == {"a": 1}


async def test_with_one_slot_another_tenants_job_is_next(any_engine: Penstock):
    ran: list[str] = []

    async def handle(job: Job[Note]) -> None:
        ran.append(job.tenant or "")
        await asyncio.sleep(0.06)  # so long that none is claimed ahead of its slot
        if len(ran) == 3:
            await any_engine.enqueue(Note(), tenant="late")

    await any_engine.enqueue_many([Note() for _ in range(30)], tenant="many")
    await any_engine.enqueue(Note(), tenant="one")
    async with working(any_engine, handle, queues={"default": Queue(concurrency=1)}):
        await until(lambda: len(ran) == 32)
    assert ran.index("one") <= 1
    assert ran.index("late") <= 6, "what was claimed before the pace was known comes first"
