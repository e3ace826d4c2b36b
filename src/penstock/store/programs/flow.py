"""What follows from the end of jobs: their keys fall free, flows count, children start or can no longer.

Exactly once: a child's counters are changed under its row lock, once per batch, only while it is blocked; a flow's
counters fall only for rows that a fenced ending returned.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

from penstock import codec
from penstock.domain.flows import Verdict, When, judge
from penstock.domain.order import position
from penstock.domain.states import FINAL, JobState
from penstock.store.program import Call, Row, Steps, wake_queues
from penstock.store.programs.claim import unpark
from penstock.store.programs.ended_by import enqueue_ended_by
from penstock.store.programs.new import Unmet

_Parent: TypeAlias = tuple[str, bool]
"""Id of an ended job or flow, and whether it completed."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Jobs that a fenced statement moved on, alike in all that follows from it.

    `state` may be waiting again: then only the concurrency key is freed.
    """

    ids: Sequence[str]
    state: JobState
    flow_id: str | None
    has_children: bool
    unique_key: str | None
    concurrency_key: str | None
    unfinished: bool = False

    @classmethod
    def of(cls, row: Row, *, unfinished: bool) -> "Ended":
        """From the columns that `settle`, `end_unmet` and the cancelling statements return."""
        return cls((row[0],), JobState(row[1]), row[2], bool(row[3]), row[4], row[5], unfinished)

    @property
    def is_tied(self) -> bool:
        """Whether anything follows."""
        ties = (self.flow_id, self.unique_key, self.concurrency_key)
        return bool(self.has_children) or any(tie is not None for tie in ties)


def after_end(ended: Sequence[Ended], now: int) -> Steps[None]:
    """Do everything that follows, also for children and flows that end because of it."""
    keys = {job.concurrency_key for job in ended if job.concurrency_key is not None}
    final = [job for job in ended if job.state in FINAL]
    parents: list[_Parent] = []
    counts: dict[str, Counter[str]] = {}
    while final or parents:
        yield from _release_keys(final)
        yield from enqueue_ended_by([id_ for job in final if job.unfinished for id_ in job.ids], now)
        for job in final:
            if job.flow_id is not None:
                counts.setdefault(job.flow_id, Counter())[job.state] += len(job.ids)
        parents += [(id_, job.state is JobState.COMPLETED) for job in final if job.has_children for id_ in job.ids]
        final = (yield from _advance(parents, now)) if parents else []
        parents = []
        if not final and counts:
            # Only now: children that ended with their parents are counted in the same fall, so a flow ends once.
            parents = yield from _count(counts, now)
            counts = {}
    if keys:
        yield from unpark(sorted(keys))


def _release_keys(ended: Sequence[Ended]) -> Steps[None]:
    rows = [{"key": job.unique_key, "job": id_} for job in ended if job.unique_key is not None for id_ in job.ids]
    if rows:
        yield Call("release_unique", {"keys": codec.rows(rows)})


def _advance(parents: Sequence[_Parent], now: int) -> Steps[list[Ended]]:
    """Count the ended parents down in their children; start those that may, end and answer those that never can."""
    rows = codec.rows([{"id": id_, "ok": ok} for id_, ok in parents])
    going: list[dict[str, Any]] = []
    unmet: list[Unmet] = []
    puzzling: dict[str, str] = {}
    before: set[str] = set()
    tails: set[str] = set()
    # In the order of their ids, which is that of their enqueue: microseconds of position keep it.
    for index, child in enumerate(sorted((yield Call("advance_children", {"ended": rows})))):
        id_, queue, when, open_, completed, failed, culprit, due, level, aging = child
        verdict = judge(When(when), open_, completed, failed)
        if verdict is Verdict.START:
            later = due is not None and due > now
            at = due if later else now
            going.append(
                {
                    "id": id_,
                    "state": JobState.SCHEDULED if later else JobState.READY,
                    "position": position(at + index, level, aging),
                    "due": due if later else None,
                    "reason": "delay" if later else None,
                }
            )
            (before if level > 0 else tails).add(queue)
        elif verdict is Verdict.UNMET:
            if culprit is None:
                puzzling[id_] = when
            else:
                unmet.append(Unmet(id_, when, culprit))
    if going:
        yield Call("unblock", {"jobs": codec.rows(going)})
        yield wake_queues(before, tails)
    if puzzling:
        unmet += yield from _find_culprits(puzzling)
    return (yield from end_unmet(unmet, now)) if unmet else []


def _find_culprits(children: Mapping[str, str]) -> Steps[list[Unmet]]:
    """Of children whose condition was spoiled by a parent that had ended before they were blocked (by a retry)."""
    found: dict[str, str] = {}
    pruned: dict[str, str] = {}
    rows = yield Call("parents_of", {"ids": codec.ids(sorted(children))})
    # In order, so that both stores name the same one.
    for child, parent, state, open_, total, failed, cancelled in sorted(rows, key=itemgetter(0, 1)):
        if state in (JobState.FAILED, JobState.CANCELLED) or (open_ == 0 and (failed or cancelled)):
            found.setdefault(child, parent)
        elif state is None and total is None:
            pruned[child] = parent
    return [Unmet(id_, when, found.get(id_) or pruned[id_]) for id_, when in children.items()]


def end_unmet(unmet: Sequence[Unmet], now: int) -> Steps[list[Ended]]:
    """End blocked jobs that can never start; answers them, so that `after_end` does what follows."""
    rows = [
        {
            "id": one.id,
            "culprit": one.culprit,
            "reason": f"its condition {one.when} can no longer be met: {one.culprit} did not complete",
        }
        for one in unmet
    ]
    ended = yield Call("end_unmet", {"jobs": codec.rows(rows), "now": now})
    return [Ended.of(row, unfinished=True) for row in ended]


def _count(counts: Mapping[str, Counter[str]], now: int) -> Steps[list[_Parent]]:
    """Lower the flows' open counts; answers the flows that others come after and that have just ended."""
    rows = [
        {
            "id": flow,
            "completed": count[JobState.COMPLETED],
            "failed": count[JobState.FAILED],
            "cancelled": count[JobState.CANCELLED],
        }
        for flow, count in sorted(counts.items())
    ]
    flows = yield Call("flows_ended_jobs", {"flows": codec.rows(rows), "now": now})
    return [
        (id_, not failed and not cancelled)
        for id_, finished_at, failed, cancelled, has_children in flows
        if finished_at is not None and has_children
    ]
