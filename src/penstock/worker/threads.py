"""Threads for sync handlers.

Not `concurrent.futures`: its threads are awaited when the interpreter ends, so one handler that never returns would
keep a stopped worker from exiting. These are daemons.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread


class HandlerThreads:
    """At most `size` threads, begun as they are needed. What is submitted must not raise."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = Lock()
        self._begun = 0
        self._free = 0

    def submit(self, work: Callable[[], None]) -> None:
        """Run this in a thread, at once if one is free or may be begun."""
        with self._lock:
            if self._free:
                self._free -= 1
            elif self._begun < self._size:
                self._begun += 1
                Thread(target=self._live, name=f"penstock-handler-{self._begun}", daemon=True).start()
        self._work.put(work)

    def close(self) -> None:
        """Let the threads end when they come back; does not wait for them."""
        with self._lock:
            for _ in range(self._begun):
                self._work.put(None)

    def _live(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            with self._lock:
                self._free += 1
