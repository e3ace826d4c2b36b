"""Ties: the jobs and flows that new jobs come after, and the flow they join."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from penstock import codec
from penstock.domain.flows import FlowCounts, FlowStatus, Verdict, judge
from penstock.domain.states import FINAL, JobState
from penstock.errors import FlowEnded, InvalidJob, NotFound
from penstock.store.program import Call, Steps
from penstock.store.programs.new import NewJob, Unmet, Written

_Pair: TypeAlias = tuple[NewJob, dict[str, Any]]
"""A new job and its row."""


@dataclass(slots=True)
class _Parent:
    """A job or flow that others come after: still open, completed, or ended otherwise."""

    open: bool
    completed: bool
    flow_id: str | None = None


def write_tied(jobs: Sequence[NewJob], rows: Sequence[dict[str, Any]], now: int) -> Steps[Written]:
    """Insert jobs with the edges to what they come after, and count them in their flows.

    A job that can never start is inserted as blocked and named in `Written.unmet`: the caller ends it.
    Raises NotFound (a parent or flow that does not exist), FlowEnded, InvalidJob (a parent that comes later in `jobs`).
    """
    _check_order(jobs)
    parents = {p for job in jobs for p in job.after}
    known: dict[str, _Parent] = {}
    written = Written()
    for part in _parts(list(zip(jobs, rows, strict=True))):
        yield from _learn(part, known)
        unmet = [one for job, row in part if (one := _tie(job, row, known, parents)) is not None]
        answer = yield Call("insert_jobs", {"jobs": codec.rows([row for _, row in part]), "now": now})
        created = {row[0] for row in answer}
        for job, _ in part:
            if job.id not in created:
                # It existed: how it stands is asked when a later part comes after it.
                known.pop(job.id, None)
        yield from _record([(job, row) for job, row in part if job.id in created])
        written.created |= created
        written.unmet += [one for one in unmet if one.id in created]
    return written


def _check_order(jobs: Sequence[NewJob]) -> None:
    later = {job.id for job in jobs}
    for job in jobs:
        if not later.isdisjoint(job.after):
            raise InvalidJob(f"after: job {job.id} must be enqueued after the jobs it comes after")
        later.discard(job.id)


def _parts(pairs: Sequence[_Pair]) -> Iterator[list[_Pair]]:
    """Cut before a job that comes after one with a given id: that one may exist already, and may have ended."""
    part: list[_Pair] = []
    given: set[str] = set()
    for job, row in pairs:
        if not given.isdisjoint(job.after):
            yield part
            part, given = [], set()
        part.append((job, row))
        if job.given_id:
            given.add(job.id)
    yield part


def _learn(part: Sequence[_Pair], known: dict[str, _Parent]) -> Steps[None]:
    """Lock the parents that are not known yet, and see how they stand."""
    inside = {job.id for job, _ in part}
    unknown = sorted({p for job, _ in part for p in job.after} - known.keys() - inside)
    if unknown:
        known.update((yield from _lock_parents(unknown)))


def _lock_parents(ids: Sequence[str]) -> Steps[dict[str, _Parent]]:
    found: dict[str, _Parent] = {}
    for id_, state, flow_id in (yield Call("lock_parents", {"ids": codec.ids(ids)})):
        found[id_] = _Parent(JobState(state) not in FINAL, state == JobState.COMPLETED, flow_id)
    missing = [p for p in ids if p not in found]
    if missing:
        for id_, open_, total, failed, cancelled, _ in (yield Call("lock_parent_flows", {"ids": codec.ids(missing)})):
            status = FlowCounts(total, open_, total - open_ - failed - cancelled, failed, cancelled).status()
            found[id_] = _Parent(status is FlowStatus.RUNNING, status is FlowStatus.COMPLETED)
    absent = [p for p in ids if p not in found]
    if absent:
        raise NotFound(f"after: no job or flow {absent[0]} (was it pruned?)")
    return found


def _tie(job: NewJob, row: dict[str, Any], known: dict[str, _Parent], parents: set[str]) -> Unmet | None:
    """Set the row's condition, first state, counts and flow; answers its fate when that is settled already."""
    if job.id in parents:
        row["children"] = True
    unmet = _judge(job, row, known) if job.after else None
    if job.flow_id is None and job.after:
        # Its parents' flow, when they share one; edges across flows merge nothing.
        shared = {known[p].flow_id for p in job.after}
        if len(shared) == 1 and None not in shared:
            row["flow"] = shared.pop()
    if job.id in parents:
        known[job.id] = _Parent(open=True, completed=False, flow_id=row.get("flow"))
    return unmet


def _judge(job: NewJob, row: dict[str, Any], known: Mapping[str, _Parent]) -> Unmet | None:
    before = {p: known[p] for p in job.after}
    open_, completed = sum(p.open for p in before.values()), sum(p.completed for p in before.values())
    failed = len(before) - open_ - completed
    row.update(open=open_, completed=completed, failed=failed, condition=job.when)
    verdict = judge(job.when, open_, completed, failed)
    if verdict is Verdict.START:
        return None
    row["state"], row["reason"] = JobState.BLOCKED, None
    if verdict is Verdict.WAIT:
        return None
    return Unmet(job.id, job.when, next(id_ for id_, p in before.items() if not p.open and not p.completed))


def _record(pairs: Sequence[_Pair]) -> Steps[None]:
    """Write the edges of created jobs, tell their parents that they have children, and count them in their flows."""
    children = [(job.id, tuple(dict.fromkeys(job.after))) for job, _ in pairs if job.after]
    if children:
        parents = [parent for _, after in children for parent in after]
        edges = codec.Batch(parent=parents, child=[child for child, after in children for _ in after])
        yield Call("insert_edges", {"edges": edges})
        outside = sorted(set(parents).difference(job.id for job, _ in pairs))
        if outside:
            yield Call("mark_parents", {"ids": codec.ids(outside)})
            yield Call("mark_parent_flows", {"ids": codec.ids(outside)})
    adding = Counter(row["flow"] for _, row in pairs if row.get("flow"))
    if not adding:
        return
    flows = [{"id": flow, "n": n} for flow, n in sorted(adding.items())]
    added = {row[0] for row in (yield Call("add_to_flows", {"flows": codec.rows(flows)}))}
    for flow in adding:
        if flow not in added:
            if not (yield Call("lock_flow", {"flow_id": flow})):
                raise NotFound(f"flow: no flow {flow}")
            raise FlowEnded(flow)
