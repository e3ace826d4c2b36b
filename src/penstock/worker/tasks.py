"""Async handlers in tasks: one each, but for those that end without ever waiting, which share one.

Making and scheduling a task costs more than the rest of a small job's start. A handler that has to wait keeps the task
it began in, so that timeouts, cancels and `current_task()` are its own; the others go on in a new one.
"""

import asyncio
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any, cast

from penstock.context import Job
from penstock.domain.calls import CALLER
from penstock.domain.outcomes import Outcome
from penstock.registry import HandlerEntry
from penstock.worker.run import Run

TURN_S = 0.000_5
"""How long a task begins further handlers before the loop gets its turn."""


class HandlerTasks:
    """Begins handlers in the order in which they are added.

    `returned(run, entry, result)` and `raised(run, error)` make the outcome, `ended(run, outcome)` is told it: None for
    a run that was asked to stop before it began. A task is cancelled only while its run is `entered`, so that its
    outcome is always told.
    """

    def __init__(
        self,
        returned: Callable[[HandlerEntry, Any], Outcome],
        raised: Callable[[Run, BaseException], Outcome],
        ended: Callable[[Run, Outcome | None], None],
    ) -> None:
        self._returned = returned
        self._raised = raised
        self._ended = ended
        self._waiting: deque[tuple[Run, HandlerEntry, Job[Any]]] = deque()
        self._begins = False

    def open(self) -> None:
        """Be ready, in this loop."""
        self._loop = asyncio.get_running_loop()
        # Jobs are begun from other jobs' ends: without a context of their own they would inherit those' variables.
        self._context: Context = copy_context()

    def add(self, run: Run, entry: HandlerEntry, job: Job[Any]) -> None:
        """Begin this run soon, never from within this call."""
        self._waiting.append((run, entry, job))
        if not self._begins:
            self._go_on()

    def _go_on(self) -> None:
        """Let a new task begin what waits."""
        self._begins = bool(self._waiting)
        if self._begins:
            self._loop.create_task(self._begin(), context=self._context.copy())

    async def _begin(self) -> None:
        """Begin handlers until one has to wait, has left something behind in this task, or time is over."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        fresh = copy_context()
        until = self._loop.time() + TURN_S
        while self._waiting:
            run, entry, job = self._waiting.popleft()
            if run.stop is not None:
                self._ended(run, None)
                continue
            run.task, run.entered = task, True
            task.set_name(run.label)
            handler: Any = entry.call(job)
            token = CALLER.set(job)
            try:
                step = handler.send(None)
            except StopIteration as end:
                outcome = self._returned(entry, end.value)
            except BaseException as error:  # noqa: BLE001 - a handler's exit or interrupt must not end the worker unseen
                outcome = self._raised(run, error)
            else:
                self._go_on()
                await self._finish(run, entry, handler, step)
                return
            CALLER.reset(token)
            self._ended(run, outcome)
            if self._loop.time() >= until or task.cancelling() or copy_context() != fresh:
                break
        self._go_on()

    async def _finish(self, run: Run, entry: HandlerEntry, handler: Coroutine[Any, Any, Any], step: Any) -> None:
        try:
            outcome = self._returned(entry, await _rest(handler, step))
        except GeneratorExit:  # the loop is being torn down around us
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            outcome = self._raised(run, error)
        self._ended(run, outcome)


@types.coroutine
def _rest(handler: Coroutine[Any, Any, Any], step: Any) -> Generator[Any, Any, Any]:
    """Await what is left of a coroutine that has waited once, for `step`; answers its result."""
    while True:
        try:
            yield step
        except BaseException as error:  # noqa: BLE001 - also a cancel: all of it is the handler's to see
            try:
                step = handler.throw(error)
            except StopIteration as end:
                return end.value
        else:
            return (yield from handler.__await__())
