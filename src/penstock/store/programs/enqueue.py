"""Enqueue: jobs, the edges to what they come after, unique keys and flows, in one transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from penstock import codec
from penstock.errors import ClaimLost, QueueFull
from penstock.store.program import Call, Lane, LaneKey, Steps, Wake, program, wake_queues
from penstock.store.programs.claim import unpark
from penstock.store.programs.flow import after_end, end_unmet
from penstock.store.programs.insert import lanes_of, write_alike, write_jobs
from penstock.store.programs.new import Alike, Enqueued, NewFlow, NewJob, Template
from penstock.store.programs.unique import Keys, give_back, take_keys


@dataclass(frozen=True, slots=True)
class Fence:
    """The run on whose behalf something is written; the write is refused when it no longer holds its job."""

    job_id: str
    claim_id: int


@program
def enqueue(
    jobs: Sequence[NewJob], now: int, *, flows: Sequence[NewFlow] = (), alone: bool = False, bounded: bool = True
) -> Steps[list[Enqueued]]:
    """Write flows and jobs; answers one `Enqueued` per job, in order.

    `alone`: nothing else is in the transaction. `bounded`: the queues' `max_length` counts; not for what the engine
    itself has to enqueue. Raises NotFound (a parent or flow that does not exist), FlowEnded, QueueFull, InvalidJob; the
    transaction is then to be rolled back.
    """
    if flows:
        yield Call("insert_flows", {"flows": codec.rows([_flow_row(f) for f in flows]), "now": now})
    if not jobs:
        return []
    lanes = yield from lanes_of(jobs)
    keys = (yield from take_keys(jobs, lanes, now)) if any(job.unique for job in jobs) else Keys()
    fresh = _fresh(jobs, keys.holders)
    if bounded:
        yield from _refuse_full_queues(Counter(job.lane.queue for job in fresh if _ready_at_once(job, now)), lanes)
    created: set[str] = set()
    if fresh:
        written = yield from write_jobs(fresh, lanes, now, alone=alone and not flows and not keys.holders)
        created = written.created
        yield from give_back(keys.taken, [job for job in fresh if job.id in created])
        if written.unmet:
            yield from after_end((yield from end_unmet(written.unmet, now)), now)
        yield _wake(fresh, now)
    if keys.freed:
        yield from unpark(keys.freed)
    return _answers(jobs, keys.holders, created)


@program
def enqueue_alike(groups: Sequence[Alike], now: int) -> Steps[None]:
    """Write jobs that are tied to nothing, in the order of the groups; nothing else is in the transaction.

    Raises QueueFull.
    """
    lanes = yield from lanes_of([group.template for group in groups])
    if any(lane.max_length is not None for lane in lanes.values()):
        adding: Counter[str] = Counter()
        for group in groups:
            if _starts_at_once(group.template, now):
                adding[group.template.lane.queue] += len(group.ids)
        yield from _refuse_full_queues(adding, lanes)
    first = 0
    for group in groups:
        yield from write_alike(group, lanes[group.template.lane], now, first, alone=len(groups) == 1)
        first += len(group.ids)
    yield _wake([group.template for group in groups], now)


def hold(fence: Fence) -> Steps[None]:
    """Lock the run's job; raise ClaimLost unless the claim still holds it and no cancel was requested."""
    if not (yield Call("hold_claim", {"job_id": fence.job_id, "claim_id": fence.claim_id})):
        raise ClaimLost(fence.job_id)


def _wake(jobs: Sequence[NewJob] | Sequence[Template], now: int) -> Wake:
    """The wake-up for new jobs. One of a higher level, or due for long, stands before what was ready already."""
    before = {job.lane.queue for job in jobs if job.level > 0 or (job.due_at is not None and job.due_at < now)}
    return wake_queues(before, {job.lane.queue for job in jobs})


def _flow_row(flow: NewFlow) -> dict[str, Any]:
    return {"id": flow.id, "name": flow.name, "tenant": flow.tenant}


def _fresh(jobs: Sequence[NewJob], holders: Mapping[str, str]) -> list[NewJob]:
    """The jobs to be inserted, once each; who comes after a deduplicated job comes after the one that stands for it."""
    first: dict[str, NewJob] = {}
    for job in jobs:
        if holders.get(job.id, job.id) == job.id:
            first.setdefault(job.id, job)
    if not holders:
        return list(first.values())
    return [replace(job, after=tuple(holders.get(p, p) for p in job.after)) for job in first.values()]


def _refuse_full_queues(adding: Mapping[str, int], lanes: Mapping[LaneKey, Lane]) -> Steps[None]:
    """`adding`: how many jobs each queue gets that are ready at once."""
    limits = {key.queue: lane.max_length for key, lane in lanes.items() if lane.max_length is not None}
    for queue, limit in sorted(limits.items()):
        if not adding.get(queue):
            continue
        # Locked first and counted then: what another producer commits meanwhile is counted.
        yield Call("lock_queue", {"queue": queue})
        counted = yield Call("queue_length", {"queue": queue, "limit": limit + 1})
        if counted[0][0] + adding[queue] > limit:
            raise QueueFull(queue, counted[0][0], limit)


def _ready_at_once(job: NewJob, now: int) -> bool:
    return not job.after and _starts_at_once(job, now)


def _starts_at_once(job: NewJob | Template, now: int) -> bool:
    return job.due_at is None or job.due_at <= now


def _answers(jobs: Sequence[NewJob], holders: Mapping[str, str], created: set[str]) -> list[Enqueued]:
    """One per job; of several with the same id only the first one created it."""
    answers: list[Enqueued] = []
    left = set(created)
    for job in jobs:
        answers.append(Enqueued(holders.get(job.id, job.id), job.id in left))
        left.discard(job.id)
    return answers
