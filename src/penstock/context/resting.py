"""Letting a run go when its model calls have to wait: only when nothing is under way in it that would be lost."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn, Self

from penstock.domain.calls import CallScope
from penstock.domain.steps import Suspended


class Resting:
    """How many steps of a run are under way, and how many of them only wait to be let through."""

    def __init__(self) -> None:
        self._working = 0
        self._resting = 0
        self._moved = asyncio.Event()
        self.left: Suspended | None = None

    @contextmanager
    def working(self) -> Iterator[None]:
        """A step is under way."""
        self._count(working=1)
        try:
            yield
        finally:
            self._count(working=-1)

    async def join(self, steps: int) -> None:
        """Rest, with so many steps of the run, until all others do too."""
        self._count(resting=steps)
        while self._working > self._resting and self.left is None:
            self._moved.clear()
            await self._moved.wait()

    def go_on(self, steps: int) -> None:
        """Rest no more."""
        self._count(resting=-steps)

    def leave(self, until: int, reason: str) -> NoReturn:
        """End the run. Whoever else rests in it leaves with it."""
        if self.left is None:
            self.left = Suspended(until, reason)
            self._moved.set()
        raise self.left

    def _count(self, working: int = 0, resting: int = 0) -> None:
        self._working += working
        self._resting += resting
        self._moved.set()


class StepCaller:
    """The `Caller` of a step, or of a handler outside of its steps. What has called stays at limits: that was paid."""

    def __init__(self, scope: CallScope, resting: Resting) -> None:
        self.scope = scope
        self._resting = resting
        self._has_called = False
        self._rests = False

    @property
    def caller(self) -> Self:
        """Itself."""
        return self

    async def at_rest(self, *, though_paid: bool = False) -> None:
        """See `Caller`."""
        if self._has_called and not though_paid:
            await asyncio.get_running_loop().create_future()  # ends with the wait around it
        # It may rest already, from a wait that was given up: it is counted once, and waits for the others again.
        steps = 0 if self._rests else self._steps
        self._rests = True
        await self._resting.join(steps)

    def go_on(self, *, called: bool) -> None:
        """See `Caller`."""
        self._has_called |= called
        if self._rests:
            self._rests = False
            self._resting.go_on(self._steps)

    def leave(self, until: int, reason: str) -> NoReturn:
        """See `Caller`."""
        self._resting.leave(until, reason)

    @property
    def _steps(self) -> int:
        return 0 if self.scope.step is None else 1
