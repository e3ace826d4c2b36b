import asyncio
import resource
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from penstock.errors import StoreUnavailable
from penstock.store.program import Call, Steps, program
from penstock.store.sqlite import group as group_module
from penstock.store.sqlite import ticket as ticket_module
from penstock.store.sqlite.store import SqliteStore
from tests.store.sqlite.things import add, blocking, listing, make_store, synchronous_level


class HeldLock:
    """The file's write lock, held by another connection: nobody else can write."""

    def __init__(self, path):
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def __enter__(self):
        self._connection.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, *_exc):
        self._connection.execute("ROLLBACK")
        self._connection.close()


@pytest.fixture
def gather_group(store: SqliteStore):
    """Submit programs so that they share one group; answers their asyncio futures."""

    async def gather(*programs, durable=True):
        began, go_on = threading.Event(), threading.Event()
        first = store._parts().writer.submit(blocking(began, go_on), False)
        await asyncio.to_thread(began.wait, 20)
        futures = [asyncio.ensure_future(store.run(p, durable=durable)) for p in programs]
        await asyncio.sleep(0)
        go_on.set()
        answers = await asyncio.gather(*futures, return_exceptions=True)
        await asyncio.wait([asyncio.wrap_future(first)])
        return answers

    return gather


async def test_a_failing_member_does_not_touch_its_neighbours(store, gather_group):
    answers = await gather_group(
        add("a"), add("b", error=ValueError("mine")), add("a"), add("c"), add("d", error=KeyError("mine too")), add("e")
    )
    assert [type(answer) for answer in answers] == [int, ValueError, sqlite3.IntegrityError, int, KeyError, int]
    assert await store.read(listing()) == ["a", "c", "e"]


async def test_a_group_is_one_transaction(store, gather_group, monkeypatch):
    monkeypatch.setattr(group_module, "SECONDS", 60.0)
    statements: list[str] = []
    store._parts().writer._connection.set_trace_callback(statements.append)
    await gather_group(*(add(str(i)) for i in range(20)))
    group = statements[statements.index("COMMIT") + 1 :]
    assert group.count("BEGIN IMMEDIATE") == group.count("COMMIT") == 1
    assert len([statement for statement in group if statement.startswith("INSERT")]) == 20


async def test_those_before_a_failing_member_run_again_and_those_after_it_next(store, gather_group, monkeypatch):
    monkeypatch.setattr(group_module, "SECONDS", 60.0)
    statements: list[str] = []
    store._parts().writer._connection.set_trace_callback(statements.append)
    answers = await gather_group(add("a"), add("b", error=ValueError("mine")), add("c"))
    assert [type(answer) for answer in answers] == [int, ValueError, int]
    group = [statement.partition(" (")[0] for statement in statements[statements.index("COMMIT") + 1 :]]
    own = [statement for statement in group if not statement.startswith("PRAGMA")]
    insert = "INSERT INTO things"
    again = ["ROLLBACK", "BEGIN IMMEDIATE", insert, "COMMIT"]
    assert own == ["BEGIN IMMEDIATE", insert, insert, *again, "BEGIN IMMEDIATE", insert, "COMMIT"]


async def test_a_member_that_fails_only_when_run_again_is_told_its_error(store, gather_group):
    runs: list[int] = []

    @program
    def fickle():
        runs.append(1)
        yield Call("add_thing", {"name": f"fickle {len(runs)}"})
        if len(runs) == 2:
            raise ValueError("not again")

    answers = await gather_group(fickle(), add("b", error=KeyError("mine")), add("c"))
    assert [type(answer) for answer in answers] == [ValueError, KeyError, int]
    assert await store.read(listing()) == ["c"]


async def test_a_single_member_is_three_statements(store):
    statements: list[str] = []
    store._parts().writer._connection.set_trace_callback(statements.append)
    await store.run(add("a"))
    own = [statement.partition(" (")[0] for statement in statements if statement != "PRAGMA data_version"]
    assert own == ["BEGIN IMMEDIATE", "INSERT INTO things", "COMMIT"]


async def test_a_single_failing_member_is_rolled_back(store):
    with pytest.raises(ValueError, match="no"):
        await store.run(add("a", error=ValueError("no")))
    assert await store.read(listing()) == []
    assert await store.run(add("a")) == 1


async def test_a_group_is_bounded(store, gather_group, monkeypatch):
    monkeypatch.setattr(group_module, "MEMBERS", 5)
    statements: list[str] = []
    store._parts().writer._connection.set_trace_callback(statements.append)
    answers = await gather_group(*(add(str(i)) for i in range(12)))
    assert len(answers) == len(set(answers)) == 12
    assert statements.count("COMMIT") >= 1 + 3


async def test_a_group_ends_when_its_time_is_over(store, gather_group, monkeypatch):
    monkeypatch.setattr(group_module, "SECONDS", 0.0)
    statements: list[str] = []
    store._parts().writer._connection.set_trace_callback(statements.append)
    assert len(await gather_group(*(add(str(i)) for i in range(3)))) == 3
    assert statements.count("COMMIT") == 1 + 3


