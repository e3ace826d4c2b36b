"""A deadline that moves once, when the answer has begun in time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from penstock.ai.detached import detached
from penstock.clock import Clock, SteadyClock, SystemClock

_MS = 1_000  # µs
# A clock that tests move tells nobody when it is moved, so it is looked at: seconds between looks.
_LOOK_S = 0.02

T = TypeVar("T")


class AdaptiveTimeout:
    """Over `base_ms` after the start, `extension_ms` later if the first module of the answer shows by `threshold_ms`.

    It runs from the moment it is made. Times are ms, points in time ms since 1970 UTC; `signal` is set when the time is
    over. Call `cancel()` when it is no longer needed. Raises ValueError naming the option that is wrong.
    """

    def __init__(
        self,
        base_ms: float = 10_000,
        extension_ms: float = 10_000,
        threshold_ms: float = 9_500,
        *,
        clock: Clock | None = None,
    ) -> None:
        for name, value in (("base_ms", base_ms), ("extension_ms", extension_ms), ("threshold_ms", threshold_ms)):
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name}: must be a number of ms, not {value!r}")
        self.signal = asyncio.Event()
        self._clock = clock or SteadyClock()
        self._started = self._clock.now()
        self._deadline = self._started + round(base_ms * _MS)
        self._extension = round(extension_ms * _MS)
        self._threshold = round(threshold_ms * _MS)
        self._did_extend = False
        self._cancelled = False
        self._timer: asyncio.TimerHandle | None = None
        self._bounds: list[asyncio.Timeout] = []
        self._watch()

    @property
    def started_at(self) -> float:
        """When it began."""
        return self._started / _MS

    @property
    def deadline(self) -> float:
        """When the time is over, as things stand."""
        return self._deadline / _MS

    @property
    def did_extend(self) -> bool:
        """Whether the first module came in time."""
        return self._did_extend

    @property
    def timed_out(self) -> bool:
        """Whether the time is over; it stays so."""
        if not self.signal.is_set() and not self._cancelled and self._clock.now() >= self._deadline:
            self._expire()
        return self.signal.is_set()

    def elapsed(self) -> float:
        """Time since the start."""
        return (self._clock.now() - self._started) / _MS

    def notify_first_module(self) -> None:
        """Say that the first module shows. After the threshold, a second time or after the end this does nothing."""
        in_time = self._clock.now() - self._started <= self._threshold
        if in_time and not self._did_extend and not self._cancelled and not self.timed_out:
            self._did_extend = True
            self._deadline += self._extension

    def cancel(self) -> None:
        """Stop watching the time; it will not be over any more."""
        self._cancelled = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @asynccontextmanager
    async def bounding(self) -> AsyncIterator[None]:
        """Cut off what is awaited inside when the time is over. Raises TimeoutError then."""
        async with asyncio.timeout(None) as bound:
            self._bounds.append(bound)
            if self.timed_out:
                self._expire()
            self._watch()
            try:
                yield
            finally:
                if bound in self._bounds:
                    self._bounds.remove(bound)

    async def run(self, call: Awaitable[T], late: Callable[[T], None] | None = None) -> T:
        """What `call` gives, if it gives it in time. Raises TimeoutError when the time is over.

        The wait ends then even if the call ignores being cancelled. What it gives later is handed to `late`.
        """
        async with self.bounding():
            result = await detached(call, late)
            if self.timed_out:
                if late is not None:
                    late(result)
                raise TimeoutError
        return result

    def _watch(self) -> None:
        """Wake up when the time is over. Without a running loop nobody waits yet, and the next who does comes here."""
        if self._timer is not None or self._cancelled or self.timed_out:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        left = (self._deadline - self._clock.now()) / 1_000_000
        is_moved = not isinstance(self._clock, SteadyClock | SystemClock)
        self._timer = loop.call_later(min(left, _LOOK_S) if is_moved else left, self._look)

    def _look(self) -> None:
        self._timer = None
        self._watch()

    def _expire(self) -> None:
        self.signal.set()
        bounds, self._bounds = self._bounds, []
        for bound in bounds:
            # A point in the past: at the next turn of the loop, and each only once.
            bound.reschedule(0)
