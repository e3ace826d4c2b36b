"""Usage on its way to a sink: what a sink is told of a call, what it answers, and what follows from that."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import NamedTuple, TypeAlias

_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 300.0
MAX_PROBLEM = 500
"""Characters of a problem that are kept."""


@dataclass(frozen=True, slots=True)
class MeteredCall:
    """A model call that has ended and whose tokens are known. Never changes any more.

    id: names it for ever, also to the sink; cost: US dollars, None when no price is known.
    """

    id: str
    provider: str
    model: str
    outcome: str
    opened_at: datetime
    closed_at: datetime
    input_tokens: int | None
    output_tokens: int
    cached_tokens: int | None
    cost: Decimal | None
    tenant: str | None = None
    kind: str | None = None
    flow_id: str | None = None
    job_id: str | None = None
    step: str | None = None
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """The sink has it, or has nothing to do with it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The sink will never take it as it is; a person has to look."""

    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """Not now. `after_s`: not before so many seconds; `unsure`: the sink may have taken it all the same."""

    reason: str
    after_s: float | None = None
    unsure: bool = False


Delivery: TypeAlias = Taken | Refused | Later


class Owed(NamedTuple):
    """A call that a sink is owed, taken up to be sent. Times µs.

    tries: how often it was taken up, this time included; unsure_since: the first time after which nobody knew whether
    the sink had taken it (a sender takes it up under that mark, since it may be killed).
    """

    call: MeteredCall
    tries: int
    unsure_since: int


class Put(NamedTuple):
    """What becomes of an owed call: due again at `due_at`, or kept for a person (`refused_at`). Times µs."""

    call_id: str
    problem: str
    due_at: int
    unsure_since: int | None = None
    refused_at: int | None = None


def is_forgotten(owed: Owed, now: int, memory_us: int) -> bool:
    """Whether the sink no longer knows if it was told before: then sending it again could count it twice."""
    return now - owed.unsure_since >= memory_us


def forgotten(owed: Owed, now: int) -> Put:
    """Kept for a person, who can look whether the sink has it."""
    problem = "it may have been taken, and the sink no longer tells: look it up there, then retry or drop it"
    return Put(owed.call.id, problem, now, owed.unsure_since, now)


def after(delivery: Delivery, owed: Owed, now: int, taken_up_at: int, rng: Random) -> Put | None:
    """What follows from the sink's answer; None: it has the call, and nothing is owed."""
    if isinstance(delivery, Taken):
        return None
    problem = delivery.reason[:MAX_PROBLEM]
    if isinstance(delivery, Refused):
        return Put(owed.call.id, problem, now, None, now)
    # It was certainly not taken this time; an earlier time may still be in doubt.
    is_sure = not delivery.unsure and owed.unsure_since == taken_up_at
    pause_s = min(_FIRST_PAUSE_S * 2 ** min(owed.tries - 1, 10), _LONGEST_PAUSE_S) * rng.uniform(0.75, 1.25)
    due_at = now + int(max(pause_s, delivery.after_s or 0.0) * 1_000_000)
    return Put(owed.call.id, problem, due_at, None if is_sure else owed.unsure_since)
