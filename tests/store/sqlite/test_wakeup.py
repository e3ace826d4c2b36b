import asyncio
import multiprocessing
import os
import socket
import sqlite3
from pathlib import Path

import pytest

from penstock.errors import ConfigurationError
from penstock.store.sqlite import datagrams
from penstock.store.sqlite.datagrams import EVERYTHING, Inbox, Sender, decode, encode, folder_of
from penstock.store.sqlite.wakeup import Wakeups
from tests.store.sqlite.things import add, listing, make_store


class Woken:
    """Collects wake-ups."""

    def __init__(self, store):
        self.queue: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        self.subscription = store.subscribe(self.queue.put_nowait)

    async def until(self, wanted):
        """Wait for this wake-up; answers those that came before."""
        before = []
        while (topics := await asyncio.wait_for(self.queue.get(), 30)) != wanted:
            before.append(topics)
        return before


@pytest.fixture
async def other_store(store):
    other = make_store(store.path)
    await other.open()
    yield other
    await other.close()


async def test_a_commit_wakes_subscribers_of_the_same_store_with_its_merged_topics(store):
    first, second = Woken(store), Woken(store)
    await store.run(add("a", wake="t"))
    assert await first.until({"t"}) == []
    assert await second.until({"t"}) == []


async def test_a_commit_wakes_other_stores_on_the_file(store, other_store):
    woken = Woken(other_store)
    await store.run(add("a", wake="t"))
    await woken.until({"t"})


async def test_a_program_that_fails_wakes_nobody(store):
    woken = Woken(store)
    with pytest.raises(ValueError, match="no"):
        await store.run(add("a", wake="lost", error=ValueError("no")))
    await store.run(add("b", wake="t"))
    assert await woken.until({"t"}) == []


async def test_a_change_nobody_announced_is_found(store, things_path):
    woken = Woken(store)
    connection = sqlite3.connect(things_path)
    connection.execute("INSERT INTO things (name) VALUES ('silent')")
    connection.commit()
    connection.close()
    await woken.until(EVERYTHING)
    assert await store.read(listing()) == ["silent"]


async def test_a_change_that_hides_behind_an_announced_one_is_found_later(store, other_store, monkeypatch):
    monkeypatch.setattr("penstock.store.sqlite.wakeup.SURE_SECONDS", 0.05)
    woken = Woken(store)
    await other_store.run(add("a", wake="t"))
    await woken.until({"t"})
    await woken.until(EVERYTHING)


async def test_ones_own_commits_are_not_taken_for_changes_of_others(store):
    writer = store._parts().writer._loop
    writer._changed_meanwhile()
    for i in range(3):
        await store.run(add(str(i)))
    assert not writer._changed_meanwhile()


async def test_a_closed_subscription_is_not_called(store):
    closed, kept = Woken(store), Woken(store)
    closed.subscription.close()
    closed.subscription.close()
    await store.run(add("a", wake="t"))
    await kept.until({"t"})
    assert closed.queue.empty()


async def test_one_may_subscribe_again(store):
    Woken(store).subscription.close()
    woken = Woken(store)
    await store.run(add("a", wake="t"))
    await woken.until({"t"})


async def test_a_subscriber_that_raises_does_not_keep_the_others_from_being_called(store, caplog):
    store.subscribe(lambda topics: 1 / 0)
    woken = Woken(store)
    await store.run(add("a", wake="t"))
    await woken.until({"t"})
    assert "a subscriber to wake-ups raised" in caplog.text


async def test_subscribers_share_one_loop(store):
    Woken(store)

    async def elsewhere():
        store.subscribe(print)

    with pytest.raises(ConfigurationError, match="second event loop"):
        await asyncio.to_thread(asyncio.run, elsewhere())


async def test_the_socket_is_there_only_while_somebody_is_subscribed(store):
    woken = Woken(store)
    folder = folder_of(store.path)
    assert [name.suffix for name in folder.iterdir()] == [".sock"]
    assert folder.stat().st_mode & 0o777 == 0o700
    woken.subscription.close()
    assert not folder.exists()


async def test_without_a_folder_for_sockets_the_polling_remains(store, other_store, caplog):
    in_the_way = folder_of(store.path)
    in_the_way.write_text("")
    woken = Woken(store)
    await other_store.run(add("a", wake="t"))
    await woken.until(EVERYTHING)
    in_the_way.unlink()
    assert "come by polling only" in caplog.text


