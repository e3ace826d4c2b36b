"""The store goes away and comes back; nothing is lost and the worker carries on."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import psycopg
import pytest

from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.states import JobState
from penstock.errors import StoreUnavailable
from penstock.store.postgres import PostgresStore
from penstock.store.sqlite import SqliteStore
from penstock.worker import Worker
from penstock.worker import completer as completer_module
from penstock.worker import fetcher as fetcher_module
from tests.worker.working import NO_PROFILE, Note, reached, until, working


async def test_a_held_write_lock_delays_results_and_loses_none(
    engine: Penstock, sqlite_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    running, go_on = asyncio.Event(), asyncio.Event()

    async def waits(job: Job[Note]) -> str:
        running.set()
        await go_on.wait()
        return "kept"

    handle = await engine.enqueue(Note())
    async with working(engine, waits, lease_s=60) as worker:
        await running.wait()
        other = sqlite3.connect(sqlite_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        go_on.set()
        await until(lambda: "the store cannot be reached; trying again" in _said(caplog))
        assert worker.get_stats().unwritten == 1
        other.execute("ROLLBACK")
        other.close()
        await reached(engine, handle.id, JobState.COMPLETED)
        await until(lambda: "the store is back" in _said(caplog))
        after = await engine.enqueue(Note())
        await reached(engine, after.id, JobState.COMPLETED)
    assert _said(caplog).count("the store cannot be reached; trying again") == 1
    assert (await engine.jobs.payload(handle.id))[1] == "kept"


async def test_broken_connections_are_made_anew(postgres_url: str):
    running, go_on = asyncio.Event(), asyncio.Event()

    async def waits(job: Job[Note]) -> str:
        running.set()
        await go_on.wait()
        return "kept"

    store = PostgresStore(postgres_url, auto_migrate=True)
    async with Penstock(store=store, **NO_PROFILE) as engine:
        handle = await engine.enqueue(Note())
        async with working(engine, waits):
            await running.wait()
            _terminate_all(postgres_url)
            go_on.set()
            await _stubbornly(lambda: reached(engine, handle.id, JobState.COMPLETED))
            after = await engine.enqueue(Note())
            await reached(engine, after.id, JobState.COMPLETED)
    store.close_sync()


async def test_results_that_cannot_be_written_until_the_end_make_it_exit_with_1(
    engine: Penstock, sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("penstock.worker.supervisor._LAST_FLUSH_S", 0.2)
    running, go_on = asyncio.Event(), asyncio.Event()

    async def waits(job: Job[Note]) -> None:
        running.set()
        await go_on.wait()

    await engine.enqueue(Note())
    worker = Worker(engine, [waits], lease_s=60)
    await worker.start()
    await running.wait()
    other = sqlite3.connect(sqlite_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    go_on.set()
    await until(lambda: worker.get_stats().unwritten == 1)
    assert await worker.stop(0.2) == 1
    other.execute("ROLLBACK")
    other.close()


def _said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.msg for record in caplog.records]


def _terminate_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def _stubbornly(attempt):
    async def done() -> bool:
        try:
            await attempt()
        except StoreUnavailable:
            return False
        return True

    await until(done)


async def test_after_too_many_unwritten_results_claims_go_on_as_soon_as_there_is_room(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(completer_module, "BACKLOG", 1)
    monkeypatch.setattr(fetcher_module, "_HELD_BACK_S", 60.0)
    settings = NO_PROFILE | {"poll_s": 60, "prefetch": 0}

    async def handle(job: Job[Note]) -> None:
        return None

    async with Penstock(store=SqliteStore(sqlite_path, synchronous="NORMAL"), **settings) as engine:
        await engine.enqueue_many([Note() for _ in range(200)])
        async with working(engine, handle, concurrency=1) as worker:
            await until(lambda: worker.get_stats().completed == 200)
