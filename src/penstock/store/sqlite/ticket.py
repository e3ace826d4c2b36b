"""A program on its way to the writer thread, and its answer's way back."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from penstock.store.program import Program

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Ticket:
    """A program that waits for its turn. `loop`: where its future lives, None for a thread's."""

    program: Program[Any]
    durable: bool
    future: "Future[Any] | asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> bool:
        """False when nobody waits for it any more: then it is not run."""
        if isinstance(self.future, Future):
            return self.future.set_running_or_notify_cancel()
        return not self.future.cancelled()


@dataclass(slots=True)
class Ended:
    """A ticket with what came out: the result, or an error."""

    ticket: Ticket
    result: Any = None
    error: BaseException | None = field(default=None)


def deliver(ended: Iterable[Ended]) -> None:
    """Give each its answer; a loop is called once for all of its futures. For the writer thread."""
    by_loop: defaultdict[asyncio.AbstractEventLoop | None, list[Ended]] = defaultdict(list)
    for one in ended:
        by_loop[one.ticket.loop].append(one)
    for loop, members in by_loop.items():
        if loop is None:
            _resolve(members)
            continue
        try:
            loop.call_soon_threadsafe(_resolve, members)
        except RuntimeError:
            logger.warning("the event loop was closed before %d answers of the database reached it", len(members))


def _resolve(members: Iterable[Ended]) -> None:
    for one in members:
        future = one.ticket.future
        if future.done():  # its waiter was cancelled meanwhile
            continue
        if one.error is not None:
            future.set_exception(one.error)
        else:
            future.set_result(one.result)
