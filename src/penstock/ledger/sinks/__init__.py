"""Usage sinks: who besides the ledger is told what model calls used."""

from penstock.domain.metering import Delivery, Later, MeteredCall, Refused, Taken
from penstock.ledger.sinks.port import UsageSink
from penstock.ledger.sinks.sender import send_owed
from penstock.ledger.sinks.stripe import StripeMeter

__all__ = ["Delivery", "Later", "MeteredCall", "Refused", "StripeMeter", "Taken", "UsageSink", "send_owed"]
