"""What model calls have cost: sums of the ledger, and the calls of one job."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from penstock.domain.money import dollars
from penstock.domain.options import moment_of
from penstock.errors import InvalidJob
from penstock.store.programs.ledger import CallRow, UsageRow

BY = ("tenant", "kind", "flow", "job", "step", "provider", "model", "outcome", "day", "hour")
"""What calls can be summed up by. Days and hours are UTC."""


@dataclass(frozen=True, slots=True)
class UsageView:
    """Calls summed up under `name` (None: they have none). Money in US dollars.

    open: still on their way; failed: ended without an answer; unpriced: ended, but no price is known, so that `cost`
    does not hold them; retries: what calls after a step's first one cost; saved: what later attempts would have paid
    again but for their steps; mean_s: seconds a call took.
    """

    name: str | None
    calls: int
    open: int
    failed: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: Decimal
    unpriced: int
    retries: Decimal
    saved: Decimal
    mean_s: float | None

    @classmethod
    def of(cls, row: UsageRow) -> "UsageView":
        """From summed rows."""
        closed = row.calls - row.open
        return cls(
            row.name, row.calls, row.open, row.failed, row.input_tokens, row.output_tokens, row.cached_tokens,
            dollars(row.cost), row.unpriced, dollars(row.retries), dollars(row.saved),
            row.took / closed / 1_000_000 if closed else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CallView:
    """One call of a job.

    outcome: `answered`, the kind of its failure, `cancelled`, `unknown`, or None while it is open; cost: US dollars,
    None when no price is known.
    """

    id: str
    step: str | None
    attempt: int | None
    provider: str
    model: str
    tried: int
    opened_at: datetime
    duration_s: float | None
    outcome: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    cost: Decimal | None

    @classmethod
    def of(cls, row: CallRow) -> "CallView":
        """From a stored row."""
        duration = None if row.closed_at is None else (row.closed_at - row.opened_at) / 1_000_000
        return cls(
            row.id, row.step, row.attempt, row.provider, row.model, row.tried, moment_of(row.opened_at), duration,
            row.outcome, row.input_tokens, row.output_tokens, row.cached_tokens,
            None if row.cost is None else dollars(row.cost),
        )  # fmt: skip


def checked_by(by: str) -> str:
    """Raises InvalidJob for what calls cannot be summed up by."""
    if by not in BY:
        raise InvalidJob(f"usage by {by!r} is unknown; by one of {', '.join(BY)}")
    return by
