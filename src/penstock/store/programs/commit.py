"""What a transaction buffered, written in one go; alone, on behalf of a run, or together with the run's end."""

from dataclasses import dataclass, field

from penstock.domain.states import JobState
from penstock.domain.streams import StreamWrite
from penstock.errors import ClaimLost
from penstock.store.program import Steps, program
from penstock.store.programs.enqueue import Fence, enqueue, hold
from penstock.store.programs.events import NewEvent, publish
from penstock.store.programs.new import Enqueued, NewFlow, NewJob
from penstock.store.programs.settle import RunEnd, settle
from penstock.store.programs.streams import write_streams


@dataclass(slots=True)
class Writes:
    """Flows, jobs and events to be written together; also the last of a run's streams, with its end."""

    flows: list[NewFlow] = field(default_factory=list)
    jobs: list[NewJob] = field(default_factory=list)
    events: list[NewEvent] = field(default_factory=list)
    streams: list[StreamWrite] = field(default_factory=list)


@program
def commit(writes: Writes, now: int, fence: Fence | None = None) -> Steps[list[Enqueued]]:
    """Write it all; with a fence, only while that run still holds its job (else ClaimLost, and nothing is written)."""
    if fence is not None:
        yield from hold(fence)
    enqueued = yield from enqueue(writes.jobs, now, flows=writes.flows)
    yield from publish(writes.events, now)
    return enqueued


@program
def finish(end: RunEnd, writes: Writes, now: int, worker: str) -> Steps[list[Enqueued]]:
    """End a run together with everything its handler buffered.

    Raises ClaimLost when the run no longer holds its job or its cancel was requested, so that all is rolled back.
    """
    yield from hold(Fence(end.job_id, end.claim_id))
    enqueued = yield from enqueue(writes.jobs, now, flows=writes.flows)
    yield from publish(writes.events, now)
    yield from write_streams(writes.streams, now)
    states: dict[str, JobState] = yield from settle([end], now, worker)
    if states.get(end.job_id) is not end.settlement.state:
        raise ClaimLost(end.job_id)
    return enqueued
