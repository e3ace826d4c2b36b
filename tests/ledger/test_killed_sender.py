"""Processes killed by SIGKILL between call and send, and between send and mark: nothing is lost or counted twice."""

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from penstock import Job, Penstock, codec
from penstock.app import open_store
from penstock.domain.calls import CallScope, calling
from penstock.ledger import StripeMeter
from penstock.ledger.sinks import send_owed
from penstock.store.postgres import PostgresStore
from penstock.store.sqlite import SqliteStore
from tests.ledger.dying_sender import CALLS, TOKENS
from tests.support.clock import MovableClock
from tests.support.stripe_stub import KEY, StripeStub, status
from tests.worker.working import Note, until, working

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, sqlite_path: Path) -> str:
    url = f"sqlite:///{sqlite_path}" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    store = open_store(url)
    await store.migrate()
    await store.close()
    return url


async def ended(database: str, stripe: str, place: str) -> int | None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.ledger.dying_sender", database, stripe, place, cwd=ROOT
    )
    return await asyncio.wait_for(process.wait(), 50)


def meter_at(stub: StripeStub) -> StripeMeter:
    return StripeMeter(KEY, event_name="model_tokens", customer={"acme": "cus_acme"}, base_url=stub.url)


@pytest.mark.parametrize("place", ["closed", "taken", "sent"])
async def test_whatever_moment_it_dies_each_call_is_billed_once(httpserver: HTTPServer, url: str, place: str):
    stub = StripeStub(httpserver)
    meter = meter_at(stub)
    assert await ended(url, stub.url, place) == -signal.SIGKILL
    assert len(stub.counted) == (CALLS if place == "sent" else 0)
    assert await ended(url, stub.url, "-") == 0, "another process sends its own calls at once"
    later = MovableClock(datetime.now(UTC) + timedelta(minutes=3))
    store = SqliteStore(url, clock=later) if url.startswith("sqlite") else PostgresStore(url, clock=later)
    async with Penstock(store=store, usage_sinks=[meter]) as engine:
        while await send_owed(store, meter):
            pass
        [state] = await engine.sinks.list()
    assert (state.owed, state.refused) == (0, 0)
    assert len(stub.counted) == 2 * CALLS
    assert stub.value_of("cus_acme") == 2 * CALLS * TOKENS


async def test_a_worker_sends_what_calls_use_anywhere(httpserver: HTTPServer, url: str):
    stub = StripeStub(httpserver)
    stub.faults.append(status(503))

    async def nothing(job: Job[Note]) -> None:
        """A handler."""

    async with (
        Penstock(url, usage_sinks=[meter_at(stub)]) as engine,
        Penstock(url) as elsewhere,
        working(engine, nothing),
        working(engine, nothing),
    ):
        for _ in range(CALLS):
            with calling(CallScope(codec.new_id(), 1, 1, "work", "acme")):
                opened = await elsewhere.ledger.open("acme-ai", "m")
            await elsewhere.ledger.close(opened, "answered", input_tokens=1, output_tokens=1)
        await until(lambda: len(stub.counted) == CALLS)
        await until(lambda: _is_paid(engine))
    assert stub.value_of("cus_acme") == 2 * CALLS


async def _is_paid(engine: Penstock) -> bool:
    return [one.owed for one in await engine.sinks.list()] == [0]
