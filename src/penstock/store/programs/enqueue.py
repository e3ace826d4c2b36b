"""Enqueue: jobs, the edges to what they come after, unique keys and flows, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock import codec
from penstock.domain.flows import FlowCounts, FlowStatus, Verdict, When, judge
from penstock.domain.order import position
from penstock.domain.states import FINAL, JobState
from penstock.domain.unique import Unique
from penstock.errors import ClaimLost, FlowEnded, InvalidJob, NotFound, QueueFull
from penstock.store.program import Call, Lane, LaneKey, NeedLanes, Steps, program, wake_queues


@dataclass(slots=True)
class NewJob:
    """A job to be written. Times µs. `after` holds ids of jobs and flows; `given_id`: the caller chose the id."""

    id: str
    lane: LaneKey
    level: int
    max_attempts: int
    data: bytes
    options: Mapping[str, Any] = field(default_factory=dict)
    due_at: int | None = None
    deadline_at: int | None = None
    after: tuple[str, ...] = ()
    when: When = When.ALL_COMPLETED
    flow_id: str | None = None
    unique: Unique | None = None
    concurrency_key: str | None = None
    concurrency_limit: int = 1
    given_id: bool = False


@dataclass(frozen=True, slots=True)
class NewFlow:
    """A flow to be written before its jobs."""

    id: str
    name: str
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of one `NewJob`: the id that now stands for it, and whether this call created it."""

    id: str
    created: bool


@dataclass(frozen=True, slots=True)
class Fence:
    """The run on whose behalf something is written; the write is refused when it no longer holds its job."""

    job_id: str
    claim_id: int


@dataclass(slots=True)
class _Parent:
    """A job or flow that others come after: still open, completed, or ended otherwise."""

    open: bool
    completed: bool
    flow_id: str | None = None


@program
def enqueue(
    jobs: Sequence[NewJob], now: int, *, flows: Sequence[NewFlow] = (), alone: bool = False
) -> Steps[list[Enqueued]]:
    """Write flows and jobs; answers one `Enqueued` per job, in order. `alone`: nothing else is in the transaction.

    Raises NotFound (a parent that does not exist), FlowEnded, QueueFull, InvalidJob; the
    transaction is then to be rolled back.
    """
    if flows:
        yield Call("insert_flows", {"flows": codec.rows([_flow_row(f) for f in flows]), "now": now})
    if not jobs:
        return []
    lanes = yield NeedLanes(tuple({job.lane: None for job in jobs}))
    by_key = dict(zip({job.lane: None for job in jobs}, lanes, strict=True))
    yield from _refuse_full_queues(jobs, by_key)
    holders = (yield from _take_unique(jobs, by_key, now)) if any(job.unique for job in jobs) else {}
    fresh = [job for job in jobs if holders.get(job.id, job.id) == job.id] if holders else list(jobs)
    single = alone and not flows and not holders
    created = (yield from _insert(fresh, by_key, now, single)) if fresh else set()
    yield wake_queues({job.lane.queue for job in fresh})
    return [Enqueued(holders.get(job.id, job.id), job.id in created) for job in jobs]


def hold(fence: Fence, *, ending: bool = False) -> Steps[None]:
    """Lock the run's job; raise ClaimLost unless the claim still holds it (and, but for an ending, no cancel came)."""
    params = {"job_id": fence.job_id, "claim_id": fence.claim_id, "ending": ending}
    if not (yield Call("hold_claim", params)):
        raise ClaimLost(fence.job_id)


def _flow_row(flow: NewFlow) -> dict[str, Any]:
    return {"id": flow.id, "name": flow.name, "tenant": flow.tenant}


def _refuse_full_queues(jobs: Sequence[NewJob], lanes: Mapping[LaneKey, Lane]) -> Steps[None]:
    limits = {key.queue: lane.max_length for key, lane in lanes.items() if lane.max_length is not None}
    for queue, limit in sorted(limits.items()):
        adding = sum(1 for job in jobs if job.lane.queue == queue)
        counted = yield Call("queue_length", {"queue": queue, "limit": limit + 1})
        if counted[0][0] + adding > limit:
            raise QueueFull(queue, counted[0][0], limit)


