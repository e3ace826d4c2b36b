"""The ledger: one row for each model call that was really made. Rows are facts: never fenced, never rolled back."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from penstock import codec
from penstock.domain.calls import CallScope
from penstock.store.program import Call, Steps, program

UNKNOWN = "unknown"
"""The outcome of a call whose process is gone: it may have been answered and is taken to have cost its estimate."""


class OpenCall(NamedTuple):
    """A call about to be made. Time µs; estimates in tokens; `tried`: the how-manieth call of its request, from 1."""

    id: str
    scope: CallScope | None
    provider: str
    model: str
    tried: int
    opened_at: int
    input_estimate: int | None = None
    output_estimate: int | None = None


class ClosedCall(NamedTuple):
    """How a call has ended. Time µs; tokens as the provider counted them; `cost` in billionths of a US dollar.

    outcome: `answered`, the kind of its failure, `cancelled` or `unknown`.
    """

    id: str
    closed_at: int
    outcome: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost: int | None = None


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
def open_calls(calls: Sequence[OpenCall]) -> Steps[None]:
    """Write calls before they are made."""
    yield Call("open_calls", {"rows": codec.rows([_opened(call) for call in calls])}, only=True, seeks=False)


@program
def close_calls(calls: Sequence[ClosedCall]) -> Steps[int]:
    """Write how calls have ended; answers how many were still open."""
    return len((yield Call("close_calls", {"rows": codec.rows([_closed(call) for call in calls])}, only=True)))


@program
def late_answer(call: ClosedCall) -> Steps[bool]:
    """What a call used whose answer came when nobody waited for it any more; its outcome stays. False: it is known."""
    params = {"id": call.id, "input": call.input_tokens, "output": call.output_tokens, "cached": call.cached_tokens}
    return bool((yield Call("late_answers", params | {"cost": call.cost, "now": call.closed_at}, only=True)))


Price = Callable[[str, str, int | None, int | None], int | None]
"""Provider, model, input and output tokens -> cost in billionths of a US dollar, None when no price is known."""

_GRACE_US = 60_000_000
_OWNERLESS_US = 3_600_000_000


@program
def close_lost_calls(now: int, price: Price, limit: int = 1_000) -> Steps[int]:
    """Close the calls of runs that are gone as `unknown`, with their estimates; answers how many."""
    params = {"before": now - _GRACE_US, "ownerless_before": now - _OWNERLESS_US, "limit": limit}
    lost = yield Call("lost_calls", params)
    if not lost:
        return 0
    closed = [
        ClosedCall(id_, now, UNKNOWN, sent, answered, None, price(provider, model, sent, answered))
        for id_, provider, model, sent, answered in lost
    ]
    yield Call("close_calls", {"rows": codec.rows([_closed(call) for call in closed])})
    return len(closed)


@program
def calls_of_job(job_id: str) -> Steps[list[CallRow]]:
    """A job's calls, in order."""
    return [CallRow(*row) for row in (yield Call("calls_of_job", {"job_id": job_id}, only=True))]


@program
def usage(wanted: UsageFilter) -> Steps[list[UsageRow]]:
    """Calls summed up, the dearest first."""
    return [UsageRow(*row) for row in (yield Call("usage", wanted._asdict(), only=True))]


def _opened(call: OpenCall) -> dict[str, object]:
    row: dict[str, object] = {"id": call.id, "provider": call.provider, "model": call.model, "tried": call.tried}
    row |= {"at": call.opened_at, "input": call.input_estimate, "output": call.output_estimate}
    scope = call.scope
    if scope is not None:
        row |= {"job": scope.job_id, "claim": scope.claim_id, "attempt": scope.attempt, "kind": scope.kind}
        row |= {"step": scope.step, "flow": scope.flow_id, "tenant": scope.tenant}
    return row


def _closed(call: ClosedCall) -> dict[str, object]:
    return {
        "id": call.id, "at": call.closed_at, "outcome": call.outcome, "input": call.input_tokens,
        "output": call.output_tokens, "cached": call.cached_tokens, "cost": call.cost,
    }  # fmt: skip
