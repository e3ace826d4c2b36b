"""Promise 9: events are read in one order with no gap, also when transactions commit out of order."""

import asyncio
import random

import pytest

from penstock import Event, InvalidJob, PayloadTooLarge, Penstock, Secret
from penstock.events import LoggedEvent
from tests.conformance.callers import calling
from tests.conformance.conftest import MakeStore
from tests.conformance.databases import Database
from tests.support.clock import MovableClock


class Said(Event, type="said", stream="talk"):
    n: int
    by: str = ""


class Sang(Event, type="sang", stream="song"):
    n: int


class Whispered(Event, type="whispered", stream="talk"):
    secret: Secret[str]


async def test_an_event_is_read_as_it_was_published(engine: Penstock, clock: MovableClock):
    await engine.publish(Said(n=1, by="Zoë 🐟"), subject="room:1")
    [event] = await engine.events.read()
    assert (event.position, event.stream, event.type, event.subject) == (1, "talk", "said", "room:1")
    assert (event.data, event.at) == ({"n": 1, "by": "Zoë 🐟"}, clock.moment)
    assert event.read_as(Said) == Said(n=1, by="Zoë 🐟")
    assert await engine.events.head() == 1


async def test_reading_filters_by_stream_subject_type_and_position(engine: Penstock):
    for n in range(4):
        await engine.publish(Said(n=n), subject=f"s{n % 2}")
        await engine.publish(Sang(n=n), subject=f"s{n % 2}")
    log = engine.events

    async def numbers(**wanted) -> list[tuple[str, int]]:
        return [(event.type, event.data["n"]) for event in await log.read(**wanted)]

    assert await numbers(stream="talk") == [("said", n) for n in range(4)]
    assert await numbers(subject="s1") == [("said", 1), ("sang", 1), ("said", 3), ("sang", 3)]
    assert await numbers(types=["sang"], limit=2) == [("sang", 0), ("sang", 1)]
    assert await numbers(types=[]) == []
    assert await numbers(stream="song", subject="s0", after=2) == [("sang", 2)]
    assert await numbers(after=8) == []


async def test_a_transaction_that_commits_late_comes_later_and_is_not_missed(database: Database, engine: Penstock):
    async with calling(database, "driver_async") as caller:
        await engine.publish(Said(n=1), on=caller.on)
        quick = asyncio.create_task(engine.publish(Said(n=2)))
        if database.name == "postgres":  # there another writer does not wait
            await quick
        before = await engine.events.read()
        await caller.commit()
    await quick
    after = await engine.events.read(before[-1].position if before else 0)
    seen = [*before, *after]
    assert [event.position for event in seen] == [1, 2]
    assert {event.data["n"] for event in seen} == {1, 2}


async def test_a_rollback_leaves_no_gap(database: Database, engine: Penstock):
    await engine.publish(Said(n=1))
    async with calling(database, "session") as caller:
        await engine.publish(Said(n=2), on=caller.on)
        await caller.rollback()
    await engine.publish(Said(n=3))
    assert [(event.position, event.data["n"]) for event in await engine.events.read()] == [(1, 1), (2, 3)]


@pytest.mark.parametrize("seed", range(3))
async def test_many_writers_and_readers_agree_on_one_order_without_gaps(make_store: MakeStore, seed: int):
    engines = [Penstock(store=await make_store()) for _ in range(4)]
    rng = random.Random(seed)
    writers, each = 8, 25
    total = writers * each

    async def write(writer: int) -> None:
        engine = rng.choice(engines)
        for n in range(each):
            async with engine.transaction() as tx:
                await tx.publish(Said(n=n, by=str(writer)))
            for _ in range(rng.randint(0, 3)):
                await asyncio.sleep(0)

    async def read(engine: Penstock) -> list[LoggedEvent]:
        seen: list[LoggedEvent] = []
        while len(seen) < total:
            seen += await engine.events.read(seen[-1].position if seen else 0, limit=rng.randint(1, 60))
        return seen

    logs, _ = await asyncio.gather(
        asyncio.gather(*[read(engine) for engine in engines]), asyncio.gather(*map(write, range(writers)))
    )
    for log in logs:
        assert [event.position for event in log] == list(range(1, total + 1)), f"seed {seed}"
        assert log == logs[0]
        for writer in range(writers):
            assert [event.data["n"] for event in log if event.data["by"] == str(writer)] == list(range(each))


async def test_readers_that_number_at_the_same_time_give_each_event_one_position(make_store: MakeStore):
    engines = [Penstock(store=await make_store()) for _ in range(4)]
    for start in range(0, 400, 40):
        async with engines[0].transaction() as tx:
            for n in range(start, start + 40):
                await tx.publish(Said(n=n))
        await asyncio.gather(*[engine.events.head() for engine in engines for _ in range(4)])
    events = await engines[1].events.read(limit=1000)
    assert [(event.position, event.data["n"]) for event in events] == [(n + 1, n) for n in range(400)]


async def test_following_yields_what_is_there_and_each_new_event(engine: Penstock, make_store: MakeStore):
    other = Penstock(store=await make_store())
    await engine.publish(Said(n=0))
    await engine.publish(Sang(n=0))
    followed = other.events.follow(stream="talk")
    assert (await anext(followed)).data["n"] == 0
    for n in range(1, 5):
        waiting = asyncio.ensure_future(anext(followed))
        await engine.publish(Said(n=n))
        event = await waiting
        assert event.data["n"] == n
    await followed.aclose()
    resumed = other.events.follow(event.position - 1, stream="talk")
    assert (await anext(resumed)).position == event.position
    await resumed.aclose()


async def test_more_than_one_batch_is_followed_to_the_end(engine: Penstock):
    async with engine.transaction() as tx:
        for n in range(1_201):
            await tx.publish(Said(n=n))
    followed = engine.events.follow()
    assert [(await anext(followed)).position for _ in range(1_201)] == list(range(1, 1_202))
    await followed.aclose()


async def test_secrets_are_masked_and_sizes_checked(engine: Penstock):
    await engine.publish(Whispered(secret=Secret("hush")))
    [event] = await engine.events.read()
    assert "hush" not in str(event.data)
    with pytest.raises(PayloadTooLarge, match="event said is"):
        await engine.publish(Said(n=1, by="x" * 2**20))
    for subject in ("", "x" * 513, "a\x00b"):
        with pytest.raises(InvalidJob, match="subject"):
            await engine.publish(Said(n=1), subject=subject)
