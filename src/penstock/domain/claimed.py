"""A job as a worker gets it from a claim."""

from typing import NamedTuple


class ClaimedJob(NamedTuple):
    """One claimed job: a row as the claim's statement answers it, then what jobs of a claim and a lane share.

    Times µs; `data` and `options` are JSON text (options may be None). `tied`: something may follow from its end (a
    flow, jobs that come after it, a unique or concurrency key); what is tied to it later only the store knows.
    """

    id: str
    lane_id: int
    position: int
    level: int
    attempts_before: int
    losses_before: int
    max_attempts: int
    created_at: int
    deadline_at: int | None
    flow_id: str | None
    tied: bool
    concurrency_key: str | None
    concurrency_limit: int
    data: str
    options: str | None
    aging_step: int | None
    queue: str
    claim_id: int
    kind: str
    tenant: str | None
