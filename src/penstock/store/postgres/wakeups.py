"""Who wants to be woken in this process, and the listener that runs while anybody does."""

import asyncio
import logging

from penstock.store.base import OnWake, Subscription, Topics
from penstock.store.postgres.listener import Listener

logger = logging.getLogger(__name__)


class _Interest(Subscription):
    """One subscriber of a `Wakeups`."""

    def __init__(self, owner: "Wakeups") -> None:
        self._owner = owner

    def close(self) -> None:
        """End it."""
        self._owner.remove(self)


class Wakeups:
    """Subscribers of one store. All of it belongs to the store's loop."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._subscribers: dict[_Interest, OnWake] = {}
        self._listening: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody wants to be woken."""
        return bool(self._subscribers)

    def add(self, on_wake: OnWake) -> Subscription:
        """Call `on_wake` from now on; the first subscriber starts the listener."""
        interest = _Interest(self)
        self._subscribers[interest] = on_wake
        if self._listening is None:
            self._listening = asyncio.create_task(self._listener.run(), name="penstock-listen")
            self._listening.add_done_callback(_report)
        return interest

    def remove(self, interest: _Interest) -> None:
        """Stop calling; the last one to go stops the listener."""
        self._subscribers.pop(interest, None)
        if not self._subscribers and self._listening is not None:
            task, self._listening = self._listening, None
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def deliver(self, topics: Topics) -> None:
        """Call every subscriber. What one raises is logged, for the sender has nothing to do with it."""
        for on_wake in list(self._subscribers.values()):
            try:
                on_wake(topics)
            except Exception:
                logger.exception("a subscriber of wake-ups failed")

    async def close(self) -> None:
        """Forget all subscribers and wait for the listener to end."""
        for interest in list(self._subscribers):
            self.remove(interest)
        await asyncio.gather(*self._ending, return_exceptions=True)


def _report(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("the listener for wake-ups ended, polling goes on", exc_info=error)
