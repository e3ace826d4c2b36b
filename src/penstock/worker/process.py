"""The main function of a worker process: its loop, and an end that no handler can hold up."""

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from penstock.worker.logs import get_logger

logger = get_logger(__name__)

_LAST_WORDS_S = 0.5
_SWITCH_S = 0.000_1
"""How long a busy thread keeps the interpreter from another: at the usual 5 ms the thread that writes to SQLite waits

longer for its next step of Python than its statements take, while the loop runs handlers.
"""
_COLLECT_AFTER = 20_000
"""Objects made before the youngest are looked through for cycles: a batch makes thousands that live a moment."""


def run_process(main: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run `main` (it answers an exit code) in a new loop, uvloop's if installed; answers the code.

    Does not return when a handler is left that will not stop: the process then ends at once with that code, since
    closing the loop would wait for the handler.

    The garbage collector of the process is told that what is loaded now stays, and to look more seldom; threads take
    turns on the interpreter more often.
    """
    sys.setswitchinterval(_SWITCH_S)
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        code = runner.run(main())
        left = runner.run(_cancel_rest())
        if left:
            logger.warning("the process ends with handlers that would not stop", handlers=left, code=code)
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return code


async def _cancel_rest() -> list[str]:
    """Cancel all other tasks; answers the names of those that did not end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if not tasks:
        return []
    _, left = await asyncio.wait(tasks, timeout=_LAST_WORDS_S)
    return sorted(task.get_name() for task in left)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        # An optional extra that makes the loop faster.
        import uvloop  # noqa: PLC0415
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
