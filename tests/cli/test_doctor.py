"""`penstock doctor` and what it finds."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from penstock.app import Penstock
from penstock.clock import Clock
from penstock.domain.queue import Queue
from penstock.domain.schedule import Schedule
from penstock.operations.doctor import Check, Level, examine, worst
from penstock.store.programs.change import pause_queue, put_queue
from penstock.store.programs.claim import ClaimRequest, claim
from penstock.store.programs.upkeep import declare_schedules
from penstock.store.programs.workers import WorkerInfo, add_worker
from penstock.store.sqlite import SqliteStore
from penstock.testing import MovableClock
from tests.cli.program import Mail, Program, Report


@pytest.fixture
async def engine(sqlite_path: Path) -> AsyncIterator[Penstock]:
    async with Penstock(store=SqliteStore(sqlite_path)) as engine:
        yield engine


async def findings(engine: Penstock, clock: Clock | None = None) -> dict[str, Check]:
    """What the doctor says of this engine's file, by name of the check."""
    store = engine.store
    assert isinstance(store, SqliteStore)
    checks = await examine(lambda: Penstock(store=SqliteStore(store.path, clock=clock)))
    return {check.name: check for check in checks}


async def add_worker_to(engine: Penstock, *, queues: tuple[str, ...], kinds: tuple[str, ...]) -> int:
    info = WorkerInfo("w1", "host", 1, None, queues, kinds, 30_000_000)
    return await engine.store.run(add_worker(info, engine.store.clock.now()))


async def claim_for(engine: Penstock, worker_id: int) -> None:
    request = ClaimRequest("mail", ("send_mail",), 10, 4711, worker_id)
    await engine.store.run(claim(request, engine.store.clock.now()))


async def test_an_empty_database_is_well(engine: Penstock) -> None:
    found = await findings(engine)
    assert {check.level for check in found.values()} == {Level.OK}
    assert {"configuration", "database", "schema", "journal", "sqlite library", "clock", "leases"} <= found.keys()


async def test_jobs_without_a_worker_are_a_warning(engine: Penstock) -> None:
    await engine.enqueue(Mail(to="ada"))
    found = await findings(engine)
    assert found["served queues"].level is Level.WARN
    assert found["served queues"].found == "jobs but no worker: mail (1)"
    assert found["workers"].level is Level.WARN


async def test_a_kind_that_no_live_worker_knows_is_a_failure(engine: Penstock) -> None:
    await engine.enqueue(Mail(to="ada"))
    await add_worker_to(engine, queues=("mail",), kinds=("other",))
    found = await findings(engine)
    assert (found["handlers"].level, found["handlers"].found) == (
        Level.FAIL,
        "no live worker knows send_mail in mail",
    )
    assert found["served queues"].level is Level.OK


async def test_a_queue_that_fails_unknown_kinds_lacks_no_handler(engine: Penstock) -> None:
    await engine.enqueue(Mail(to="ada"))
    await engine.store.run(put_queue("mail", Queue(unknown_kinds="fail")))
    await add_worker_to(engine, queues=("mail",), kinds=("other",))
    assert (await findings(engine))["handlers"].level is Level.OK


async def test_jobs_held_by_a_silent_worker_are_a_failure(engine: Penstock) -> None:
    await engine.enqueue(Mail(to="ada"))
    await claim_for(engine, await add_worker_to(engine, queues=("mail",), kinds=("send_mail",)))
    assert (await findings(engine))["leases"].level is Level.OK
    later = MovableClock(engine.store.clock.now())
    later.move(timedelta(minutes=5))
    found = await findings(engine, later)
    assert found["leases"].level is Level.FAIL
    assert found["leases"].found.startswith("w1 holds 1, silent since 20")


async def test_jobs_held_by_nobody_who_is_registered_are_a_failure(engine: Penstock) -> None:
    await engine.enqueue(Mail(to="ada"))
    await claim_for(engine, 99)
    found = await findings(engine)
    assert (found["leases"].level, found["leases"].found) == (Level.FAIL, "1 workers that hold jobs are not registered")


async def test_a_paused_queue_with_jobs_is_a_warning(engine: Penstock) -> None:
    await engine.store.run(pause_queue("mail", engine.store.clock.now()))
    assert (await findings(engine))["paused queues"].level is Level.OK
    await engine.enqueue(Mail(to="ada"))
    found = await findings(engine)
    assert (found["paused queues"].level, found["paused queues"].found) == (
        Level.WARN,
        "paused with waiting jobs: mail (1)",
    )


async def test_a_schedule_that_no_code_declares_is_a_warning(engine: Penstock) -> None:
    engine.schedule("nightly", Schedule(every=timedelta(hours=24)), Report())
    for declared in (list(engine.schedules.values()), []):
        await engine.store.run(declare_schedules(declared, [Report.job_kind.queue], engine.store.clock.now()))
    found = await findings(engine)
    assert (found["schedules"].level, found["schedules"].found) == (Level.WARN, "no code declares nightly any more")


async def test_a_clock_that_is_off_is_a_warning(engine: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time_ns
    monkeypatch.setattr("penstock.operations.doctor.time.time_ns", lambda: real() - 7_000_000_000)
    found = await findings(engine)
    assert (found["clock"].level, found["clock"].found) == (
        Level.WARN,
        "this machine and the database are 7.0 s apart",
    )


async def test_a_second_sqlite_library_is_a_failure(engine: Penstock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.operations.doctor.sqlite_libraries", lambda: ["/a/libsqlite3.so", "/b/apsw.so"])
    found = await findings(engine)
    assert found["sqlite library"].level is Level.FAIL


async def test_a_postgres_without_the_schema_fails_with_what_to_run(postgres_url: str) -> None:
    found = {check.name: check for check in await examine(lambda: Penstock(postgres_url))}
    assert found["database"].level is Level.OK
    assert (found["schema"].level, found["schema"].advice) == (Level.FAIL, "penstock migrate")


async def test_a_migrated_postgres_is_well(postgres_url: str) -> None:
    await Penstock(postgres_url).store.migrate()
    checks = await examine(lambda: Penstock(postgres_url))
    assert worst(checks) is Level.OK, checks
    assert "journal" not in {check.name for check in checks}


async def test_a_database_that_is_down_fails() -> None:
    checks = await examine(lambda: Penstock("postgresql://127.0.0.1:1/none"))
    assert [(check.name, check.level) for check in checks] == [("configuration", Level.OK), ("database", Level.FAIL)]


def test_the_program_exits_1_when_something_is_broken(penstock: Program) -> None:
    well = penstock.json("doctor")
    assert well["level"] == "ok"
    assert {check["name"] for check in well["checks"]} >= {"configuration", "clock"}

    async def break_it(engine: Penstock) -> None:
        await engine.enqueue(Mail(to="ada"))
        await add_worker_to(engine, queues=("mail",), kinds=("other",))

    penstock.engine(break_it)
    done = penstock("doctor")
    assert done.exit_code == 1
    assert "no live worker knows send_mail in mail" in done.stdout
    assert penstock("doctor", "--json").exit_code == 1


def test_the_program_can_import_the_application_first(penstock: Program) -> None:
    done = penstock("doctor", "examples.quickstart:wroker")
    assert done.exit_code == 1
    assert "has no 'wroker'" in done.stdout
