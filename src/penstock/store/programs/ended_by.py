"""What runs when a job ends without its handler finishing: enqueued by the ending itself, so exactly once."""

from collections.abc import Sequence
from operator import itemgetter

from penstock import codec
from penstock.domain.secret import masked
from penstock.store.program import Call, LaneKey, Steps, wake_queues
from penstock.store.programs.insert import lanes_of, write_jobs
from penstock.store.programs.new import NewJob


def enqueue_ended_by(ids: Sequence[str], now: int) -> Steps[None]:
    """Enqueue the `ended_by` job of each of these ended jobs whose kind declares one (see `domain.job.JobEnded`)."""
    if not ids:
        return
    jobs: list[NewJob] = []
    rows = yield Call("ended_jobs", {"ids": codec.ids(sorted(ids))})
    for id_, kind, tenant, data, options, state, reason, flow_id in sorted(rows, key=itemgetter(0)):
        declared = codec.loads(options).get("ended_by") if options else None
        if not declared:
            continue
        told = {
            "job_id": id_,
            "kind": kind,
            # Sealed values are bound to the job that ended; nobody else can open them.
            "data": masked(codec.loads(data)),
            "state": state,
            "reason": reason or "",
            "flow_id": flow_id,
            "tenant": tenant,
        }
        lane = LaneKey(declared["queue"], declared["kind"], tenant)
        jobs.append(NewJob(codec.new_id(), lane, declared["level"], declared["attempts"], codec.dumps(told)))
    if jobs:
        yield from write_jobs(jobs, (yield from lanes_of(jobs)), now)
        yield wake_queues({job.lane.queue for job in jobs})
