"""Group commit: many programs share one transaction and one fsync, and one member's failure stays its own.

A member that fails ends its group: the transaction is rolled back and those before it run again. Only the loss of the
whole transaction (disk full, I/O error, a failed COMMIT) fails its neighbours.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from penstock.errors import StoreUnavailable
from penstock.store.program import Lane, LaneKey, Program
from penstock.store.sqlite.connection import patiently, translated
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

    def fail(self, error: sqlite3.Error | StoreUnavailable) -> None:
        """The transaction is lost: nothing of anybody was written."""
        self.topics.clear()
        self.lanes.clear()
        for one in self.ended:
            if one.error is None:
                reason = translated(error) if isinstance(error, sqlite3.Error) else StoreUnavailable(str(error))
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

    Takes at least one member, and no more once the limits are reached or one has failed. Never raises for a member's
    failure.
    """
    group = Group()
    until = time.monotonic() + SECONDS
    try:
        while waiting and len(group.ended) < MEMBERS:
            ticket = waiting.popleft()
            if ticket.start():
                group.ended.append(Ended(ticket))
                if not _run_member(connection, group.ended[-1], run, group):
                    _without_the_last(connection, run, group)
                    break
            if time.monotonic() >= until:
                break
        if connection.in_transaction:
            connection.execute("COMMIT")
    except (sqlite3.Error, StoreUnavailable) as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        group.fail(error)
    return group


def _run_member(
    connection: sqlite3.Connection, ended: Ended, run: Callable[[Program[Any]], Outcome[Any]], group: Group
) -> bool:
    """Run one program; False when it failed, so that the transaction may hold half of it."""
    began = time.monotonic()
    try:
        outcome = run(ended.ticket.program)
    except BaseException as error:  # it is raised where the program's caller waits
        if isinstance(error, sqlite3.Error) and not connection.in_transaction:
            raise  # SQLite itself rolled everything back: disk full, I/O error, out of memory
        ended.error = translated(error) if isinstance(error, sqlite3.Error) else error
        return False
    finally:
        group.timed(ended.ticket.program.name, time.monotonic() - began)
    ended.result = outcome.result
    group.topics |= outcome.topics
    group.lanes.update(outcome.lanes)
    return True


def _without_the_last(
    connection: sqlite3.Connection, run: Callable[[Program[Any]], Outcome[Any]], group: Group
) -> None:
    """Roll back, and run again what came before the member that failed.

    Few fail, and a savepoint for each that might would cost all of them two statements.
    """
    connection.execute("ROLLBACK")
    *before, failed = group.ended
    group.topics.clear()
    group.lanes.clear()
    if before:
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"))
    for ended in before:
        ended.result = None
        if not _run_member(connection, ended, run, group):
            raise sqlite3.OperationalError(f"{ended.ticket.program.name} went through once and failed when run again")
    failed.result = None
