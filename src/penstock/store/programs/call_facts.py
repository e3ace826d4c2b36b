"""Calls as they are asked for, let through and ended, and what is written of them."""

from collections.abc import Mapping
from typing import NamedTuple

from penstock.domain.admission import Held
from penstock.domain.budgets import Most, Rule, Used, WindowKey
from penstock.domain.calls import CallScope
from penstock.domain.limits import LimitKey, Rates, Tokens
from penstock.domain.spending import BudgetHold, Unpriced
from penstock.store.programs.purses import dumped

UNKNOWN = "unknown"
"""The outcome of a call whose process is gone: it may have been answered and is taken to have cost its estimate."""


class Reserved(NamedTuple):
    """What a call was let through with: tokens at its limits, and amounts of the windows of its budgets."""

    limits: Mapping[LimitKey, Tokens]
    budgets: Mapping[WindowKey, int] = {}


class OpenCall(NamedTuple):
    """A call about to be made. Estimates in tokens; `tried`: the how-manieth call of its request, from 1.

    account: which key of the provider it uses; most: what it may come to, for budgets.
    """

    id: str
    scope: CallScope | None
    provider: str
    model: str
    tried: int
    input_estimate: int | None = None
    output_estimate: int | None = None
    account: str = ""
    most: Most = Most(0, 0)

    @property
    def key(self) -> LimitKey:
        """What its provider may say of this model and key."""
        return LimitKey(self.provider, self.model, self.account)


class Ask(NamedTuple):
    """A call that wants to be let through. `leaves`: its run gives its slot back if it is not."""

    call: OpenCall
    leaves: bool = False


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

    @property
    def used(self) -> Used:
        """What it takes of budgets."""
        known = self.output_tokens is not None
        return Used(self.outcome, (self.input_tokens or 0) + (self.output_tokens or 0) if known else None, self.cost)


class Told(NamedTuple):
    """What a provider has said of its limits: rates, and until when it wants no further call (µs)."""

    rates: Rates = Rates()
    pause_until: int = 0


NOTHING = Told()


class End(NamedTuple):
    """A call that is over. `reserved`: what it was let through with. `late`: only what it used is new."""

    call: OpenCall
    closed: ClosedCall
    reserved: Reserved
    told: Told = NOTHING
    late: bool = False


class Withdrawn(NamedTuple):
    """A call that was let through when nobody wanted it any more; it was not made."""

    call: OpenCall
    reserved: Reserved


Verdict = Reserved | Held | BudgetHold | Unpriced
"""Let through; held for a while; held by a budget that is spent; refused, for want of a price."""


class Answers(NamedTuple):
    """What became of the asks, in their order, and the ids of ends that were taken.

    missing: windows of budgets that have to be made first; nothing was written then.
    """

    verdicts: list[Verdict]
    closed: set[str]
    missing: Mapping[WindowKey, Rule] = {}


def opened_row(call: OpenCall, reserved: Reserved, now: int) -> dict[str, object]:
    """A call that is let through, as its row is written."""
    row: dict[str, object] = {"id": call.id, "provider": call.provider, "model": call.model, "tried": call.tried}
    row |= {"at": now, "input": call.input_estimate, "output": call.output_estimate}
    row |= {"account": call.account, "limits": [key.model for key in reserved.limits] or None}
    row["budgets"] = dumped(reserved.budgets)
    scope = call.scope
    if scope is not None:
        row |= {"job": scope.job_id, "claim": scope.claim_id, "attempt": scope.attempt, "kind": scope.kind}
        row |= {"step": scope.step, "flow": scope.flow_id, "tenant": scope.tenant}
    return row


def closed_row(call: ClosedCall) -> dict[str, object]:
    """How a call has ended, as its row is written."""
    return {
        "id": call.id, "at": call.closed_at, "outcome": call.outcome, "input": call.input_tokens,
        "output": call.output_tokens, "cached": call.cached_tokens, "cost": call.cost,
    }  # fmt: skip
