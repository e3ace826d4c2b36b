"""Retry: what a person brings back from a final state, one job or the failed part of a flow, in one transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock import codec
from penstock.domain.flows import FlowCounts, FlowStatus, Verdict, When, judge
from penstock.domain.order import position
from penstock.domain.states import FINAL, JobState
from penstock.errors import Conflict, NotFound, UniqueKeyTaken
from penstock.store.program import Call, Row, Steps, program, wake_queues


@dataclass(slots=True)
class _Tally:
    """Parents of a job by how they stand once the revival is done."""

    open: int = 0
    completed: int = 0
    failed: int = 0
    edges: int = 0


@dataclass(frozen=True, slots=True)
class Revived:
    """What a retry brought back: ids that are ready now, and ids that wait for them."""

    ready: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)


@program
def retry_job(job_id: str, now: int) -> Steps[Revived]:
    """Bring one ended job back, with the descendants that were cancelled because of it.

    Raises NotFound, Conflict (it has not ended) or UniqueKeyTaken.
    """
    states = yield Call("job_state", {"job_id": job_id})
    if not states:
        raise NotFound(f"no job {job_id}")
    if JobState(states[0][0]) not in FINAL:
        raise Conflict(f"job {job_id} is {states[0][0]}; only an ended job can be retried")
    below = [row[0] for row in (yield Call("unmet_below", {"job_id": job_id}))]
    return (yield from _revive([job_id, *below], now))


@program
def retry_flow(flow_id: str, now: int) -> Steps[Revived]:
    """Open a new round: failed jobs and all their descendants run again; jobs cancelled by a person stay.

    Raises NotFound, or Conflict when nothing of the flow has failed.
    """
    if not (yield Call("lock_flow", {"flow_id": flow_id})):
        raise NotFound(f"no flow {flow_id}")
    ended = yield Call("final_jobs_of_flow", {"flow_id": flow_id})
    by_person = {row[0] for row in ended if row[1] == JobState.CANCELLED and row[2] is None}
    failed = {row[0] for row in ended if row[1] == JobState.FAILED}
    if not failed:
        raise Conflict(f"flow {flow_id} has no failed job to retry")
    edges = yield Call("parents_of", {"ids": codec.ids([row[0] for row in ended])})
    reached = _descendants(failed, [(row[1], row[0]) for row in edges]) - by_person
    return (yield from _revive(sorted(reached), now))


def _descendants(roots: set[str], edges: Sequence[tuple[str, str]]) -> set[str]:
    children: dict[str, list[str]] = {}
    for parent, child in edges:
        children.setdefault(parent, []).append(child)
    reached, front = set(roots), list(roots)
    while front:
        for child in children.get(front.pop(), ()):
            if child not in reached:
                reached.add(child)
                front.append(child)
    return reached


def _revive(ids: Sequence[str], now: int) -> Steps[Revived]:
    found = yield Call("revivable", {"ids": codec.ids(sorted(ids))})
    coming = {row[0] for row in found}
    yield from _take_keys_again(found, now)
    tallies = _tally((yield Call("parents_of", {"ids": codec.ids(sorted(coming))})), coming)
    rows: list[dict[str, Any]] = []
    revived = Revived()
    queues: set[str] = set()
    for id_, _, when, _, _, level, queue, aging in found:
        tally = tallies.get(id_, _Tally())
        waits = when is not None and judge(When(when), tally.open, tally.completed, tally.failed) is not Verdict.START
        # A condition that is still unmet (its parent was not part of this retry) is overruled for the job a person
        # named; a descendant is here only because its parent is.
        waits = waits and tally.open > 0
        (revived.blocked if waits else revived.ready).append(id_)
        if not waits:
            queues.add(queue)
        state = JobState.BLOCKED if waits else JobState.READY
        place = position(now, level, aging)
        rows.append(
            {"id": id_, "state": state, "position": place}
            | {"open": tally.open, "completed": tally.completed, "failed": tally.failed}
        )
    yield from _reopen_flows(found)
    yield Call("revive", {"jobs": codec.rows(rows)})
    yield Call("drop_results", {"ids": codec.ids(sorted(coming))})
    yield wake_queues(queues)
    return revived


def _take_keys_again(found: Sequence[Row], now: int) -> Steps[None]:
    """Take the jobs' unique keys again; a job whose key somebody else holds is refused, naming the holder."""
    keys = {row[3]: row[0] for row in found if row[3] is not None}
    if not keys:
        return
    held = dict((yield Call("read_unique", {"keys": codec.ids(sorted(keys))})))
    rows = [
        {"key": key, "job": job, "scope": "active", "expires": None}
        for key, job in sorted(keys.items())
        if held.get(key) != job
    ]
    if not rows:
        return
    taken = {row[0] for row in (yield Call("take_unique", {"keys": codec.rows(rows), "now": now}))}
    for row in rows:
        if row["key"] not in taken:
            holder = dict((yield Call("read_unique", {"keys": codec.ids([row["key"]])})))
            raise UniqueKeyTaken(str(row["key"]), str(holder.get(row["key"])))


def _tally(edges: Sequence[Row], coming: set[str]) -> Mapping[str, _Tally]:
    tallies: dict[str, _Tally] = {}
    for child, parent, state, open_, total, failed, cancelled in edges:
        tally = tallies.setdefault(child, _Tally())
        tally.edges += 1
        if total is not None:
            flow = FlowCounts(total, open_, total - open_ - failed - cancelled, failed, cancelled).status()
            is_open, completed = flow is FlowStatus.RUNNING, flow is FlowStatus.COMPLETED
        else:
            # A parent that was pruned had ended with everything after it final; it counts as completed.
            is_open = parent in coming or (state is not None and JobState(state) not in FINAL)
            completed = state is None or state == JobState.COMPLETED
        tally.open += is_open
        tally.completed += not is_open and completed
        tally.failed += not is_open and not completed
    return tallies


def _reopen_flows(found: Sequence[Row]) -> Steps[None]:
    counts: dict[str, Counter[str]] = {}
    for row in found:
        if row[4] is not None:
            counts.setdefault(row[4], Counter())[row[1]] += 1
    if counts:
        rows = [
            {"id": flow, "completed": n["completed"], "failed": n["failed"], "cancelled": n["cancelled"]}
            for flow, n in sorted(counts.items())
        ]
        yield Call("reopen_flows", {"flows": codec.rows(rows)})
