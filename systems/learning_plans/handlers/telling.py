"""Tells the log of modules as they show, while the model still writes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from penstock import Job
from systems.learning_plans.domain.events import PlanEvent
from systems.learning_plans.handlers.events import logged


@asynccontextmanager
async def telling(job: Job[Any]) -> AsyncIterator[Callable[[PlanEvent], None]]:
    """Gives a function that may be called from anywhere in the loop; at the exit all is told.

    Raises what publishing raises: ClaimLost when the run no longer holds its job.
    """
    events: asyncio.Queue[PlanEvent | None] = asyncio.Queue()

    async def publish() -> None:
        while (event := await events.get()) is not None:
            await job.publish(logged(event), subject=event.plan_id)

    publishing = asyncio.create_task(publish())
    try:
        yield events.put_nowait
    except BaseException:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        raise
    events.put_nowait(None)
    await publishing
