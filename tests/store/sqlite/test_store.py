import asyncio
import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from penstock.clock import SystemClock
from penstock.errors import ConfigurationError, StoreUnavailable
from penstock.store.sqlite.connection import database_path
from penstock.store.sqlite.store import SqliteStore
from tests.store.sqlite.things import add, add_many, listing, make_store


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("work.db", Path("work.db").resolve()),
        ("sqlite:///work.db", Path("work.db").resolve()),
        ("sqlite:////data/work.db", Path("/data/work.db")),
        ("sqlite+aiosqlite:////data/work.db", Path("/data/work.db")),
        (Path("/data/work.db"), Path("/data/work.db")),
    ],
)
def test_a_path_or_a_url_names_the_file(given, path):
    assert database_path(given) == path


@pytest.mark.parametrize(
    "given",
    ["", ":memory:", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///a.db?mode=ro", "postgresql:///db"],
)
def test_other_addresses_are_refused(given):
    with pytest.raises(ConfigurationError, match=r"SQLite store|sqlite:///"):
        SqliteStore(given)


@pytest.mark.parametrize("options", [{"synchronous": "OFF"}, {"synchronous": "full; DROP"}, {"readers": 0}])
def test_wrong_options_are_refused_by_name(options):
    with pytest.raises(ConfigurationError, match=f"{next(iter(options))}="):
        SqliteStore("work.db", **options)


def test_an_old_sqlite_is_refused(monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(ConfigurationError, match=r"needs 3\.35\.0 or newer"):
        SqliteStore("work.db")


async def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="does its folder exist"):
        await SqliteStore(tmp_path / "nowhere" / "work.db").open()


async def test_a_file_that_is_no_database_is_refused(sqlite_path):
    sqlite_path.write_text("this is a letter, not a database\n" * 100)
    with pytest.raises(ConfigurationError, match="file is not a database"):
        await SqliteStore(sqlite_path).open()


async def test_a_store_can_be_closed_and_opened_again(things_path):
    store = make_store(things_path)
    for i in range(3):
        await store.open()
        assert await store.run(add(str(i))) == i + 1
        await store.close()
        await store.close()
    assert isinstance(store.clock, SystemClock)


async def test_the_first_use_opens_the_store(things_path):
    store = make_store(things_path)
    assert await store.run(add("a")) == 1
    await store.close()


async def test_a_closed_store_says_so(things_path):
    store = make_store(things_path)
    await store.open()
    await store.close()
    with pytest.raises(StoreUnavailable, match=r"await store\.open\(\)"):
        await store.run(add("a"))
    with pytest.raises(StoreUnavailable, match=r"await store\.open\(\)"):
        store.read_sync(listing())


async def test_opening_an_open_store_again_changes_nothing(store):
    parts = store._opened
    await store.open()
    assert store._opened is parts


def test_sync_code_needs_no_running_loop(things_path):
    store = make_store(things_path)
    asyncio.run(store.open())
    assert store.run_sync(add("a")) == 1
    assert store.read_sync(listing()) == ["a"]
    with pytest.raises(ValueError, match="no"):
        store.run_sync(add("b", error=ValueError("no")))
    asyncio.run(store.close())


async def test_reads_see_what_was_committed_and_cannot_write(store):
    await store.run(add("a"))
    assert await asyncio.gather(*(store.read(listing()) for _ in range(10))) == [["a"]] * 10
    with pytest.raises(StoreUnavailable, match="READONLY"):
        await store.read(add("b"))
    assert await store.read(listing()) == ["a"]


async def test_reads_go_on_beside_a_held_write_lock(store, things_path):
    connection = sqlite3.connect(things_path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO things (name) VALUES ('not yet')")
    assert await store.read(listing()) == []
    connection.execute("COMMIT")
    connection.close()
    assert await store.read(listing()) == ["not yet"]


async def test_several_processes_write_to_one_file(store):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_write, args=(store.path, name, 300)) for name in "AB"]
    for process in processes:
        process.start()
    own = await asyncio.gather(*(store.run(add_many([f"C{i} {n}" for n in range(3)])) for i in range(100)))
    for process in processes:
        await asyncio.to_thread(process.join)
    assert [process.exitcode for process in processes] == [0, 0]
    assert own == [3] * 100
    assert len(await store.read(listing())) == 900


def _write(path, name, count):
    async def main():
        store = make_store(path)
        await store.open()
        await asyncio.gather(*(store.run(add(f"{name}{i}"), durable=i % 2 == 0) for i in range(count)))
        await store.close()

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_forked_child_may_not_use_the_store(store):
    await store.run(add("a"))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # should it hang
        try:
            store.run_sync(add("b"))
            said = "wrote"
        except ConfigurationError as error:
            said = str(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        assert b"before a fork; make and open one in each process" in answer.read()
    await asyncio.to_thread(os.waitpid, child, 0)
    assert await store.run(add("c")) == 2
