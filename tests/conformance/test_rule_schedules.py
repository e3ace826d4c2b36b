"""Schedules: each tick is one job however many lead; missed ticks by policy; daylight saving; pause."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from penstock import ConfigurationError, Missed, NotFound, Penstock, Queue, Schedule, Secret, codec
from penstock.sealing import new_key
from penstock.store.base import Store
from penstock.store.programs.change import put_queue
from penstock.store.programs.upkeep import declare_schedules, tick
from tests.conformance.conftest import MakeStore
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Sealed, Work

HOURLY = Schedule(cron="0 * * * *")


async def declare(engine: Penstock, **schedules: Schedule) -> None:
    """Declare as a worker does when it starts."""
    engine.schedules.clear()
    for name, when in schedules.items():
        engine.schedule(name, when, Work(n=1), priority="high", tags=["tick"])
    await engine.store.run(declare_schedules(list(engine.schedules.values()), ["default"], engine.store.clock.now()))


async def tick_now(store: Store) -> int | None:
    """What a leader does."""
    return await store.run(tick(store.clock.now()))


async def test_a_tick_enqueues_its_job_once(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await declare(engine, hourly=HOURLY)
    assert await tick_now(engine.store) == clock.now() + 3_600_000_000
    assert await worker.claim() == []
    clock.advance(3600)
    for _ in range(3):
        await tick_now(engine.store)
    [job] = await worker.claim()
    assert (codec.loads(job.data), job.level, job.kind) == ({"n": 1}, 10, "work")
    assert (await engine.get(job.id)).tags == ("tick",)
    [view] = await engine.queues.schedules()
    assert (view.when, view.last_at, view.next_at) == (
        "0 * * * * (UTC)",
        clock.moment,
        clock.moment + timedelta(hours=1),
    )


async def test_leaders_at_once_enqueue_each_tick_once(make_store: MakeStore, clock: MovableClock):
    engines = [Penstock(store=await make_store()) for _ in range(3)]
    worker = await HandWorker.register(engines[0].store)
    await declare(engines[0], a=HOURLY, b=Schedule(every=timedelta(minutes=30)))
    for _ in range(10):
        clock.advance(3600)
        await asyncio.gather(*[tick_now(engine.store) for engine in engines for _ in range(2)])
    assert len(await worker.claim()) == 20


async def test_a_tick_by_a_leader_that_was_deposed_is_no_second_job(
    engine: Penstock, store: Store, worker: HandWorker, clock: MovableClock
):
    await declare(engine, hourly=HOURLY)
    clock.advance(3600)
    await tick_now(store)
    await store.run(declare_schedules([], ["default"], clock.now()))
    await declare(engine, hourly=Schedule(cron="0 */1 * * *"))
    clock.advance(-1)
    await declare(engine, hourly=HOURLY)
    clock.advance(1)
    await tick_now(store)
    assert len(await worker.claim()) == 1


@pytest.mark.parametrize(("missed", "expected"), [(Missed.LATEST, 1), (Missed.ALL, 24), (Missed.SKIP, 0)])
async def test_missed_ticks_follow_their_policy(
    engine: Penstock, worker: HandWorker, clock: MovableClock, missed: Missed, expected: int
):
    await declare(engine, hourly=Schedule(cron="0 * * * *", missed=missed))
    clock.advance(24 * 3600 + 120)
    assert await tick_now(engine.store) == clock.now() + 3480 * 1_000_000
    assert len(await worker.claim()) == expected
    clock.advance(3480)
    await tick_now(engine.store)
    assert len(await worker.claim()) == 1


async def test_a_year_of_missed_minutes_is_caught_up_in_rounds(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await declare(
        engine, all=Schedule(cron="* * * * *", missed=Missed.ALL), latest=Schedule(every=timedelta(seconds=1))
    )
    clock.advance(1_500 * 60)
    rounds = 0
    while (at := await tick_now(engine.store)) is not None and at <= clock.now():
        rounds += 1
    assert rounds == 1
    assert len(await worker.claim(5_000)) == 1_501
    [_, latest] = await engine.queues.schedules()
    assert latest.last_at == clock.moment


async def test_daylight_saving_runs_a_daily_job_once_a_day(engine: Penstock, worker: HandWorker, clock: MovableClock):
    clock.move_to(datetime(2026, 3, 27, tzinfo=UTC))
    await declare(engine, nightly=Schedule(cron="30 2 * * *", tz="Europe/Berlin"))
    ticks = []
    for _ in range(5):
        at = await tick_now(engine.store)
        assert at is not None
        clock.advance((at - clock.now()) / 1_000_000)
        await tick_now(engine.store)
        ticks.append(clock.moment)
        assert len(await worker.claim()) == 1
    assert [tick.day for tick in ticks] == [27, 28, 29, 30, 31]
    assert [tick.hour for tick in ticks] == [1, 1, 1, 0, 0]


async def test_a_paused_schedule_fires_no_more_and_goes_on_from_its_next_tick(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await declare(engine, hourly=HOURLY)
    await engine.queues.pause_schedule("hourly")
    clock.advance(5 * 3600 + 60)
    assert await tick_now(engine.store) is None
    await engine.queues.resume_schedule("hourly")
    assert await tick_now(engine.store) == clock.now() + 3540 * 1_000_000
    assert await worker.claim() == []
    for call in (engine.queues.pause_schedule, engine.queues.resume_schedule):
        with pytest.raises(NotFound, match="nobody"):
            await call("nobody")


async def test_a_schedule_no_code_declares_is_listed_but_fires_no_more(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await declare(engine, a=HOURLY, b=HOURLY)
    await engine.queues.pause_schedule("a")
    await declare(engine, a=HOURLY)
    clock.advance(3600)
    assert await tick_now(engine.store) is None
    assert [(view.name, view.declared) for view in await engine.queues.schedules()] == [("a", True), ("b", False)]
    assert (await engine.queues.schedules())[0].paused_since is not None
    assert await worker.claim() == []


async def test_a_worker_of_other_queues_leaves_a_schedule_alone(engine: Penstock, clock: MovableClock):
    await declare(engine, a=HOURLY)
    await engine.store.run(declare_schedules([], ["other"], clock.now()))
    assert [view.declared for view in await engine.queues.schedules()] == [True]


async def test_a_restart_keeps_the_place_and_a_changed_line_starts_anew(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    await declare(engine, s=HOURLY)
    clock.advance(3700)
    await declare(engine, s=HOURLY)
    await tick_now(engine.store)
    assert len(await worker.claim()) == 1
    clock.advance(3700)
    await declare(engine, s=Schedule(cron="30 * * * *"))
    await tick_now(engine.store)
    assert await worker.claim() == []


async def test_a_full_queue_does_not_stop_the_ticks(engine: Penstock, worker: HandWorker, clock: MovableClock):
    await engine.store.run(put_queue("default", Queue(max_length=1)))
    await declare(engine, hourly=HOURLY)
    for _ in range(3):
        clock.advance(3600)
        await tick_now(engine.store)
    assert len(await worker.claim()) == 3


async def test_what_cannot_recur_is_refused_at_the_declaration(engine: Penstock):
    engine.schedule("once", HOURLY, Work())
    with pytest.raises(ConfigurationError, match="declared twice"):
        engine.schedule("once", HOURLY, Work())
    for option in ("delay", "unique", "id", "after", "flow", "deadline"):
        with pytest.raises(ConfigurationError, match=option):
            engine.schedule("s", HOURLY, Work(), **{option: 1})
    sealing = Penstock(store=engine.store, secret_keys=new_key("k"))
    with pytest.raises(ConfigurationError, match="secrets"):
        sealing.schedule("s", HOURLY, Sealed(token=Secret("x")))
