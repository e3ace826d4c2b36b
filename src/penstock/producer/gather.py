"""Gathering: what is enqueued while a write is on its way is written together with the next one.

Nothing waits when nothing is under way. Each caller is answered once its own jobs are durable.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from penstock.errors import StoreUnavailable
from penstock.store.base import Store
from penstock.store.programs.enqueue import enqueue_alike
from penstock.store.programs.new import Alike, Template

FLIGHTS = 2
"""At most this many writes of one loop are on their way; while one is waiting for the disk the next is being built."""

MEMBERS = 500
"""At most this many enqueues share a write."""


class _Waiter(NamedTuple):
    jobs: Alike
    answer: "asyncio.Future[None]"


class Gatherer:
    """Writes jobs that are alike, those of concurrent tasks together. One failure fails nobody else's enqueue."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # What a loop left behind when it was closed in the middle concerns no other loop.
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    async def write(self, jobs: Alike) -> None:
        """Write them; returns when they are durable. Raises QueueFull and as `Store.run`.

        Cancelled while it waits for its turn, nothing is written.
        """
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            line = self._lines[loop] = _Line(self._store)
        if line.flights < FLIGHTS and not line.crowded:
            await line.fly_alone(jobs)
        else:
            answer = loop.create_future()
            line.join(_Waiter(jobs, answer))
            await answer


class _Line:
    """Those of one loop who wait for a write to come back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.flights = 0
        # Others enqueue too: then a write leaves once all tasks that can run now have had their turn.
        self.crowded = False
        self._waiting: deque[_Waiter] = deque()
        self._planned = False
        self._tasks: set[asyncio.Task[None]] = set()

    def join(self, waiter: _Waiter) -> None:
        """Wait for the next write."""
        self._waiting.append(waiter)
        self._plan()

    async def fly_alone(self, jobs: Alike) -> None:
        """Write at once, in the task of the caller: its cancellation is its own."""
        self.flights += 1
        try:
            await self._write([jobs])
        finally:
            self._landed()

    def _landed(self) -> None:
        self.flights -= 1
        self._plan()

    def _plan(self) -> None:
        if self._planned or not self._waiting or self.flights >= FLIGHTS:
            return
        # Not the running one: what a closed loop left behind is cleared away in any other.
        loop = self._waiting[0].answer.get_loop()
        if not loop.is_closed():
            self._planned = True
            loop.call_soon(self._depart)

    def _depart(self) -> None:
        self._planned = False
        members = self._next_members()
        self.crowded = len(members) > 1
        if members:
            self.flights += 1
            task = members[0].answer.get_loop().create_task(self._fly(members), name="penstock-enqueue")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._plan()

    def _next_members(self) -> list[_Waiter]:
        members: list[_Waiter] = []
        while self._waiting and len(members) < MEMBERS:
            waiter = self._waiting.popleft()
            if not waiter.answer.cancelled():
                members.append(waiter)
        return members

    async def _fly(self, members: Sequence[_Waiter]) -> None:
        try:
            await self._write_together(members)
        finally:
            for waiter in members:
                waiter.answer.cancel()  # only when this task was cancelled: its loop is being closed
            self._landed()

    async def _write_together(self, members: Sequence[_Waiter]) -> None:
        try:
            await self._write(_merged([waiter.jobs for waiter in members]))
        except StoreUnavailable as error:
            # It may have been written or not, for all alike, and asking the store again for each would not help it.
            for waiter in members:
                _fail(waiter, StoreUnavailable(*error.args), cause=error)
        except Exception as error:  # noqa: BLE001 - it is raised where it belongs
            if len(members) == 1:
                _fail(members[0], error)
            else:
                for waiter in members:
                    await self._write_together([waiter])
        else:
            for waiter in members:
                if not waiter.answer.done():
                    waiter.answer.set_result(None)

    async def _write(self, groups: Sequence[Alike]) -> None:
        await self._store.run(enqueue_alike(groups, self._store.clock.now()))


def _merged(all_jobs: Sequence[Alike]) -> list[Alike]:
    """As few groups as there are templates, in order of arrival."""
    groups: dict[Template, Alike] = {}
    for jobs in all_jobs:
        group = groups.get(jobs.template)
        if group is None:
            groups[jobs.template] = Alike(jobs.template, list(jobs.ids), list(jobs.data))
        else:
            group.ids.extend(jobs.ids)
            group.data.extend(jobs.data)
    return list(groups.values())


def _fail(waiter: _Waiter, error: Exception, cause: Exception | None = None) -> None:
    if not waiter.answer.done():
        error.__cause__ = cause or error.__cause__
        waiter.answer.set_exception(error)
