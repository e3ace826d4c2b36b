"""What a learner may use: the tiers and their limits, and the units of monthly quota."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Tier(StrEnum):
    """What a learner pays for."""

    FREE = "free"
    STARTER = "starter"
    PRO = "pro"


class QuotaKind(StrEnum):
    """What is counted by the month."""

    PLAN = "plan"
    REGENERATION = "regeneration"
    EXPORT = "export"


class ReservationState(StrEnum):
    """`reserved` while its job is open, then `committed` or `refunded`."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class Limits:
    """Plans at a time, regenerations and exports a month, weeks a plan may last; None is without limit."""

    active_plans: int | None
    regenerations: int | None
    exports: int | None
    plan_weeks: int | None


LIMITS: Mapping[Tier, Limits] = {
    Tier.FREE: Limits(active_plans=3, regenerations=5, exports=10, plan_weeks=2),
    Tier.STARTER: Limits(active_plans=10, regenerations=10, exports=50, plan_weeks=8),
    Tier.PRO: Limits(active_plans=None, regenerations=50, exports=None, plan_weeks=None),
}


def month_of(moment: datetime) -> str:
    """The month (UTC) a unit is counted in, `YYYY-MM`."""
    return f"{moment:%Y-%m}"
