"""Telling other processes, after the commit, what our transactions have changed."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable

from penstock.errors import StoreUnavailable
from penstock.store.base import Topics
from penstock.store.postgres.blocking import run_blocking
from penstock.store.postgres.pace import Pace

logger = logging.getLogger(__name__)

HEAD_START_S = 0.002
"""So long after a wake-up in this process it is sent to the others: at once it would hold up the claim that follows."""

Send = Callable[[Topics], Awaitable[None]]
"""Sends one NOTIFY for these topics; raises StoreUnavailable."""


async def _send(send: Send, topics: Topics) -> None:
    try:
        await send(topics)
    except StoreUnavailable as error:
        logger.warning("a wake-up was not sent, other processes will find the work by polling: %s", error)


class Notifier:
    """Sends in the background of the running loop."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._pace = Pace()
        self._tasks: set[asyncio.Task[None]] = set()

    def announce(self, topics: Topics, *, heard_here: bool) -> None:
        """Have these topics sent, soon. In the loop. `heard_here`: somebody in this process has been woken already."""
        delay = self._pace.plan(topics, time.monotonic())
        if delay is not None:
            head_start = HEAD_START_S if heard_here else 0.0
            task = asyncio.create_task(self._send_in(max(delay, head_start)), name="penstock-notify")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Send what is gathered."""
        await asyncio.gather(*self._tasks)

    async def _send_in(self, delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
        await _send(self._send, self._pace.take(time.monotonic()))


class BlockingNotifier:
    """Sends over blocking connections where there is no loop: at once in the caller's thread, else by a timer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._pace = Pace()
        self._timer: threading.Timer | None = None

    def announce(self, topics: Topics) -> None:
        """Have these topics sent. From any thread."""
        delay = self._pace.plan(topics, time.monotonic())
        if delay == 0:
            self._send_now()
        elif delay is not None:
            self._timer = threading.Timer(delay, self._send_now)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """Send what is gathered."""
        if self._timer is not None:
            self._timer.join()

    def _send_now(self) -> None:
        run_blocking(_send(self._send, self._pace.take(time.monotonic())))
