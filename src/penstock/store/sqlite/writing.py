"""What the writer thread does: groups of programs, and between them a look at the other connections.

Only this connection can tell two things cheaply: that another one has committed (`PRAGMA data_version` does not count a
connection's own commits), and whether the write lock is free.
"""

import logging
import sqlite3
import time
from collections import deque
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeAlias

from penstock.errors import StoreUnavailable
from penstock.store.base import Topics
from penstock.store.lanes import LaneCache
from penstock.store.program import Program
from penstock.store.sqlite.callers import LONG_LOCK_SECONDS, Callers, CallerTransaction
from penstock.store.sqlite.checkpoint import Checkpoints
from penstock.store.sqlite.connection import is_locked, patiently, set_synchronous
from penstock.store.sqlite.group import MEMBERS, SECONDS, Group, run_group
from penstock.store.sqlite.runner import Outcome, Statements, execute
from penstock.store.sqlite.ticket import Ended, Ticket, deliver

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""How often a watching process asks whether another connection has committed."""

_COURTESY_SECONDS = 0.001
"""Between full groups the lock stays free this long: other processes look for it at random times."""


class Listener(Protocol):
    """Whom the writer tells; called in its thread."""

    def announce(self, topics: Topics) -> None:
        """These topics were committed."""
        ...

    def foreign_change(self) -> None:
        """Another connection has committed something, or it cannot be told whether it has."""
        ...


@dataclass(frozen=True, slots=True)
class Watch:
    """Begin or cease to tell the listener of other connections' commits."""

    on: bool


class Close:
    """Nothing follows: end when all that waits has run."""


Item: TypeAlias = Ticket | CallerTransaction | Watch | Close


class WriterLoop:
    """The state of the writer thread; `live` is its life."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        synchronous: str,
        statements: Statements,
        lanes: LaneCache,
        listener: Listener,
    ) -> None:
        self._connection = connection
        self._synchronous = synchronous
        self._level = synchronous
        self._statements = statements
        self._lanes = lanes
        self._listener = listener
        self._checkpoints = Checkpoints(connection)
        self._waiting: deque[Ticket] = deque()
        self._passed = False
        self._callers = Callers()
        self._closing = False
        self._watching = False
        self._changed = False
        self._told_at = 0.0
        self._version = 0

    def live(self, inbox: "SimpleQueue[Item]") -> None:
        """Work until closed. Raises only for a fault of this code; call `abandon` then."""
        self._changed_meanwhile()
        self._changed = False
        while self._gather(inbox):
            if self._waiting:
                self._write()
            self._look()
        self._listener.announce(self._callers.ended())

    def abandon(self, inbox: "SimpleQueue[Item]", error: BaseException) -> None:
        """Fail everything that waits."""
        while not inbox.empty():
            item = inbox.get_nowait()
            if isinstance(item, Ticket):
                self._waiting.append(item)
        deliver([Ended(ticket, error=StoreUnavailable(f"the writer has ended: {error!r}")) for ticket in self._waiting])
        self._waiting.clear()

    def _gather(self, inbox: "SimpleQueue[Item]") -> bool:
        """Take in what has come; wait only when there is nothing to do. False when closed and done."""
        try:
            self._accept(inbox.get_nowait() if self._waiting or self._closing else inbox.get(timeout=self._patience()))
            while True:
                self._accept(inbox.get_nowait())
        except Empty:
            return bool(self._waiting) or not self._closing

    def _accept(self, item: Item) -> None:
        match item:
            case Ticket():
                self._waiting.append(item)
            case CallerTransaction():
                if self._changed_meanwhile():  # then what was open before is over
                    self._listener.announce(self._callers.ended())
                self._callers.add(item)
            case Watch(on):
                self._watching = on
                self._changed = False
            case Close():
                self._closing = True

    def _patience(self) -> float | None:
        if self._callers:
            return self._callers.patience()
        return LOOK_SECONDS if self._watching else None

    def _write(self) -> None:
        """Run one group, answer its members and wake whom it concerns."""
        waiting = self._line()
        planned = [waiting[index] for index in range(min(len(waiting), MEMBERS))]
        try:
            self._set_level(durable=any(ticket.durable for ticket in planned))
            patiently(lambda: self._connection.execute("BEGIN IMMEDIATE"))
        except (StoreUnavailable, sqlite3.Error) as error:
            self._callers.still_held()
            for _ in planned:
                waiting.popleft()
            self._put_back(waiting)
            deliver([Ended(ticket, error=StoreUnavailable(str(error))) for ticket in planned if ticket.start()])
            return
        began = time.monotonic()
        topics = self._callers.ended()
        group = run_group(self._connection, waiting, self._run)
        self._put_back(waiting)
        held = time.monotonic() - began
        self._lanes.remember(group.lanes)
        deliver(group.ended)
        self._listener.announce(topics | group.topics)
        self._checkpoints.after_commit()
        _log_long(group, held)
        if self._waiting and held >= SECONDS:
            time.sleep(_COURTESY_SECONDS)

    def _line(self) -> deque[Ticket]:
        """Whose turn it is: what needs no disk passes what does, so that the jobs of a claim run while the disk works.

        Every other time all go in the order in which they came, so that nobody waits for long and nothing durable
        passes what came before it: the progress of a run is written before its end.
        """
        loose = deque(ticket for ticket in self._waiting if not ticket.durable)
        self._passed = 0 < len(loose) < len(self._waiting) and not self._passed
        if not self._passed:
            return self._waiting
        self._waiting = deque(ticket for ticket in self._waiting if ticket.durable)
        return loose

    def _put_back(self, line: deque[Ticket]) -> None:
        """What was left of a line that passed the others."""
        if line is not self._waiting:
            self._waiting.extendleft(reversed(line))

    def _run(self, program: Program[Any]) -> Outcome[Any]:
        return execute(self._connection, program, self._statements, self._lanes)

    def _set_level(self, *, durable: bool) -> None:
        level = self._synchronous if durable else "NORMAL"
        if level != self._level:
            set_synchronous(self._connection, level)
            self._level = level

    def _look(self) -> None:
        """Look after the caller's transaction and, if somebody watches, after other connections' commits."""
        if self._callers:
            self._look_after_callers()
        now = time.monotonic()
        if self._watching and now - self._told_at >= LOOK_SECONDS:
            self._told_at = now
            self._changed_meanwhile()
            if self._changed:
                self._changed = False
                self._listener.foreign_change()

    def _look_after_callers(self) -> None:
        if self._changed_meanwhile() or (self._callers.wants_probe() and self._lock_is_free()):
            self._listener.announce(self._callers.ended())
        else:
            self._callers.still_held()

    def _changed_meanwhile(self) -> bool:
        """Whether another connection has committed since the last call; True when the file cannot be read."""
        try:
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            version = -1
        changed = version != self._version
        self._version = version
        self._changed |= changed
        return changed

    def _lock_is_free(self) -> bool:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if is_locked(error):
                return False
            raise
        self._connection.execute("ROLLBACK")
        return True


def _log_long(group: Group, held: float) -> None:
    if held > LONG_LOCK_SECONDS:
        logger.warning(
            "a group of %d programs held the write lock of the database for %.1f s; the slowest, %s, took %.1f s",
            len(group.ended),
            held,
            group.slowest,
            group.slowest_seconds,
        )
