"""Waiting for a call that may not listen: the wait ends at once when it is cancelled, whatever the call does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")

# A loop holds its tasks weakly: those that nobody waits for any more are held here until they end.
_LEFT: set[asyncio.Future[Any]] = set()


async def detached(call: Awaitable[T], late: Callable[[T], None] | None = None) -> T:
    """What `call` gives. A cancelled wait cancels it and is over at once, also when the call goes on regardless.

    What it gives then is handed to `late`; what it raises then is dropped.
    """
    task = asyncio.ensure_future(call)
    try:
        # Not `await task`: a task that swallows being cancelled would swallow it for us too.
        await asyncio.wait([task])
    except asyncio.CancelledError:
        _leave(task, late)
        raise
    return task.result()


def _leave(task: asyncio.Future[T], late: Callable[[T], None] | None) -> None:
    def ended(task: asyncio.Future[T]) -> None:
        _LEFT.discard(task)
        # Looking at the exception tells the loop besides that somebody has.
        if not task.cancelled() and task.exception() is None and late is not None:
            late(task.result())

    _LEFT.add(task)
    task.add_done_callback(ended)
    task.cancel()
