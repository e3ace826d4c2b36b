"""What runs when a job ends without its handler finishing: enqueued by the ending itself, so exactly once."""

from collections.abc import Sequence

from penstock import codec
from penstock.store.program import Call, LaneKey, Steps
from penstock.store.programs.enqueue import NewJob, enqueue


def enqueue_ended_by(ids: Sequence[str], now: int) -> Steps[None]:
    """Enqueue the `ended_by` job of each of these ended jobs whose kind declares one (see `domain.job.JobEnded`)."""
    if not ids:
        return
    jobs: list[NewJob] = []
    for id_, kind, tenant, data, options, state, reason, flow_id in (
        yield Call("ended_jobs", {"ids": codec.ids(sorted(ids))})
    ):
        declared = codec.loads(options).get("ended_by") if options else None
        if not declared:
            continue
        told = {
            "job_id": id_,
            "kind": kind,
            "data": codec.loads(data),
            "state": state,
            "reason": reason or "",
            "flow_id": flow_id,
            "tenant": tenant,
        }
        lane = LaneKey(declared["queue"], declared["kind"], tenant)
        jobs.append(NewJob(codec.new_id(), lane, declared["level"], declared["attempts"], codec.dumps(told)))
    if jobs:
        yield from enqueue(jobs, now)
