"""What the ledger says: the calls of a job, and sums of calls by anything.

It has one row for each model call that was really made (`calls.py` writes them): facts, never fenced or rolled back.
"""

from typing import NamedTuple

from penstock.store.program import Call, Steps, program


class UsageFilter(NamedTuple):
    """Which calls to sum up: opened from `since` to before `until` (µs), and by what."""

    by: str
    since: int
    until: int
    tenant: str | None = None
    kind: str | None = None
    flow_id: str | None = None
    job_id: str | None = None
    limit: int = 1_000


class UsageRow(NamedTuple):
    """Calls summed up under a name (None: they have none). Money in billionths of a US dollar, `took` in µs.

    open: still on their way; failed: ended otherwise than with an answer; unpriced: closed without a known cost, which
    `cost` does not hold; retries: what calls after a step's first one cost; saved: what later attempts would have paid
    again but for their steps.
    """

    name: str | None
    calls: int
    open: int
    failed: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: int
    unpriced: int
    retries: int
    saved: int
    took: int


class CallRow(NamedTuple):
    """A call of a job as stored. Times µs, `cost` in billionths of a US dollar."""

    id: str
    step: str | None
    attempt: int | None
    provider: str
    model: str
    tried: int
    opened_at: int
    closed_at: int | None
    outcome: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost: int | None


@program
def calls_of_job(job_id: str) -> Steps[list[CallRow]]:
    """A job's calls, in order."""
    return [CallRow(*row) for row in (yield Call("calls_of_job", {"job_id": job_id}, only=True))]


@program
def usage(wanted: UsageFilter) -> Steps[list[UsageRow]]:
    """Calls summed up, the dearest first."""
    return [UsageRow(*row) for row in (yield Call("usage", wanted._asdict(), only=True))]