async def test_a_failed_commit_fails_the_whole_group_and_only_it(store, gather_group, things_path):
    await store.run(add("x" * 200_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (things_path.with_name("test.db-wal").stat().st_size, hard))
    try:
        answers = await gather_group(add("a"), add("b", error=ValueError("mine")), add("c"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [type(answer) for answer in answers] == [StoreUnavailable, ValueError, StoreUnavailable]
    assert "SQLITE_IOERR" in str(answers[0])
    assert await store.run(add("d")) == 2
    assert len(await store.read(listing())) == 2


async def test_a_member_for_which_there_is_no_room_fails_alone(store, gather_group):
    writer = store._parts().writer
    store._statements["limit_pages"] = ("PRAGMA max_page_count = 1",)  # SQLite takes what is in use for the least
    await asyncio.wrap_future(writer.submit(call_of("limit_pages"), True))
    answers = await gather_group(add("a"), add("b" * 100_000), add("c"))
    assert [type(answer) for answer in answers] == [int, StoreUnavailable, int]
    assert "SQLITE_FULL" in str(answers[1])


async def test_a_lost_transaction_fails_those_before_but_not_those_after(store, gather_group):
    store._statements["add_or_all"] = ("INSERT OR ROLLBACK INTO things (name) VALUES (:name)",)
    await store.run(add("a"))
    answers = await gather_group(add("b"), call_of("add_or_all", name="a"), add("c"))
    assert [type(answer) for answer in answers] == [sqlite3.IntegrityError, sqlite3.IntegrityError, int]
    assert await store.read(listing()) == ["a", "c"]


@program
def call_of(statement: str, **params: str) -> Steps[None]:
    """One call."""
    yield Call(statement, params)


async def test_only_groups_without_durable_members_skip_the_disk(store):
    statements: list[str] = []
    store._parts().writer._connection.set_trace_callback(statements.append)
    assert await store.run(synchronous_level(), durable=True) == 2
    assert await store.run(synchronous_level(), durable=False) == 1
    assert await store.run(synchronous_level(), durable=False) == 1
    assert await store.run(synchronous_level(), durable=True) == 2
    assert [s for s in statements if s.startswith("PRAGMA synchronous =")] == [
        "PRAGMA synchronous = NORMAL",
        "PRAGMA synchronous = FULL",
    ]


async def test_a_loop_is_called_once_for_a_group(store, gather_group, monkeypatch):
    batches = []
    resolve = ticket_module._resolve

    def counting(members):
        batches.append(len(members))
        resolve(members)

    monkeypatch.setattr(ticket_module, "_resolve", counting)
    assert sorted(await gather_group(*(add(str(i)) for i in range(30)))) == list(range(1, 31))
    assert batches == [1, 30]


async def test_answers_reach_several_loops_and_threads(store):
    def in_a_loop_of_its_own(i):
        async def run():
            return await asyncio.gather(*(store.run(add(f"loop {i} {n}")) for n in range(10)))

        return asyncio.run(run())

    def blocking_calls(i):
        return [store.run_sync(add(f"thread {i} {n}")) for n in range(10)]

    with ThreadPoolExecutor(6) as threads:
        jobs = [threads.submit(call, i) for i in range(3) for call in (in_a_loop_of_its_own, blocking_calls)]
        answers = await asyncio.gather(*(asyncio.wrap_future(job) for job in jobs))
    assert sorted(number for answer in answers for number in answer) == list(range(1, 61))


async def test_what_is_cancelled_before_its_turn_is_not_run(store):
    began, go_on = threading.Event(), threading.Event()
    first = store._parts().writer.submit(blocking(began, go_on), False)
    await asyncio.to_thread(began.wait, 20)
    task = asyncio.ensure_future(store.run(add("never")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await asyncio.wrap_future(first)
    assert await store.run(add("later")) == 1
    assert await store.read(listing()) == ["later"]


async def test_a_lock_that_stays_taken_is_unavailable(things_path, monkeypatch):
    monkeypatch.setattr("penstock.store.sqlite.connection.patiently.__defaults__", (0.05,))
    store = make_store(things_path)
    await store.open()
    with HeldLock(things_path), pytest.raises(StoreUnavailable, match=r"stayed locked for 0\.05 s"):
        await store.run(add("a"))
    assert await store.run(add("b")) == 1
    await store.close()


async def test_waiting_programs_run_before_the_store_is_closed(things_path):
    store = make_store(things_path)
    await store.open()
    tasks = [asyncio.ensure_future(store.run(add(str(i)))) for i in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert sorted(await asyncio.gather(*tasks)) == list(range(1, 51))


async def test_a_group_that_holds_the_lock_for_long_is_logged(store, caplog, monkeypatch):
    monkeypatch.setattr("penstock.store.sqlite.writing.LONG_LOCK_SECONDS", -1.0)
    await store.run(add("a"))
    await store.run(add("b"))
    assert "a group of 1 programs held the write lock" in caplog.text
    assert "add, took" in caplog.text


async def test_a_fault_of_the_writer_fails_those_who_wait(store, monkeypatch, caplog):
    monkeypatch.setattr(store._parts().writer._loop, "_write", lambda: 1 / 0)
    with pytest.raises(StoreUnavailable, match="the writer has ended: ZeroDivisionError"):
        await store.run(add("a"))
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.run(add("b"))
    assert "the writer of the database has ended" in caplog.text
