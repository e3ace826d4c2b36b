"""Watching one job: its state and progress as they change."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from penstock.domain.states import FINAL, JobState, JobStatus, status_of
from penstock.errors import NotFound
from penstock.store.base import Store
from penstock.store.programs.read import job_outcome

_QUICK_S, _SLOW_S = 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Update:
    """A job as it stands after a change."""

    state: JobState
    progress: float | None
    message: str | None
    reason: str | None

    @property
    def status(self) -> JobStatus:
        """The outside status."""
        return status_of(self.state)


async def watch_job(store: Store, job_id: str) -> AsyncIterator[Update]:
    """Yield the job's state now and after each change seen, until it has ended. Raises NotFound."""
    last: Update | None = None
    pause = _QUICK_S
    while True:
        row = await store.read(job_outcome(job_id))
        if row is None:
            raise NotFound(f"no job {job_id} (was it pruned?)")
        update = Update(JobState(row.state), row.progress, row.message, row.reason)
        if update != last:
            yield update
            last, pause = update, _QUICK_S
        if update.state in FINAL:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, _SLOW_S)
