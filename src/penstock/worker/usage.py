"""Tells usage sinks what model calls used, as long as the worker runs. Any number of workers may do so at once."""

import asyncio

from penstock.errors import StoreUnavailable
from penstock.ledger import Ledger, UsageSink
from penstock.ledger.sinks import send_owed
from penstock.store.base import Store
from penstock.worker.pacing import jittered
from penstock.worker.service import OnFailure, Service

LOOK_S = 5.0


class UsageSender(Service):
    """One task a sink, so that one that is down does not hold up another."""

    def __init__(self, store: Store, ledger: Ledger, on_failure: OnFailure) -> None:
        super().__init__("usage", on_failure)
        self._store = store
        self._ledger = ledger

    async def start(self) -> None:
        """Begin to send. Raises StoreUnavailable."""
        await self._ledger.declare()
        for sink in self._ledger.sinks:
            self.hold(self._serve(sink))

    async def _serve(self, sink: UsageSink) -> None:
        while True:
            try:
                while await send_owed(self._store, sink):
                    pass
            except StoreUnavailable:
                # The fetcher and the heartbeat log outages; what was sent and not marked is sent again under its id.
                pass
            await asyncio.sleep(jittered(LOOK_S))
