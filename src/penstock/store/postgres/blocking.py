"""Running coroutines that never wait, without an event loop.

The store's work is written once, as coroutines over a pool of connections. Over the blocking pool they never
suspend, so that a plain call can drive them; in any thread, beside a running loop or without one.
"""

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over blocking connections to its end and answer what it returns.

    Raises what it raises, and RuntimeError when it waits for an event loop after all.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} waited for an event loop in a blocking call")