async def test_wakeups_cross_processes(store):
    context = multiprocessing.get_context("spawn")
    ready, woken = context.Event(), context.Queue()
    process = context.Process(target=_echo, args=(store.path, ready, woken))
    process.start()
    assert await asyncio.to_thread(ready.wait, 50)
    back = Woken(store)
    await store.run(add("a", wake="there"))
    await back.until({"and back"})
    await asyncio.to_thread(process.join)
    assert process.exitcode == 0
    assert set(await store.read(listing())) == {"a", "b"}


def _echo(path, ready, woken):
    async def main():
        store = make_store(path)
        await store.open()
        woken = Woken(store)
        ready.set()
        await woken.until({"there"})
        await store.run(add("b", wake="and back"))
        await store.close()

    asyncio.run(main())


async def test_the_socket_of_a_dead_process_is_removed(tmp_path):
    folder = tmp_path / "sockets"
    inbox = Inbox(folder)
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    dead.bind(str(folder / "1-dead.sock"))
    dead.close()
    sender = Sender(folder)
    sender.send(frozenset({"t"}), None)
    assert inbox.read() == [{"t"}]
    assert [path.name for path in folder.iterdir()] == [inbox.name]
    sender.close()
    inbox.close()


def test_a_full_inbox_is_no_error_for_the_sender_and_means_everything(tmp_path):
    inbox, sender = Inbox(tmp_path / "sockets"), Sender(tmp_path / "sockets")
    for i in range(2000):
        sender.send(frozenset({f"t{i}"}), None)
    assert inbox.read() == [EVERYTHING]
    assert inbox.read() == []
    sender.close()
    inbox.close()


def test_few_datagrams_are_merged(tmp_path):
    inbox, sender = Inbox(tmp_path / "sockets"), Sender(tmp_path / "sockets")
    sender.send(frozenset({"a", "b"}), None)
    sender.send(frozenset({"b", "c"}), None)
    sender.send(frozenset({"d"}), own=inbox.name)
    assert inbox.read() == [{"a", "b", "c"}]
    sender.close()
    inbox.close()


def test_a_busy_sender_does_not_list_the_folder_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(datagrams, "LIST_SECONDS", 3600.0)
    inbox, sender = Inbox(tmp_path / "sockets"), Sender(tmp_path / "sockets")
    sender.send(frozenset({"a"}), None)
    late = Inbox(tmp_path / "sockets")
    sender.send(frozenset({"b"}), None)
    assert inbox.read() == [{"a", "b"}]
    monkeypatch.setattr(datagrams, "LIST_SECONDS", 0.0)
    sender.send(frozenset({"c"}), None)
    assert inbox.read() == [{"c"}]
    assert late.read() == [{"c"}]
    for one in (sender, inbox, late):
        one.close()


def test_sending_without_any_listener_is_no_error(tmp_path):
    sender = Sender(tmp_path / "nothing here")
    sender.send(frozenset({"t"}), None)
    sender.close()


@pytest.mark.parametrize("topics", [frozenset(), frozenset({"q:ä"}), frozenset({"a", "b"})])
def test_topics_survive_the_journey(topics):
    assert decode(encode(topics)) == topics


@pytest.mark.parametrize("payload", [b"", b"{", b"{}", b"7", encode(frozenset(f"c:{i:036}" for i in range(100)))])
def test_what_does_not_fit_or_cannot_be_read_means_everything(payload):
    assert decode(payload) == EVERYTHING


def test_a_long_path_moves_the_sockets_to_the_temporary_folder():
    near, far = Path("/data/work.db"), Path("/" + "long/" * 20 + "work.db")
    assert folder_of(near) == Path("/data/work.db-penstock")
    assert folder_of(far) != folder_of(far.with_name("other.db"))
    assert len(os.fsencode(folder_of(far))) + datagrams._NAME_LENGTH <= datagrams.LONGEST_PATH


def test_a_folder_that_somebody_else_laid_is_refused(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "sockets").symlink_to(tmp_path / "theirs")
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        Inbox(tmp_path / "sockets")


def test_a_closed_loop_is_no_error_for_the_writer(tmp_path, caplog):
    wakeups = Wakeups(tmp_path / "a.db", lambda on: None)

    async def subscribe():
        wakeups.subscribe(print)

    asyncio.run(subscribe())
    wakeups.announce(frozenset({"t"}))
    assert "the event loop was closed before" in caplog.text
    assert wakeups._inbox
    wakeups._inbox.close()
    wakeups.close()
