"""The ledger of model calls, what they cost, and who else is told."""

from penstock.domain.spending import BudgetNearlySpent, BudgetSpent
from penstock.ledger.book import Ledger
from penstock.ledger.prices import Cost, cost_of
from penstock.ledger.sinks import (
    Delivery,
    Later,
    MeteredCall,
    MeterEvent,
    Refused,
    StripeMeter,
    StripeWire,
    Taken,
    UsageSink,
)

__all__ = [
    "BudgetNearlySpent",
    "BudgetSpent",
    "Cost",
    "Delivery",
    "Later",
    "Ledger",
    "MeterEvent",
    "MeteredCall",
    "Refused",
    "StripeMeter",
    "StripeWire",
    "Taken",
    "UsageSink",
    "cost_of",
]
