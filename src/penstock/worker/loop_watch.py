"""Notices from a thread that the event loop does not answer, names the handler that blocks it, and in the end exits."""

import asyncio
import os
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

from penstock.worker.logs import get_logger

logger = get_logger(__name__)

PING_S = 0.5
BLOCKED_S = 1.0
"""An answer that takes longer is reported."""
EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: the process ended itself because its loop never came back."""


class LoopWatch:
    """Pings a loop and judges its answers; `look` is called every `PING_S` by one thread other than the loop's.

    patience: after how many seconds without an answer the process is to end itself, asked anew at each look.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, thread_id: int, worker: str, patience: Callable[[], float]
    ) -> None:
        self._loop = loop
        self._thread_id = thread_id
        self._worker = worker
        self._patience = patience
        self._asked: float | None = None
        self._reported = False

    def look(self) -> None:
        """Ask the loop, or judge how long it has owed an answer. Does not return when its patience is over.

        Raises RuntimeError when the loop is closed.
        """
        now = time.monotonic()
        if self._asked is None:
            self._asked = now
            self._loop.call_soon_threadsafe(self._answer)
            return
        silent = now - self._asked
        if silent > BLOCKED_S and not self._reported:
            self._reported = True
            logger.warning(
                "a handler blocks the event loop", handler=self._culprit(), at=self._place(), worker=self._worker
            )
        if silent > self._patience():
            logger.critical(
                "the event loop never came back; the process ends so that its jobs go to others",
                handler=self._culprit(), at=self._place(), seconds=round(silent, 1), worker=self._worker,
            )  # fmt: skip
            sys.stderr.flush()
            os._exit(EXIT_CODE)

    def _answer(self) -> None:
        """In the loop: it is alive."""
        if self._reported and self._asked is not None:
            seconds = round(time.monotonic() - self._asked, 1)
            logger.info("the event loop answers again", seconds=seconds, worker=self._worker)
        self._asked = None
        self._reported = False

    def _culprit(self) -> str:
        task = asyncio.current_task(self._loop)
        return task.get_name() if task is not None else "a callback"

    def _place(self) -> str:
        """The innermost place of the loop's thread, as file:line in function."""
        frame: FrameType | None = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - the documented way
        if frame is None:
            return "an unknown place"
        last = traceback.extract_stack(frame, limit=1)[-1]
        return f"{last.filename}:{last.lineno} in {last.name}"
