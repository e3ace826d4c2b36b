"""Group commit: many programs share one transaction and one fsync, and one member's failure stays its own.

Each member runs inside a savepoint. A member that fails is rolled back to it; only the loss of the whole transaction
(disk full, I/O error, a failed COMMIT) fails its neighbours.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import StoreUnavailable
from penstock.store.program import Lane, LaneKey, Program
from penstock.store.sqlite.connection import translated
from penstock.store.sqlite.runner import Outcome
from penstock.store.sqlite.ticket import Ended, Ticket

MEMBERS = 256
"""At most this many programs share a commit."""

SECONDS = 0.010
"""A group takes no further member after this long, so that other processes get the lock."""


@dataclass(slots=True)
class Group:
    """What a transaction came to; topics and lanes are those of its committed members."""

    ended: list[Ended] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)
    lanes: dict[LaneKey, Lane] = field(default_factory=dict)
    slowest: str = ""
    slowest_seconds: float = 0.0

    def fail(self, error: sqlite3.Error) -> None:
        """The transaction is lost: nothing of anybody was written."""
        self.topics.clear()
        self.lanes.clear()
        for one in self.ended:
            if one.error is None:
                reason = translated(error)
                one.error = reason if isinstance(reason, StoreUnavailable) else type(error)(*error.args)
                one.error.__cause__ = error

    def timed(self, name: str, seconds: float) -> None:
        """Keep the name of the member that took longest."""
        if seconds > self.slowest_seconds:
            self.slowest, self.slowest_seconds = name, seconds


def run_group(
    connection: sqlite3.Connection, waiting: deque[Ticket], run: Callable[[Program[Any]], Outcome[Any]]
) -> Group:
    """Run members from the front of `waiting` in the open IMMEDIATE transaction, and end it.

    Takes at least one member, and no more once the limits are reached. Never raises for a member's failure.
    """
    group = Group()
    size = min(len(waiting), MEMBERS)
    until = time.monotonic() + SECONDS
    try:
        for _ in range(size):
            ticket = waiting.popleft()
            if ticket.start():
                _run_member(connection, ticket, run, group, shared=size > 1)
            if time.monotonic() >= until or not connection.in_transaction:
                break
        if connection.in_transaction:
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        group.fail(error)
    return group


def _run_member(
    connection: sqlite3.Connection,
    ticket: Ticket,
    run: Callable[[Program[Any]], Outcome[Any]],
    group: Group,
    *,
    shared: bool,
) -> None:
    """Run one program; alone it owns the transaction, else it gets a savepoint."""
    ended = Ended(ticket)
    group.ended.append(ended)
    began = time.monotonic()
    if shared:
        connection.execute("SAVEPOINT member")
    try:
        outcome = run(ticket.program)
    except BaseException as error:  # noqa: BLE001 - it is raised where the program's caller waits
        ended.error = translated(error) if isinstance(error, sqlite3.Error) else error
        _undo_member(connection, shared=shared, cause=error)
    else:
        if shared:
            connection.execute("RELEASE member")
        ended.result = outcome.result
        group.topics |= outcome.topics
        group.lanes.update(outcome.lanes)
    group.timed(ticket.program.name, time.monotonic() - began)


def _undo_member(connection: sqlite3.Connection, *, shared: bool, cause: BaseException) -> None:
    if not shared:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    elif connection.in_transaction:
        connection.execute("ROLLBACK TO member")
        connection.execute("RELEASE member")
    else:  # SQLite itself rolled everything back: disk full, I/O error, out of memory
        raise cause if isinstance(cause, sqlite3.Error) else sqlite3.OperationalError("the transaction was lost")
