"""Limits of model calls in the store: kept for all processes, settled by true use, adjusted by what providers say."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from penstock import Penstock
from penstock.ai import CallEnd, ModelLimit, Usage
from penstock.domain.calls import CallScope, calling
from penstock.domain.limits import MINUTE, SECOND
from penstock.ledger import Ledger
from penstock.ledger.book import Opened
from penstock.operations import LimitView
from penstock.store.base import Store
from penstock.store.programs.calls import close_lost_calls
from tests.conformance.conftest import MakeStore
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

PATIENTLY_S = 20


def ledger_of(store: Store, **limit: Any) -> Ledger:
    return Ledger(store, limits=[ModelLimit("acme", **limit)])


async def open_call(ledger: Ledger, *, tokens: int = 0, answer: int | None = 0, model: str = "m") -> Opened:
    """A call that is let through at once, or fails the test."""
    opening = ledger.open("acme", model, account="k", input_estimate=tokens, output_estimate=answer)
    return await asyncio.wait_for(opening, PATIENTLY_S)


async def is_let_through(ledger: Ledger, **asked: Any) -> bool:
    """Whether a call is, by a clock that stands still; it is over at once."""
    opening = asyncio.create_task(open_call(ledger, **asked))
    # Each look is a transaction: a call that waits has been looked at when the one after it has been closed.
    for _ in range(3):
        await ledger.close(await ledger.open("other", "m"), "answered")
    if not opening.done():
        opening.cancel()
        await asyncio.wait([opening])
        return False
    await ledger.close(await opening, "answered")
    return True


async def limit_of(engine: Penstock) -> LimitView:
    [limit] = [one for one in await engine.limits.list() if one.provider == "acme" and one.model is None]
    return limit


async def test_all_processes_of_a_database_share_a_rate(make_store: MakeStore, clock: MovableClock):
    stores = [await make_store() for _ in range(3)]
    ledgers = [ledger_of(store, requests=610) for store in stores]  # ten at once, one more each tenth of a second
    for number in range(10):
        assert await is_let_through(ledgers[number % 3])
    assert not await is_let_through(ledgers[0])
    clock.advance(0.1)
    assert await is_let_through(ledgers[1])
    assert not await is_let_through(ledgers[2])


async def test_many_that_ask_at_once_get_what_there_is_and_no_more(make_store: MakeStore, engine: Penstock):
    ledgers = [ledger_of(await make_store(), requests=610) for _ in range(4)]
    asking = [asyncio.create_task(open_call(ledger)) for ledger in ledgers for _ in range(8)]
    done, pending = set[Any](), set(asking)
    while len(done) < 10:
        more, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENTLY_S)
        assert more, "ten go"
        done |= more
    for ledger in ledgers:  # each desk has been looked at once more
        await ledger.close(await ledger.open("other", "m"), "answered")
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)
    assert len(done) == 10
    [usage] = [one for one in await engine.usage(by="provider") if one.name == "acme"]
    assert (usage.calls, (await limit_of(engine)).running) == (10, 10)


async def test_true_use_is_settled_when_a_call_closes(store: Store, engine: Penstock, clock: MovableClock):
    ledger = ledger_of(store, input_tokens=6_100, output_tokens=6_100)
    opened = await open_call(ledger, tokens=1_000, answer=2_000)
    await ledger.close(opened, "answered", input_tokens=200, output_tokens=100)
    clock.advance(2)
    assert await is_let_through(ledger)
    opened = await open_call(ledger, tokens=10, answer=10)
    await ledger.close(opened, "answered", input_tokens=10, output_tokens=610)
    clock.advance(5)
    assert not await is_let_through(ledger, answer=10), "more than was thought is a debt"
    clock.advance(2)
    assert await is_let_through(ledger, answer=10)


async def test_a_failed_call_stays_spent_and_a_late_answer_still_settles(store: Store, clock: MovableClock):
    ledger = ledger_of(store, input_tokens=6_100)
    opened = await open_call(ledger, tokens=1_000)
    await ledger.close(opened, "timeout")
    clock.advance(5)
    assert not await is_let_through(ledger, tokens=100)
    await ledger.close(opened, "answered", input_tokens=100, output_tokens=1, late=True)
    assert await is_let_through(ledger, tokens=100)


async def test_calls_at_once_are_bounded_and_a_cancelled_one_frees_its_place(store: Store, engine: Penstock):
    ledger = ledger_of(store, concurrent=2)
    first, second = await open_call(ledger), await open_call(ledger)
    assert not await is_let_through(ledger)
    await ledger.close(first, "cancelled")
    assert await is_let_through(ledger)
    await ledger.close(second, "answered")
    assert (await limit_of(engine)).running == 0


async def test_a_call_that_nobody_waits_for_any_more_is_withdrawn(
    store: Store, engine: Penstock, monkeypatch: pytest.MonkeyPatch
):
    ledger = ledger_of(store, concurrent=1)
    reached, go = asyncio.Event(), asyncio.Event()
    run = store.run

    async def slow(program: Any, **options: Any) -> Any:
        answer = await run(program, **options)
        reached.set()
        await go.wait()
        return answer

    monkeypatch.setattr(store, "run", slow)
    opening = asyncio.create_task(open_call(ledger))
    await reached.wait()
    opening.cancel()
    await asyncio.wait([opening])
    go.set()
    await open_call(ledger)
    [usage] = await engine.usage(by="provider")
    assert usage.calls == 1, "it was not made, so the ledger does not have it"
    assert (await limit_of(engine)).running == 1


async def test_after_a_loss_the_place_is_free_and_the_rate_stays_spent(
    store: Store, engine: Penstock, worker: HandWorker, clock: MovableClock
):
    ledger = ledger_of(store, concurrent=1, input_tokens=610)
    handle = await engine.enqueue(Work())
    run = await worker.claim_one()
    with calling(CallScope(handle.id, run.claim_id, 1, "work")):
        await open_call(ledger, tokens=3_050)
    await worker.release(run)
    assert (await limit_of(engine)).running == 1
    clock.advance(120)
    assert await store.run(close_lost_calls(clock.now(), lambda *_: None)) == 1
    limit = await limit_of(engine)
    assert limit.running == 0
    assert limit.opens_at == datetime.fromtimestamp((clock.now() - 120 * SECOND + 5 * MINUTE) / SECOND - 1, UTC)


async def test_what_came_back_after_all_does_not_free_a_place_twice(
    store: Store, engine: Penstock, clock: MovableClock
):
    ledger = ledger_of(store, concurrent=2)
    lost, held = await open_call(ledger), await open_call(ledger)
    clock.advance(2 * 3_600)
    assert await store.run(close_lost_calls(clock.now(), lambda *_: None)) == 2
    await open_call(ledger)
    await ledger.close(lost, "answered", input_tokens=1, output_tokens=1)
    await ledger.close(held, "answered", input_tokens=1, output_tokens=1)
    assert (await limit_of(engine)).running == 1


async def test_a_retry_after_holds_everybody_and_needs_no_declared_limit(make_store: MakeStore, clock: MovableClock):
    teller, other = Ledger(await make_store()), Ledger(await make_store())
    opened = await open_call(teller)
    await teller.close_as(opened, CallEnd("rate_limit", 0.1, retry_after_s=3))
    assert not await is_let_through(other)
    assert await is_let_through(other, model="another"), "it was said of this model"
    clock.advance(3.1)
    assert await is_let_through(other)


async def test_headers_count_where_they_are_stricter(make_store: MakeStore, engine: Penstock, clock: MovableClock):
    ledger = ledger_of(await make_store(), requests=6_100)
    opened = await open_call(ledger)
    told = {
        "x-ratelimit-limit-requests": "61",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
    }
    await ledger.close_as(opened, CallEnd("answered", 0.1, Usage(1, 1), told))
    clock.advance(1.9)
    assert not await is_let_through(ledger), "nothing is left until the reset"
    clock.advance(0.2)
    assert await is_let_through(ledger)
    assert not await is_let_through(ledger), "one a second"
    limit = await limit_of(engine)
    assert (limit.requests, limit.told_requests) == (6_100, 61)


async def test_each_key_has_its_own(store: Store):
    ledger = ledger_of(store, requests=1)
    assert await is_let_through(ledger)
    assert not await is_let_through(ledger)
    opened = await asyncio.wait_for(ledger.open("acme", "m", account="another"), PATIENTLY_S)
    await ledger.close(opened, "answered")


async def test_a_ready_job_is_told_of_the_limit_its_kind_waits_for(
    store: Store, engine: Penstock, worker: HandWorker, clock: MovableClock
):
    ledger = ledger_of(store, requests=6)
    for _ in range(3):
        await engine.enqueue(Work())
        clock.advance(0.001)
    run = await worker.claim_one()
    last = await engine.enqueue(Work())
    with calling(CallScope(run.id, run.claim_id, 1, "work")):
        assert await is_let_through(ledger)
        assert not await is_let_through(ledger)
    found = await engine.jobs.why(last.id)
    assert "a limit keeps the model calls of its kind: acme: 6 requests a minute" in found.reasons
    spacing = MINUTE / 6 / SECOND
    assert found.until is not None
    assert found.until.timestamp() == pytest.approx(clock.now() / SECOND + 3 * spacing, abs=0.01)
