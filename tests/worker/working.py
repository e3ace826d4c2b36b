"""Kinds, and ways to wait for facts, that the worker's tests share."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from penstock.app import Penstock
from penstock.domain.job import JobData
from penstock.domain.states import JobState
from penstock.operations import JobView
from penstock.worker import Worker

NO_PROFILE: dict[str, Any] = {"poll_s": 0.2, "lease_s": 10, "secret_keys": "k1:" + "A" * 43 + "="}
"""Settings of the engines under test."""

PATIENCE_S = 20.0


class Note(JobData, kind="note"):
    """What most tests enqueue."""

    text: str = ""


class Other(JobData, kind="other"):
    """A second kind."""

    number: int = 0


@asynccontextmanager
async def working(engine: Penstock, *handlers: object, **options: Any) -> AsyncIterator[Worker]:
    """A worker that runs inside the block."""
    worker = Worker(engine, handlers, **options)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop(0)


async def until(fact: Callable[[], bool] | Callable[[], Awaitable[bool]], what: str = "the fact") -> None:
    """Wait until it is so; fails the test after `PATIENCE_S`."""
    end = time.monotonic() + PATIENCE_S
    while True:
        found = fact()
        if found if isinstance(found, bool) else await found:
            return
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come about within {PATIENCE_S:g} s")
        await asyncio.sleep(0.01)


async def reached(engine: Penstock, job_id: str, *states: JobState) -> JobView:
    """Wait until the job is in one of these states."""
    seen: list[JobView] = []

    async def fact() -> bool:
        seen.append(await engine.get(job_id))
        return seen[-1].state in states

    try:
        await until(fact)
    except AssertionError:
        raise AssertionError(f"job {job_id} is {seen[-1].state} ({seen[-1].reason}), not {states}") from None
    return seen[-1]
