"""The writer: one thread owns the one connection that writes, and commits in groups."""

import asyncio
import logging
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TypeVar

from penstock.errors import StoreUnavailable
from penstock.store.lanes import LaneCache
from penstock.store.program import Program
from penstock.store.sqlite.callers import CallerTransaction
from penstock.store.sqlite.connection import connect
from penstock.store.sqlite.runner import Statements
from penstock.store.sqlite.ticket import Ticket
from penstock.store.sqlite.writing import Close, Item, Listener, Watch, WriterLoop

logger = logging.getLogger(__name__)

R = TypeVar("R")


class Writer:
    """Runs programs in its thread, in groups. Its methods may be called from any thread.

    Creating it opens the connection (raises as `connect`) and starts the thread.
    """

    def __init__(
        self, path: Path, synchronous: str, statements: Statements, lanes: LaneCache, listener: Listener
    ) -> None:
        # It waits for the lock itself (`patiently`), so that the connection need not.
        self._connection = connect(path, synchronous=synchronous, wait=0)
        self._loop = WriterLoop(self._connection, synchronous, statements, lanes, listener)
        self._inbox: SimpleQueue[Item] = SimpleQueue()
        self._gate = Lock()
        self._closed = False
        # A daemon: a program that ends without closing its store must not hang.
        self._thread = Thread(target=self._live, name="penstock-writer", daemon=True)
        self._thread.start()

    def submit(self, program: Program[R], durable: bool) -> "Future[R]":
        """Run it with the next group; the future is for a thread that blocks on it."""
        future: Future[R] = Future()
        self._put(Ticket(program, durable, future))
        return future

    def submit_from_loop(self, program: Program[R], durable: bool) -> "asyncio.Future[R]":
        """As `submit`, with a future of the running loop. Cancelled before its turn, nothing is run."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._put(Ticket(program, durable, future, loop))
        return future

    def after_caller(self, transaction: CallerTransaction) -> None:
        """Announce the topics of a caller's transaction when it is over."""
        self._put(transaction)

    def watch(self, on: bool) -> None:
        """Begin or cease to tell the listener of other connections' commits."""
        self._put(Watch(on))

    def close(self) -> None:
        """Run what waits, then end the thread and close the connection. Blocks; further calls do nothing."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._inbox.put(Close())
        self._thread.join()

    def _put(self, item: Item) -> None:
        with self._gate:
            if self._closed:
                raise StoreUnavailable("the store is closed: call `await store.open()` first")
            self._inbox.put(item)

    def _live(self) -> None:
        try:
            self._loop.live(self._inbox)
        except BaseException as error:
            logger.exception("the writer of the database has ended")
            with self._gate:
                self._closed = True
            self._loop.abandon(self._inbox, error)
        finally:
            self._connection.close()
