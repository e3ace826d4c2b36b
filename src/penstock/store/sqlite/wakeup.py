"""Who is woken when something was committed: subscribers here by a call, other processes by datagram.

The net under it: when another connection has committed and no datagram came, subscribers look at everything. When one
came as well, they still do so a second later, since it need not have told of all that was committed.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from penstock.errors import ConfigurationError
from penstock.store.base import OnWake, Subscription, Topics
from penstock.store.sqlite.datagrams import EVERYTHING, Inbox, Sender, folder_of

logger = logging.getLogger(__name__)

SURE_SECONDS = 1.0
"""After announced changes everything is looked at this much later, once."""


class Wakeups:
    """The wake-ups of one store. `watch(on)` is called with the first and after the last subscription.

    `announce` and `foreign_change` may be called from any thread, the rest in the loop of the subscribers.
    """

    def __init__(self, database: Path, watch: Callable[[bool], None]) -> None:
        self._folder = folder_of(database)
        self._sender = Sender(self._folder)
        self._watch = watch
        self._subscribers: dict[_Held, OnWake] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inbox: Inbox | None = None
        self._own: str | None = None
        self._heard = False
        self._sure: asyncio.TimerHandle | None = None

    def subscribe(self, on_wake: OnWake) -> Subscription:
        """Call `on_wake(topics)` in the running loop from now on; all subscribers share one loop."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._listen(loop)
            self._watch(True)
        elif self._loop is not loop:
            raise ConfigurationError("subscribe() was called in a second event loop; open a store for each loop")
        held = _Held(self._unsubscribe)
        self._subscribers[held] = on_wake
        return held

    def announce(self, topics: Topics) -> None:
        """These topics were committed; without any nobody is woken."""
        if topics:
            self._call(lambda: self._deliver(topics))
            self._sender.send(topics, self._own)

    def foreign_change(self) -> None:
        """Another connection has committed."""
        self._call(self._on_foreign_change)

    def end_subscriptions(self) -> None:
        """No subscriber is called any more."""
        for held in list(self._subscribers):
            held.close()

    def close(self) -> None:
        """Nothing more is announced."""
        self._sender.close()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._inbox = Inbox(self._folder)
        except OSError as error:
            logger.warning("wake-ups from other processes come by polling only: %s", error)
            return
        self._own = self._inbox.name
        loop.add_reader(self._inbox.fileno(), self._receive, self._inbox)

    def _unsubscribe(self, held: "_Held") -> None:
        if self._subscribers.pop(held, None) is None or self._subscribers or self._loop is None:
            return
        if self._inbox:
            self._loop.remove_reader(self._inbox.fileno())
            self._inbox.close()
        self._not_sure()
        self._inbox = self._own = self._loop = None
        self._watch(False)

    def _call(self, callback: Callable[[], None]) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(callback)
        except RuntimeError:
            logger.warning("the event loop was closed before its subscriptions to wake-ups")

    def _receive(self, inbox: Inbox) -> None:
        for topics in inbox.read():
            self._deliver(topics)

    def _on_foreign_change(self) -> None:
        if not self._heard:
            self._look_at_everything()
        elif self._sure is None and self._loop is not None:
            self._sure = self._loop.call_later(SURE_SECONDS, self._look_at_everything)
        self._heard = False

    def _look_at_everything(self) -> None:
        self._not_sure()
        self._deliver(EVERYTHING)
        self._heard = False

    def _not_sure(self) -> None:
        if self._sure is not None:
            self._sure.cancel()
            self._sure = None

    def _deliver(self, topics: Topics) -> None:
        self._heard = True
        for on_wake in list(self._subscribers.values()):
            try:
                on_wake(topics)
            except Exception:
                logger.exception("a subscriber to wake-ups raised")


class _Held(Subscription):
    """One subscription; it is its own key."""

    def __init__(self, release: Callable[["_Held"], None]) -> None:
        self._release = release

    def close(self) -> None:
        self._release(self)
