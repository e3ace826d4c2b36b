"""How many run at once, how often, and how far ahead jobs are claimed."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.claimed import ClaimedJob
from penstock.domain.job import JobData
from penstock.domain.queue import Queue
from penstock.domain.rates import Rate
from penstock.domain.states import JobState
from penstock.errors import ConfigurationError
from penstock.store.programs.claim import Claimed
from penstock.worker import Worker
from penstock.worker.feed import MARGIN_US, STALE_S, Feed
from penstock.worker.stats import Counts
from tests.worker.working import Note, Other, reached, until, working


class Gauge:
    """A handler that measures how many of it run at once."""

    handles = Note

    def __init__(self, turns: int = 5) -> None:
        self.now = self.most = self.done = 0
        self._turns = turns

    async def process_job(self, job: Job[Note]) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(self._turns):
            await asyncio.sleep(0)
        self.now -= 1
        self.done += 1


async def test_a_queues_concurrency_is_kept(any_engine: Penstock):
    gauge = Gauge()
    await any_engine.enqueue_many([Note() for _ in range(200)])
    async with working(any_engine, gauge, queues={"default": Queue(concurrency=4)}):
        await until(lambda: gauge.done == 200)
    assert gauge.most == 4


async def test_a_total_concurrency_holds_across_workers(any_engine: Penstock):
    gauge = Gauge()
    await any_engine.enqueue_many([Note() for _ in range(30)])
    queues = {"default": Queue(concurrency=10, total_concurrency=3)}
    async with working(any_engine, gauge, queues=queues), working(any_engine, gauge, queues=queues):
        await until(lambda: gauge.done == 30)
    assert gauge.most <= 3


async def test_a_concurrency_key_is_kept(any_engine: Penstock):
    gauge = Gauge()
    await any_engine.enqueue_many([Note() for _ in range(20)], concurrency_key="tenant-7", concurrency_limit=2)
    async with working(any_engine, gauge):
        await until(lambda: gauge.done == 20)
    assert gauge.most <= 2


async def test_a_rate_bounds_starts_over_a_window(engine: Penstock):
    gauge = Gauge()
    await engine.enqueue_many([Note() for _ in range(8)])
    async with working(engine, gauge, queues={"default": Queue(rate=Rate(5, timedelta(seconds=1)))}):
        await until(lambda: gauge.done == 5)
        waiting = [view for view in await engine.jobs.list() if view.state is JobState.READY]
        assert len(waiting) == 3
        await until(lambda: gauge.done == 8)


async def test_a_paused_queue_is_not_claimed_from_until_it_is_resumed(engine: Penstock):
    gauge = Gauge()
    async with working(engine, gauge) as worker:
        await engine.queues.pause("default")
        handle = await engine.enqueue(Note())
        polls = worker.get_stats().polls
        await until(lambda: worker.get_stats().polls > polls + 1)
        assert (await engine.get(handle.id)).state is JobState.READY
        await engine.queues.resume("default")
        await reached(engine, handle.id, JobState.COMPLETED)


async def test_claims_alternate_between_queues_by_weight(engine: Penstock):
    class Left(JobData, kind="left", queue="left"):
        pass

    class Right(JobData, kind="right", queue="right"):
        pass

    order: list[str] = []

    async def left(job: Job[Left]) -> None:
        order.append("left")

    async def right(job: Job[Right]) -> None:
        order.append("right")

    await engine.enqueue_many([Left() for _ in range(40)])
    await engine.enqueue_many([Right() for _ in range(40)])
    queues = {"left": Queue(concurrency=1, weight=3), "right": Queue(concurrency=1)}
    async with working(engine, left, right, queues=queues):
        await until(lambda: len(order) == 80)
    assert Counter(order) == {"left": 40, "right": 40}


async def test_order_is_priority_then_age(engine: Penstock):
    ran: list[int] = []

    async def note(job: Job[Other]) -> None:
        ran.append(job.data.number)

    await engine.enqueue_many([Other(number=n) for n in range(3)])
    await engine.enqueue(Other(number=10), priority="high")
    await engine.enqueue(Other(number=-1), priority="low")
    async with working(engine, note, concurrency=1):
        await until(lambda: len(ran) == 5)
    assert ran == [10, 0, 1, 2, -1]


def test_concurrency_is_given_once():
    engine = Penstock("sqlite:///unused.db")
    with pytest.raises(ConfigurationError, match="concurrency="):
        Worker(engine, [Gauge()], queues={"default": Queue()}, concurrency=3)


def test_a_worker_needs_a_queue():
    with pytest.raises(ConfigurationError, match="needs a queue"):
        Worker(Penstock("sqlite:///unused.db"), [])


def _feed(**settings: object) -> Feed:
    return Feed("default", Queue(**{"concurrency": 10, **settings}), Counts(), 1.0, 0.0)  # type: ignore[arg-type]


def _job(number: int) -> ClaimedJob:
    return ClaimedJob(
        f"job-{number}", 7, 100 + number, 0, 0, 0, 5, 0, None, None, False, None, 1, "{}", None, None, "default", 1,
        "note", None,
    )  # fmt: skip


def test_nothing_is_claimed_ahead_before_the_pace_is_known():
    assert _feed().wanted(running=0, prefetch=200) == 10


def test_fast_jobs_are_claimed_ahead_up_to_the_limit_and_slow_ones_not():
    fast, slow = _feed(), _feed()
    fast.learn(0.0001)
    slow.learn(1.0)
    assert fast.wanted(running=10, prefetch=200) == 200
    assert slow.wanted(running=10, prefetch=200) == 0


def test_a_gated_queue_is_never_claimed_ahead():
    feed = _feed(total_concurrency=100)
    feed.learn(0.0001)
    assert feed.wanted(running=10, prefetch=200) == 0


def test_the_next_batch_is_claimed_when_a_quarter_of_the_buffer_is_empty():
    feed = _feed()
    feed.learn(0.0001)
    feed.take(Claimed([_job(n) for n in range(150)], full=True), 0.0, 0)
    assert feed.wanted(running=10, prefetch=200) == 0
    feed.buffer.popleft()
    assert feed.wanted(running=10, prefetch=200) == 51


def test_a_position_is_remembered_until_a_wake_up_below_it_or_a_second():
    feed = _feed()
    feed.tick(0.0)
    now = 10 * MARGIN_US
    feed.take(Claimed([_job(1), _job(2)], full=True), 0.0, now)
    assert feed.after == {7: 102 - MARGIN_US}
    feed.take(Claimed([], full=False), 0.0, now)
    feed.wake(tail=True)
    assert feed.after == {7: 102 - MARGIN_US}
    feed.wake()
    assert feed.after == {}
    feed.take(Claimed([_job(2)], full=False), 0.0, now)
    feed.due = False
    feed.tick(0.5)
    assert feed.after == {7: 102 - MARGIN_US}
    assert not feed.due
    feed.tick(99.0)
    assert feed.after == {}
    assert feed.due, "what committed late is looked for"


def test_a_remembered_position_never_goes_back_nor_beyond_the_time():
    feed = _feed()
    feed.take(Claimed([_job(5)], full=False), 0.0, 10 * MARGIN_US)
    feed.take(Claimed([_job(3)], full=False), 0.0, 10 * MARGIN_US)
    assert feed.after == {7: 105 - MARGIN_US}
    later = _job(4)._replace(lane_id=8, position=10**18)
    feed.take(Claimed([later], full=False), 0.0, 1_000)
    assert feed.after[8] == 1_000 - MARGIN_US, "a job of a low level stands far beyond what comes next"


def test_jobs_that_wait_long_in_the_buffer_are_given_back():
    feed = _feed()
    feed.learn(0.0001)
    feed.take(Claimed([_job(1)], full=False), 5.0, 0)
    assert list(feed.give_back_stale(5.0 + STALE_S / 2)) == []
    assert [job.id for job in feed.give_back_stale(5.0 + STALE_S)] == ["job-1"]
    assert feed.wanted(running=10, prefetch=200) == 0
