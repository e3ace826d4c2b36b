"""The port of usage sinks: what besides the ledger is told of each model call, for billing above all."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from penstock.domain.metering import Delivery, MeteredCall


class UsageSink(Protocol):
    """Takes what calls used. Told at least once of each; it must know a call again by its id."""

    @property
    def name(self) -> str:
        """Names it in the database: what it is owed is kept under it, also while no process runs."""
        ...

    @property
    def remembers(self) -> timedelta:
        """How long it surely knows a call again. What may have been taken longer ago is not sent again unasked."""
        ...

    async def send(self, calls: Sequence[MeteredCall]) -> Sequence[Delivery]:
        """Send them; what became of each, in order. What it raises counts as `Later`, unsure, for all."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...
