"""The event log: publish in the transaction, read in one order without gaps, follow."""

from penstock.events.log import EventLog, LoggedEvent

__all__ = ["EventLog", "LoggedEvent"]
