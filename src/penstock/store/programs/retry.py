"""Retry: what a person brings back from a final state, one job or the failed part of a flow, in one transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    """Parents of a job by how they stand."""

    open: int = 0
    completed: int = 0
    failed: int = 0

    def row(self, job_id: str) -> dict[str, Any]:
        """As the statements take it."""
        return {"id": job_id, "open": self.open, "completed": self.completed, "failed": self.failed}


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
    found = yield Call("lock_jobs", {"ids": codec.ids([job_id])})
    if not found:
        raise NotFound(f"no job {job_id}")
    if JobState(found[0][1]) not in FINAL:
        raise Conflict(f"job {job_id} is {found[0][1]}; only an ended job can be retried")
    return (yield from _revive((yield from _with_cancelled_below({job_id})), now))


@program
def retry_flow(flow_id: str, now: int) -> Steps[Revived]:
    """Open a new round: failed jobs and all their descendants in the flow run again; jobs cancelled by a person stay.

    Of jobs outside the flow those come back that were cancelled because of it. Raises NotFound, or Conflict when
    nothing of the flow has failed.
    """
    if not (yield Call("get_flow", {"flow_id": flow_id})):
        raise NotFound(f"no flow {flow_id}")
    ended = yield Call("final_jobs_of_flow", {"flow_id": flow_id})
    by_person = {row[0] for row in ended if row[1] == JobState.CANCELLED and row[2] is None}
    failed = {row[0] for row in ended if row[1] == JobState.FAILED}
    if not failed:
        raise Conflict(f"flow {flow_id} has no failed job to retry")
    # What comes after a job that stays cancelled stays as it is, unless something that runs again is before it, too.
    edges = yield Call("parents_of", {"ids": codec.ids([row[0] for row in ended if row[0] not in by_person])})
    reached = _descendants(failed, [(row[1], row[0]) for row in edges])
    return (yield from _revive((yield from _with_cancelled_below(reached)), now))


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


def _with_cancelled_below(roots: set[str]) -> Steps[set[str]]:
    """These jobs and all that were cancelled because of them, also by way of a flow that ended with them."""
    reached, causes, front = set(roots), set(roots), set(roots)
    while front:
        flows = {row[0] for row in (yield Call("ended_flows_of", {"ids": codec.ids(sorted(front))}))}
        below = {row[0] for row in (yield Call("unmet_below", {"ids": codec.ids(sorted(front | flows - causes))}))}
        front = (below | flows) - causes
        causes |= front
        reached |= below
    return reached


def _revive(ids: Iterable[str], now: int) -> Steps[Revived]:
    found = yield Call("revivable", {"ids": codec.ids(sorted(ids))})
    coming = {row[0] for row in found}
    yield from _take_keys_again(found, now)
    tallies = yield from _tally_with_parents_held(coming)
    rows: list[dict[str, Any]] = []
    revived = Revived()
    # `found` is in the order of ids, which is that of their enqueue: microseconds of position keep it.
    for index, (id_, _, when, _, _, level, _, aging) in enumerate(found):
        tally = tallies.get(id_, _Tally())
        # A condition that is unmet with no parent to wait for (it is no part of this retry) is overruled: a person
        # named the job, or its parent.
        waits = tally.open > 0 and judge(When(when), tally.open, tally.completed, tally.failed) is not Verdict.START
        (revived.blocked if waits else revived.ready).append(id_)
        state = JobState.BLOCKED if waits else JobState.READY
        rows.append(tally.row(id_) | {"state": state, "position": position(now + index, level, aging)})
    flows = yield from _reopen_flows(found)
    yield Call("revive", {"jobs": codec.rows(rows)})
    yield Call("drop_results", {"ids": codec.ids(sorted(coming))})
    yield from _recount_below(coming | flows)
    ready = set(revived.ready)
    yield wake_queues({row[6] for row in found if row[0] in ready})
    return revived


def _take_keys_again(found: Sequence[Row], now: int) -> Steps[None]:
    """Take the jobs' unique keys again; a job whose key somebody else holds is refused, naming the holder."""
    keys: dict[str, str] = {}
    for id_, _, _, key, *_ in found:
        if key is not None and keys.setdefault(key, id_) != id_:
            raise UniqueKeyTaken(key, keys[key])
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


def _tally_with_parents_held(coming: set[str]) -> Steps[Mapping[str, _Tally]]:
    """How the parents of these jobs will stand. Locked before they are counted: a parent that ends meanwhile would not

    see its child blocked, and would count as open for ever.
    """
    ids = codec.ids(sorted(coming))
    parents = {row[1] for row in (yield Call("parents_of", {"ids": ids}))} - coming
    if parents:
        yield Call("lock_parents", {"ids": codec.ids(sorted(parents))})
        yield Call("lock_parent_flows", {"ids": codec.ids(sorted(parents))})
    flows = {row[0] for row in (yield Call("ended_flows_of", {"ids": ids}))}
    return _tally((yield Call("parents_of", {"ids": ids})), coming | flows)


def _tally(edges: Sequence[Row], coming: set[str]) -> Mapping[str, _Tally]:
    tallies: dict[str, _Tally] = {}
    for child, parent, state, open_, total, failed, cancelled in edges:
        tally = tallies.setdefault(child, _Tally())
        if total is not None:
            flow = FlowCounts(total, open_, total - open_ - failed - cancelled, failed, cancelled).status()
            is_open, completed = parent in coming or flow is FlowStatus.RUNNING, flow is FlowStatus.COMPLETED
        else:
            # A parent that was pruned had ended with everything after it final; it counts as completed.
            is_open = parent in coming or (state is not None and JobState(state) not in FINAL)
            completed = state is None or state == JobState.COMPLETED
        tally.open += is_open
        tally.completed += not is_open and completed
        tally.failed += not is_open and not completed
    return tallies


def _reopen_flows(found: Sequence[Row]) -> Steps[set[str]]:
    """Count the jobs as open in their flows again; answers these flows."""
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
    return set(counts)


def _recount_below(parents: set[str]) -> Steps[None]:
    """Children that still wait for others saw these end once; they are to wait for them again, and count anew."""
    children = [row[0] for row in (yield Call("lock_blocked_children", {"ids": codec.ids(sorted(parents))}))]
    if not children:
        return
    tallies = _tally((yield Call("parents_of", {"ids": codec.ids(children)})), set())
    yield Call("recount", {"jobs": codec.rows([tallies[id_].row(id_) for id_ in children])})
