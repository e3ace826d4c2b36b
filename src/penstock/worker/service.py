"""What every part of a worker is: something that starts, holds its tasks, and stops."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

OnFailure: TypeAlias = Callable[[str, BaseException], None]
"""Told the name of a service and what one of its tasks ended with; called in the loop."""


class Service:
    """One part of a worker with one life: `start`, then `stop`; once each.

    Its tasks are begun by `hold` and by nothing else: they are kept, an error that leaves one reaches `on_failure`, and
    `stop` cancels and awaits those that are left.
    """

    def __init__(self, name: str, on_failure: OnFailure) -> None:
        self.name = name
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to work."""

    async def stop(self) -> None:
        """End all tasks and wait for them."""
        own = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not own]
        for task in tasks:
            task.cancel()
        # An error was told to `on_failure` already.
        await asyncio.gather(*tasks, return_exceptions=True)

    def hold(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run this in a task of the service."""
        task = asyncio.get_running_loop().create_task(work, name=f"penstock-{self.name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(self.name, error)