def _take_unique(jobs: Sequence[NewJob], lanes: Mapping[LaneKey, Lane], now: int) -> Steps[dict[str, str]]:
    """Take the jobs' keys; answers job id -> id of the job that holds its key (itself, when it took it)."""
    first: dict[str, NewJob] = {}
    for job in jobs:
        if job.unique:
            first.setdefault(job.unique.key, job)
    rows = [
        {"key": key, "job": job.id, "scope": job.unique.scope, "expires": job.unique.expires_at(now)}
        for key, job in sorted(first.items())
        if job.unique
    ]
    before = yield Call("bound_wait")
    taken = {row[0] for row in (yield Call("take_unique", {"keys": codec.rows(rows), "now": now}))}
    yield Call("unbound_wait", {"before": before[0][0]})
    lost = [key for key in first if key not in taken]
    held = dict((yield Call("read_unique", {"keys": codec.ids(lost)}))) if lost else {}
    replacing = [
        {**_place(job, lanes[job.lane], now, 0), "id": held[key], "data": codec.raw(job.data)}
        for key, job in first.items()
        if key in held and job.unique and job.unique.replace
    ]
    if replacing:
        yield Call("replace_waiting", {"jobs": codec.rows(replacing)})
    return {job.id: held.get(job.unique.key, first[job.unique.key].id) for job in jobs if job.unique}


def _place(job: NewJob, lane: Lane, now: int, index: int) -> dict[str, Any]:
    """State, position, due time and reason of a job that waits for no other."""
    due = job.due_at if job.due_at is not None and job.due_at > now else None
    # Within one call the order of the list is kept by microseconds of position; created_at stays `now`.
    at = (due or now) + index
    row: dict[str, Any] = {
        "position": position(at, job.level, lane.aging_step),
        "state": JobState.SCHEDULED if due else JobState.READY,
    }
    if job.level:
        row["priority"] = job.level
    if due:
        row["due"], row["reason"] = due, "delay"
    return row


def _row(job: NewJob, lane: Lane, now: int, index: int) -> dict[str, Any]:
    row = _place(job, lane, now, index)
    row["id"], row["lane"], row["attempts"], row["data"] = job.id, lane.id, job.max_attempts, codec.raw(job.data)
    if job.options:
        row["options"] = job.options
    if job.deadline_at is not None:
        row["deadline"] = job.deadline_at
    if job.flow_id is not None:
        row["flow"] = job.flow_id
    if job.unique is not None:
        row["ukey"] = job.unique.key
    if job.concurrency_key is not None:
        row["ckey"], row["climit"] = job.concurrency_key, job.concurrency_limit
    return row


def _insert(jobs: Sequence[NewJob], lanes: Mapping[LaneKey, Lane], now: int, alone: bool) -> Steps[set[str]]:
    """Insert jobs whose keys are taken; answers the ids that did not exist before."""
    tied = any(job.after or job.flow_id for job in jobs)
    rows = [_row(job, lanes[job.lane], now, index) for index, job in enumerate(jobs)]
    parents = (yield from _tie(jobs, rows, now)) if tied else {}
    only = alone and not tied
    answer = yield Call("insert_jobs", {"jobs": codec.rows(rows), "now": now}, only=only)
    created = {row[0] for row in answer}
    if tied:
        yield from _record_ties([job for job in jobs if job.id in created], rows, parents)
    return created


