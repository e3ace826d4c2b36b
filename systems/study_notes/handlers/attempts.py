"""The port `Attempts`: how often the present job of a source was begun, as the engine counts it."""

from penstock import JobState, Penstock
from systems.study_notes.domain.records import Source

_MOST_JOBS = 10_000
_WAITING = (JobState.READY, JobState.SCHEDULED)


class FlowAttempts:
    """Reads the flow of the source's present run."""

    def __init__(self, engine: Penstock) -> None:
        self._engine = engine

    async def of(self, source: Source) -> int:
        """See the port. Of several jobs at once (pictures) the most tried one counts."""
        if source.flow_id is None:
            return 0
        jobs = await self._engine.flows.jobs(source.flow_id, _MOST_JOBS)
        running = [job.attempt + 1 for job in jobs if job.state == JobState.RUNNING]
        waiting = [job.attempt for job in jobs if job.state in _WAITING]
        ended = [job.attempt for job in jobs if job.finished_at is not None]
        return max(running or waiting or ended[-1:], default=0)
