"""Usage sinks: who besides the ledger is told what model calls used."""

from penstock.domain.metering import Delivery, Later, MeteredCall, Refused, Taken
from penstock.ledger.sinks.port import UsageSink
from penstock.ledger.sinks.sender import send_owed
from penstock.ledger.sinks.stripe import StripeMeter
from penstock.ledger.sinks.stripe_wire import MeterEvent, StripeWire

__all__ = [
    "Delivery",
    "Later",
    "MeterEvent",
    "MeteredCall",
    "Refused",
    "StripeMeter",
    "StripeWire",
    "Taken",
    "UsageSink",
    "send_owed",
]
