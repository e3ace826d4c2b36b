"""Insert: the rows of new jobs. What ties them to others is in `ties`; keys and limits are in `enqueue`."""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock import codec
from penstock.domain.order import position
from penstock.domain.states import JobState
from penstock.store.program import Call, Lane, LaneKey, NeedLanes, Steps
from penstock.store.programs.new import Alike, NewJob, Template, Written
from penstock.store.programs.ties import write_tied


def lanes_of(jobs: Sequence[NewJob | Template]) -> Steps[dict[LaneKey, Lane]]:
    """The lanes of these jobs, made as needed."""
    keys = tuple({job.lane: None for job in jobs})
    lanes = yield NeedLanes(keys)
    return dict(zip(keys, lanes, strict=True))


def place(job: NewJob | Template, lane: Lane, now: int, index: int = 0) -> dict[str, Any]:
    """State, position, due time and reason of a job that waits for no other."""
    due = job.due_at + index if job.due_at is not None and job.due_at > now else None
    # Within one call the order of the list is kept by microseconds; created_at stays `now`.
    at = due or now + index
    row: dict[str, Any] = {
        "position": position(at, job.level, lane.aging_step),
        "state": JobState.SCHEDULED if due else JobState.READY,
    }
    if job.level:
        row["priority"] = job.level
    if due:
        row["due"], row["reason"] = due, "delay"
    return row


def write_jobs(
    jobs: Sequence[NewJob], lanes: Mapping[LaneKey, Lane], now: int, *, alone: bool = False
) -> Steps[Written]:
    """Insert jobs of different ids; one whose id exists already is left as it is.

    `alone`: it may be the one statement of its transaction. Raises as `ties.write_tied`.
    """
    rows = [_row(job, lanes[job.lane], now, index) for index, job in enumerate(jobs)]
    if any(job.after or job.flow_id for job in jobs):
        return (yield from write_tied(jobs, rows, now))
    answer = yield Call("insert_jobs", {"jobs": codec.rows(rows), "now": now}, only=alone, seeks=False)
    return Written({row[0] for row in answer})


def write_alike(jobs: Alike, lane: Lane, now: int, first: int = 0, *, alone: bool = False) -> Steps[None]:
    """Insert jobs that are alike, `first` of the call's jobs before them. `alone` as for `write_jobs`."""
    template = jobs.template
    row = place(template, lane, now, first)
    params = {
        "lane": lane.id,
        "priority": template.level,
        "attempts": template.max_attempts,
        "position": row["position"],
        "now": now,
        "options": template.options,
    }
    if len(jobs.ids) == 1 and row["state"] is JobState.READY and _is_bare(template):
        params["id"], params["data"] = jobs.ids[0], codec.JsonText(jobs.data[0])
        yield Call("insert_one", params, only=alone, seeks=False)
        return
    params["jobs"], params["ids"] = codec.Texts(jobs.ids, jobs.data), codec.ids(jobs.ids)
    params["state"], params["due"], params["reason"] = row["state"], row.get("due"), row.get("reason")
    params["deadline"] = template.deadline_at
    params["ckey"], params["climit"] = template.concurrency_key, template.concurrency_limit
    yield Call("insert_alike", params, only=alone, seeks=False)


def _is_bare(template: Template) -> bool:
    return template.deadline_at is None and template.concurrency_key is None


def _row(job: NewJob, lane: Lane, now: int, index: int) -> dict[str, Any]:
    row = place(job, lane, now, index)
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
