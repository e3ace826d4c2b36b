"""Meters: whoever bills is told of generated plans."""

import logging

from penstock.ledger import Later, Refused, StripeWire
from penstock.ledger import MeterEvent as StripeEvent
from systems.learning_plans.application.ports import MeterRefused, MeterUnavailable
from systems.learning_plans.application.repositories import MeterEvent

logger = logging.getLogger(__name__)

TIMEOUT_S = 10.0


class RecordingUsageMeter:
    """The default: keeps what it is told, and logs it. Telling it twice counts once."""

    def __init__(self) -> None:
        self.events: dict[str, MeterEvent] = {}

    async def push(self, event: MeterEvent) -> None:
        """See the port."""
        self.events.setdefault(event.idempotency_key, event)
        logger.info("usage recorded", extra={"event": event.event, "user_id": event.user_id})

    async def close(self) -> None:
        """There is nothing to close."""


class StripeUsageMeter:
    """Billing meter events: `POST {base_url}/v1/billing/meter_events`; the learner's id is the customer's."""

    def __init__(self, api_key: str, base_url: str) -> None:
        self._wire = StripeWire(api_key, base_url, TIMEOUT_S)

    async def push(self, event: MeterEvent) -> None:
        """See the port."""
        at = int(event.created_at.timestamp())
        sent = StripeEvent(event.idempotency_key, event.event, event.user_id, event.quantity, at)
        answer = await self._wire.post(sent)
        if isinstance(answer, Later):
            raise MeterUnavailable(answer.reason, answer.after_s)
        if isinstance(answer, Refused):
            raise MeterRefused(answer.reason)

    async def close(self) -> None:
        """Close its connections."""
        await self._wire.close()