def _tie(jobs: Sequence[NewJob], rows: Sequence[dict[str, Any]], now: int) -> Steps[dict[str, _Parent]]:
    """Lock what the jobs come after and set each row's flow, condition and first state."""
    own = {job.id for job in jobs}
    outside = sorted({p for job in jobs for p in job.after if p not in own})
    parents = (yield from _lock_parents(outside)) if outside else {}
    with_children = {p for job in jobs for p in job.after}
    for job, row in zip(jobs, rows, strict=True):
        if job.id in with_children:
            row["children"] = True
        if job.after:
            _judge(job, row, parents, now)
        _inherit_flow(job, row, parents)
        ended = row["state"] == JobState.CANCELLED
        parents[job.id] = _Parent(open=not ended, completed=False, flow_id=row.get("flow"))
    return parents


def _lock_parents(ids: Sequence[str]) -> Steps[dict[str, _Parent]]:
    found: dict[str, _Parent] = {}
    for id_, state, flow_id in (yield Call("lock_parents", {"ids": codec.ids(ids)})):
        found[id_] = _Parent(JobState(state) not in FINAL, state == JobState.COMPLETED, flow_id)
    missing = [p for p in ids if p not in found]
    if missing:
        for id_, open_, total, failed, cancelled, _ in (yield Call("lock_parent_flows", {"ids": codec.ids(missing)})):
            counts = FlowCounts(total, open_, total - open_ - failed - cancelled, failed, cancelled)
            status = counts.status()
            found[id_] = _Parent(status is FlowStatus.RUNNING, status is FlowStatus.COMPLETED)
    absent = [p for p in ids if p not in found]
    if absent:
        raise NotFound(f"after: no job or flow {absent[0]} (was it pruned?)")
    return found


def _judge(job: NewJob, row: dict[str, Any], parents: Mapping[str, _Parent], now: int) -> None:
    before = [parents[p] for p in dict.fromkeys(job.after) if p in parents]
    if len(before) != len(set(job.after)):
        raise InvalidJob(f"after: job {job.id} must be enqueued after the jobs it comes after, in the same call")
    open_, completed = sum(p.open for p in before), sum(p.completed for p in before)
    failed = len(before) - open_ - completed
    row.update(open=open_, completed=completed, failed=failed, condition=job.when)
    verdict = judge(job.when, open_, completed, failed)
    if verdict is Verdict.WAIT:
        row["state"], row["reason"] = JobState.BLOCKED, None
    elif verdict is Verdict.UNMET:
        culprit = next((p for p in job.after if not parents[p].open and not parents[p].completed), job.after[0])
        row.update(state=JobState.CANCELLED, finished=now, unmet=culprit, due=None)
        row["reason"] = f"its condition {job.when} can no longer be met: {culprit} did not complete"


def _inherit_flow(job: NewJob, row: dict[str, Any], parents: Mapping[str, _Parent]) -> None:
    """A job's flow is the given one, or its parents' when they share one; edges across flows merge nothing."""
    if job.flow_id is None and job.after:
        shared = {parents[p].flow_id for p in job.after}
        if len(shared) == 1 and None not in shared:
            row["flow"] = shared.pop()


def _record_ties(jobs: Sequence[NewJob], rows: Iterable[Mapping[str, Any]], parents: Mapping[str, _Parent]) -> Steps[None]:
    edges = [{"parent": p, "child": job.id} for job in jobs for p in dict.fromkeys(job.after)]
    if edges:
        yield Call("insert_edges", {"edges": codec.rows(edges)})
        own = {job.id for job in jobs}
        outside = codec.ids(sorted({e["parent"] for e in edges} - own))
        if outside != b"[]":
            yield Call("mark_parents", {"ids": outside})
            yield Call("mark_parent_flows", {"ids": outside})
    created = {job.id for job in jobs}
    adding: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.get("flow") and row["id"] in created:
            count = adding.setdefault(row["flow"], {"id": row["flow"], "total": 0, "open": 0})
            count["total"] += 1
            count["open"] += row["state"] != JobState.CANCELLED
    if adding:
        added = {r[0] for r in (yield Call("add_to_flows", {"flows": codec.rows([adding[f] for f in sorted(adding)])}))}
        gone = [f for f in adding if f not in added]
        if gone:
            raise FlowEnded(gone[0])
