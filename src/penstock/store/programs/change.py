"""Change what waits: when a job is due, its priority; pause, resume and set up queues."""

from dataclasses import dataclass

from penstock import codec
from penstock.domain.order import position
from penstock.domain.queue import Queue
from penstock.domain.states import WAITING, JobState
from penstock.errors import Conflict, NotFound
from penstock.store.program import Call, Steps, program, wake_queues
from penstock.store.programs.claim import unpark
from penstock.store.programs.upkeep import retention_json


@dataclass(frozen=True, slots=True)
class Move:
    """A waiting job's new time (µs, None: as it is; a past time means now) and level (None: as it is)."""

    job_id: str
    due_at: int | None = None
    level: int | None = None


@program
def move_waiting(move: Move, now: int) -> Steps[JobState]:
    """Reschedule or reprioritise a waiting job; answers its state. Raises NotFound, Conflict (it runs or has ended)."""
    found = yield Call("waiting_job", {"job_id": move.job_id})
    if not found:
        raise NotFound(f"no job {move.job_id}")
    _, state, old_level, due, old_position, created_at, queue, aging, reason, key = found[0]
    if JobState(state) not in WAITING:
        raise Conflict(f"job {move.job_id} is {state}; only a waiting job can be moved")
    level = old_level if move.level is None else move.level
    was_ready, parked = state == JobState.READY, state == JobState.SCHEDULED and due is None
    if move.due_at is not None and not parked:
        due = move.due_at if move.due_at > now else None
        if state != JobState.BLOCKED:
            state, reason = (JobState.SCHEDULED, "delay") if due else (JobState.READY, None)
    # The time it became ready is what its old position says of it.
    ready_at = (
        now if move.due_at is not None else old_position + (position(0, 0, aging) - position(0, old_level, aging))
    )
    at = due or max(ready_at, created_at)
    params = {"job_id": move.job_id, "state": state, "priority": level, "position": position(at, level, aging)}
    yield Call("move_waiting", params | {"due": due, "reason": reason})
    yield wake_queues([queue])
    if key is not None and was_ready and state == JobState.SCHEDULED:
        # It may have been the one that was let go, and kept others parked.
        yield from unpark([key])
    return JobState(state)


@program
def pause_queue(queue: str, now: int) -> Steps[None]:
    """Let nobody claim from this queue until it is resumed. Running jobs go on."""
    yield Call("pause_queue", {"queue": queue, "now": now})


@program
def resume_queue(queue: str) -> Steps[bool]:
    """Undo a pause; answers whether the queue was paused."""
    resumed = yield Call("resume_queue", {"queue": queue})
    yield wake_queues([queue])
    return bool(resumed)


@program
def put_queue(name: str, queue: Queue) -> Steps[None]:
    """Publish a queue's shared settings, for producers and for workers that claim from it."""
    params = {
        "queue": name,
        "rate_limit": queue.rate.limit if queue.rate else None,
        "rate_period": queue.rate.period_us if queue.rate else None,
        "total_concurrency": queue.total_concurrency,
        "aging_step": queue.aging_step,
        "max_length": queue.max_length,
        "unknown_kinds": queue.unknown_kinds,
        "retention": codec.dumps(retention_json(queue.retention)),
    }
    yield Call("put_queue", params, only=True)
