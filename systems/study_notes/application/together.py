"""Several calls side by side."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

Value = TypeVar("Value")


async def all_or_first_error(calls: Iterable[Coroutine[Any, Any, Value]], at_once: int | None = None) -> list[Value]:
    """The results of all calls in order, at most `at_once` (None: all) being under way.

    When some fail, the first error once all have ended: what is under way is paid for, so it is waited for and kept.
    """
    waiting = list(calls)
    gate = asyncio.Semaphore(at_once or max(1, len(waiting)))

    async def one(call: Coroutine[Any, Any, Value]) -> Value:
        async with gate:
            return await call

    try:
        results = await asyncio.gather(*map(one, waiting), return_exceptions=True)
    finally:
        # Cancelled, some have never begun.
        for call in waiting:
            call.close()
    values: list[Value] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        values.append(result)
    return values
