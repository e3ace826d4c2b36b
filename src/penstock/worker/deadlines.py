"""One watcher for the times of all runs: a sweep now and then, so that starting a job sets no timer."""

import asyncio
from collections.abc import Callable

from penstock.clock import Clock
from penstock.worker.run import Run, Stop

SWEEP_S = 0.05
"""How late a timeout may be noticed."""


class DeadlineWatch:
    """Looks at the runs that have a timeout, a deadline, or were asked to stop; sleeps when there are none.

    `stop(run, why, reason)` asks a run to stop; `kill(run)` gives one up that has not stopped by `kill_at`.
    """

    def __init__(self, clock: Clock, stop: Callable[[Run, Stop, str], None], kill: Callable[[Run], None]) -> None:
        self._clock = clock
        self._stop = stop
        self._kill = kill
        self._runs: dict[Run, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, run: Run) -> None:
        """Watch this run until it is dropped."""
        self._runs[run] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)

    def drop(self, run: Run) -> None:
        """It has ended."""
        self._runs.pop(run, None)

    def close(self) -> None:
        """Watch no more."""
        self._runs.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        now, wall = loop.time(), self._clock.now()
        for run in list(self._runs):
            self._look_at(run, now, wall)
        if self._runs and self._timer is None:
            self._timer = loop.call_later(SWEEP_S, self._sweep)

    def _look_at(self, run: Run, now: float, wall: int) -> None:
        if run.stop is not None:
            if run.kill_at is not None and now >= run.kill_at:
                self._kill(run)
        elif run.timeout_s is not None and now - run.began >= run.timeout_s:
            self._stop(run, Stop.TIMEOUT, f"its timeout of {run.timeout_s:g} s is over")
        elif run.claimed.deadline_at is not None and wall >= run.claimed.deadline_at:
            self._stop(run, Stop.DEADLINE, "its deadline passed while it ran")
