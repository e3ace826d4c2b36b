"""Why a job waits, and until when: which dependency, limit, pause, missing worker or key."""

from dataclasses import dataclass
from datetime import datetime

from penstock import codec
from penstock.domain.options import moment_of
from penstock.domain.states import FINAL, JobState
from penstock.domain.steps import NEVER
from penstock.errors import NotFound
from penstock.operations.limits import goes_at, kept_by
from penstock.store.base import Store
from penstock.store.programs.limits import list_limits
from penstock.store.programs.read import JobRow, get_job, rows_of
from penstock.store.programs.steps import steps_of

_SEEN_RECENTLY_US = 120_000_000


@dataclass(frozen=True, slots=True)
class Why:
    """The state of a job in plain words: `reasons`, the strongest first, and `until`, where a time is known."""

    job_id: str
    state: JobState
    reasons: tuple[str, ...]
    until: datetime | None = None


async def why(store: Store, job_id: str) -> Why:
    """Explain a job's state. Raises NotFound."""
    row = await store.read(get_job(job_id))
    if row is None:
        raise NotFound(f"no job {job_id}")
    state = JobState(row.state)
    if state in FINAL:
        return Why(row.id, state, (row.reason or f"it has {state}",))
    if state is JobState.RUNNING:
        return Why(row.id, state, (_running(row),))
    if state is JobState.BLOCKED:
        return Why(row.id, state, await _blocked(store, row))
    if state is JobState.SCHEDULED:
        return await _scheduled(store, row, state)
    return await _ready(store, row, state)


def _running(row: JobRow) -> str:
    if row.cancel_requested_at is not None:
        return f"cancel was requested ({row.reason}); worker {row.worker_id} is stopping it"
    return f"worker {row.worker_id} runs attempt {row.attempt + 1} of {row.max_attempts}"


async def _blocked(store: Store, row: JobRow) -> tuple[str, ...]:
    parents = await store.read(rows_of("open_parents_of", job_id=row.id))
    listed = tuple(f"waits for {kind or 'job'} {parent} ({state})" for parent, state, kind in parents)
    more = (f"and {row.open_parents - len(listed)} more",) if row.open_parents > len(listed) else ()
    return (f"its condition is {row.when}, {row.open_parents} of its parents have not ended", *listed, *more)


async def _scheduled(store: Store, row: JobRow, state: JobState) -> Why:
    if row.reason == "concurrency":
        return Why(
            row.id, state, (f"its concurrency key {row.concurrency_key!r} is full; it goes on when one of them ends",)
        )
    words = {
        "delay": "it was enqueued for later",
        "retry": f"attempt {row.attempt} of {row.max_attempts} failed; it is retried then",
        "sleep": "its handler sleeps until then",
    }
    reason = words.get(row.reason or "", row.reason or "its time has not come")
    if reason.startswith("limit "):
        reason = f"a limit keeps its model call: {reason.removeprefix('limit ')}"
    if reason.startswith("budget "):
        reason = f"a budget keeps its model call: {reason.removeprefix('budget ')}"
    if row.reason == "signal":
        steps = (await store.read(steps_of([row.id])))[row.id]
        signals = [repr(one.step.signal) for one in steps if one.step.signal and one.step.result is None]
        reason = f"its handler waits for the signal {' or '.join(signals)}" if signals else "its handler waits"
    return Why(row.id, state, (reason,), None if row.due_at in (None, NEVER) else moment_of(row.due_at))


async def _ready(store: Store, row: JobRow, state: JobState) -> Why:
    reasons: list[str] = []
    queues = {q[0]: q for q in await store.read(rows_of("list_queues"))}
    queue = queues.get(row.queue)
    if queue is not None and queue[1] is not None:
        reasons.append(f"queue {row.queue!r} is paused since {moment_of(queue[1]):%Y-%m-%d %H:%M:%S} UTC")
    reasons += await _missing_worker(store, row)
    if queue is not None and queue[4] is not None:
        reasons.append(f"queue {row.queue!r} runs at most {queue[4]} jobs at once over all workers")
    if queue is not None and queue[2] is not None:
        reasons.append(f"queue {row.queue!r} starts at most {queue[2]} jobs per {queue[3] / 1_000_000:g} s")
    if row.solo:
        reasons.append(f"its worker was lost {row.losses} times, so it is run alone")
    ahead = (await store.read(rows_of("jobs_ahead", job_id=row.id)))[0][0]
    now = store.clock.now()
    limits = await store.read(list_limits())
    limit = kept_by(limits, row.kind, now)
    if limit is not None:
        reasons.append(f"a limit keeps the model calls of its kind: {limit.bucket().described()}")
    reasons.append(
        f"{ahead} jobs of its kind are before it" if ahead else "it is next; a worker with a free slot takes it"
    )
    return Why(row.id, state, tuple(reasons), None if limit is None else goes_at(limit, ahead, now))


async def _missing_worker(store: Store, row: JobRow) -> list[str]:
    now = store.clock.now()
    workers = await store.read(rows_of("list_workers"))
    live = [w for w in workers if not w[10] and now - w[8] < _SEEN_RECENTLY_US and row.queue in codec.loads(w[5])]
    if not live:
        return [f"no worker serves queue {row.queue!r}"]
    if not any(row.kind in codec.loads(w[6]) for w in live):
        return [f"no worker of queue {row.queue!r} knows the kind {row.kind!r}"]
    if row.seal_key is not None:
        return [f"it is sealed with key {row.seal_key!r}; only workers that have it can take it"]
    return []
