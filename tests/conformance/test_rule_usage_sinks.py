"""Usage sinks: owed in the transaction that makes a call's tokens known, taken by one sender at a time, paid once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from penstock import ConfigurationError, Penstock
from penstock.config import load_settings
from penstock.domain.calls import CallScope, calling
from penstock.ledger import Delivery, Later, Ledger, MeteredCall, Refused, Taken
from penstock.ledger.sinks import send_owed
from penstock.store.base import Store
from penstock.store.programs.calls import close_lost_calls
from penstock.store.programs.sinks import (
    declare_sinks,
    drop_refused,
    forget_sink,
    list_sinks,
    prune_calls,
    refused_calls,
    retry_refused,
    take_owed,
)
from penstock.worker.duties import standard_duties
from tests.conformance.conftest import MakeStore
from tests.support.clock import MovableClock

DAY = timedelta(days=1)


class Books:
    """A sink that keeps what it is told, and answers what a test has scripted; then it takes everything."""

    def __init__(self, name: str = "books", *answers: Delivery | Exception) -> None:
        self.name = name
        self.remembers = timedelta(hours=23)
        self.told: list[MeteredCall] = []
        self.answers = list(answers)
        self.before: Callable[[], Awaitable[None]] | None = None

    async def send(self, calls: Sequence[MeteredCall]) -> Sequence[Delivery]:
        self.told += calls
        await asyncio.sleep(0)
        if self.before is not None:
            await self.before()
        answers = [self.answers.pop(0) if self.answers else Taken() for _ in calls]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [answer for answer in answers if not isinstance(answer, Exception)]

    async def close(self) -> None:
        """It holds nothing."""

    @property
    def ids(self) -> list[str]:
        return [call.id for call in self.told]


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def ledger(store: Store, books: Books) -> Ledger:
    return Ledger(store, lambda *_: 250_000_000, sinks=[books])


async def call(ledger: Ledger, outcome: str = "answered", *, output: int | None = 5, tenant: str = "acme") -> str:
    with calling(CallScope("018f0000-0000-7000-8000-000000000001", 1, 2, "work", tenant, None, "outline")):
        opened = await ledger.open("acme-ai", "m", input_estimate=10)
    await ledger.close(opened, outcome, input_tokens=10, output_tokens=output, cached_tokens=3)
    return opened.id


async def owed(store: Store) -> dict[str, tuple[int, int]]:
    return {one.name: (one.owed, one.refused) for one in await store.read(list_sinks())}


async def test_a_sink_is_told_each_call_once_with_all_that_is_known(
    store: Store, ledger: Ledger, books: Books, clock: MovableClock
):
    first, second = await call(ledger), await call(ledger, "timeout", output=2)
    assert await owed(store) == {"books": (2, 0)}
    assert not await send_owed(store, books)
    assert await owed(store) == {"books": (0, 0)}
    assert not await send_owed(store, books)
    assert sorted(books.ids) == sorted([first, second])
    told = next(one for one in books.told if one.id == first)
    assert (told.provider, told.model, told.outcome) == ("acme-ai", "m", "answered")
    assert (told.input_tokens, told.output_tokens, told.cached_tokens) == (10, 5, 3)
    assert told.cost == Decimal("0.25")
    assert told.closed_at == clock.moment
    assert (told.tenant, told.kind, told.step, told.attempt) == ("acme", "work", "outline", 2)


async def test_what_was_used_before_a_sink_was_known_is_not_its_own(store: Store, ledger: Ledger, books: Books):
    plain = Ledger(store)
    await call(plain)
    await ledger.declare()
    mine = await call(plain)
    await send_owed(store, books)
    assert books.ids == [mine], "also of an engine that knows no sink"


async def test_a_call_whose_tokens_are_not_known_is_owed_when_they_are(
    store: Store, ledger: Ledger, books: Books, clock: MovableClock
):
    late = await ledger.open("acme-ai", "m", input_estimate=10)
    await ledger.close(late, "timeout")
    await send_owed(store, books)
    assert books.told == []
    for tokens in (7, 8):  # the second time it is known
        await ledger.close(late, "answered", input_tokens=10, output_tokens=tokens, cached_tokens=0, late=True)
    await send_owed(store, books)
    assert [(one.id, one.output_tokens, one.outcome) for one in books.told] == [(late.id, 7, "timeout")]


async def test_an_estimate_is_never_billed_but_what_came_back_is(
    store: Store, ledger: Ledger, books: Books, clock: MovableClock
):
    opened = await ledger.open("acme-ai", "m", input_estimate=100, output_estimate=50)
    clock.advance(2 * 3_600)
    assert await store.run(close_lost_calls(clock.now(), lambda *_: 1)) == 1
    await send_owed(store, books)
    assert books.told == []
    await ledger.close(opened, "answered", input_tokens=1, output_tokens=2)
    await send_owed(store, books)
    assert [one.output_tokens for one in books.told] == [2]


async def test_a_senders_calls_are_anothers_only_when_it_must_be_gone(
    store: Store, ledger: Ledger, books: Books, clock: MovableClock
):
    lost = await call(ledger)
    await store.run(take_owed("books", clock.now(), clock.now() + 120_000_000, 10))
    assert not await send_owed(store, books)
    assert books.told == []
    clock.advance(121)
    await send_owed(store, books)
    assert books.ids == [lost]
    assert await owed(store) == {"books": (0, 0)}


async def test_a_late_senders_word_does_not_undo_what_another_has_taken_up(
    store: Store, make_store: MakeStore, ledger: Ledger, clock: MovableClock
):
    slow, other = Books("books", Refused("so the slow one was told")), Books("books", Later("busy", after_s=600))
    await call(ledger)
    second = await make_store()

    async def meanwhile() -> None:
        clock.advance(121)
        await send_owed(second, other)

    slow.before = meanwhile
    await send_owed(store, slow)
    assert await owed(store) == {"books": (1, 0)}
    assert len(other.told) == 1


async def test_many_senders_tell_each_call_once(store: Store, make_store: MakeStore, ledger: Ledger, books: Books):
    calls = [await call(ledger) for _ in range(230)]
    stores = [store, *[await make_store() for _ in range(3)]]

    async def send(one: Store) -> None:
        while await send_owed(one, books):
            pass

    while (await owed(store))["books"][0]:
        await asyncio.gather(*(send(one) for one in stores))
    assert Counter(books.ids) == Counter(calls)


async def test_what_is_not_taken_now_is_due_later_and_not_before(
    store: Store, ledger: Ledger, books: Books, clock: MovableClock
):
    await call(ledger)
    books.answers = [Later("busy", after_s=30), RuntimeError("a fault")]
    await send_owed(store, books)
    clock.advance(29)
    await send_owed(store, books)
    assert len(books.told) == 1
    clock.advance(1)
    await send_owed(store, books)
    [state] = await store.read(list_sinks())
    assert (state.owed, state.problem) == (1, "RuntimeError: a fault")
    clock.advance(30)
    await send_owed(store, books)
    assert await owed(store) == {"books": (0, 0)}
    assert len(books.told) == 3


async def test_a_refused_call_waits_for_a_person(
    engine: Penstock, store: Store, ledger: Ledger, books: Books, clock: MovableClock
):
    bad, good = await call(ledger), await call(ledger)
    books.answers = [Refused("no such customer"), Taken()] if bad < good else [Taken(), Refused("no such customer")]
    await send_owed(store, books)
    clock.advance(timedelta(days=2))
    await send_owed(store, books)
    assert len(books.told) == 2, "it is not sent again unasked"
    [refused] = await store.read(refused_calls("books"))
    assert refused.problem == "no such customer"
    assert await store.run(retry_refused("books", clock.now())) == 1
    books.answers = [Refused("still not there")]
    await send_owed(store, books)
    assert books.ids[2] == refused.call_id
    assert await store.run(drop_refused("books")) == 1
    assert await owed(store) == {"books": (0, 0)}


async def test_what_may_have_been_taken_is_not_sent_again_once_the_sink_has_forgotten(
    store: Store, ledger: Ledger, books: Books, clock: MovableClock
):
    certain = Ledger(store, sinks=[other := Books("other", Later("busy"))])
    await certain.declare()
    doubtful = await call(ledger)
    books.answers = [Later("no answer", unsure=True)]
    await send_owed(store, books)
    await send_owed(store, other)
    clock.advance(timedelta(hours=23))
    await send_owed(store, books)
    await send_owed(store, other)
    assert books.ids == [doubtful], "once: a second time it might count twice"
    assert len(other.told) == 2, "who has surely not taken it is told again"
    [kept] = await store.read(refused_calls("books"))
    assert "may have been taken" in kept.problem


async def test_a_doubt_is_not_forgotten_over_a_sure_refusal(
    store: Store, ledger: Ledger, books: Books, clock: MovableClock
):
    await call(ledger)
    books.answers = [Later("no answer", unsure=True), Later("busy"), Later("busy")]
    for _ in range(3):
        await send_owed(store, books)
        clock.advance(timedelta(hours=8))
    await send_owed(store, books)
    assert len(books.told) == 3
    assert await owed(store) == {"books": (0, 1)}


async def test_calls_are_kept_for_their_time_and_never_pruned_while_open_or_owed(
    store: Store, engine: Penstock, ledger: Ledger, books: Books, clock: MovableClock
):
    await call(ledger)
    await send_owed(store, books)
    await call(ledger)
    await ledger.open("acme-ai", "m")
    before = clock.now() + 1
    assert await store.run(prune_calls(clock.now())) == 0, "not before their time"
    clock.advance(DAY)
    await call(ledger)
    assert await store.run(prune_calls(before)) == 1, "the one that is closed, paid and old"
    await send_owed(store, books)
    assert await store.run(prune_calls(before)) == 1
    assert await store.run(prune_calls(before)) == 0, "one is open, one is young"
    assert [row.calls for row in await engine.usage(by="provider")] == [2]


async def test_pruning_takes_the_oldest_first_in_batches(store: Store, engine: Penstock, clock: MovableClock):
    ledger = Ledger(store)
    for _ in range(5):
        await call(ledger)
        clock.advance(1)
    assert [await store.run(prune_calls(clock.now(), 2)) for _ in range(4)] == [2, 2, 1, 0]


async def test_the_leader_prunes_by_the_engines_setting(store: Store, engine: Penstock, clock: MovableClock):
    [duty] = [one for one in standard_duties(load_settings(ledger_days=2)) if one.name == "ledger retention"]
    await call(Ledger(store))
    for days_later in (0, 1, 2):
        clock.advance(DAY * min(days_later, 1))
        await duty.run(store, clock.now())
        assert len(await engine.usage(by="provider")) == 1
    clock.advance(1)
    await duty.run(store, clock.now())
    assert await engine.usage(by="provider") == []


async def test_a_forgotten_sink_is_owed_nothing_and_holds_nothing_back(
    store: Store, ledger: Ledger, books: Books, clock: MovableClock
):
    await call(ledger)
    assert await store.run(forget_sink("books"))
    assert not await store.run(forget_sink("books"))
    assert await owed(store) == {}
    assert await store.run(prune_calls(clock.now() + 1)) == 1
    await store.run(declare_sinks(["books"], clock.now()))
    assert not await send_owed(store, books)
    assert books.told == []


async def test_two_sinks_of_one_name_are_refused(store: Store):
    with pytest.raises(ConfigurationError, match=r"usage_sinks: two are named 'books'; give each its own name="):
        Penstock(store=store, usage_sinks=[Books(), Books()])
