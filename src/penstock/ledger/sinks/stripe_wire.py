"""Stripe's wire for meter events: one POST an event, and what its answers mean.

The v1 endpoint, not the v2 stream: it says of each event whether it was taken, where the stream takes a hundred at once
and tells later, elsewhere, which were wrong. It allows 1,000 requests a second, and one at a time for each customer and
meter. Source: https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from penstock.domain.metering import Delivery, Later, Refused, Taken
from penstock.errors import ConfigurationError

_PATH = "/v1/billing/meter_events"
_LONGEST_PAUSE_S = 3_600.0


class MeterEvent(NamedTuple):
    """`identifier` is what Stripe knows it again by; `at` in seconds since 1970."""

    identifier: str
    event_name: str
    customer: str
    value: int
    at: int

    @property
    def fields(self) -> dict[str, str]:
        """As the form's fields."""
        return {
            "event_name": self.event_name,
            "payload[stripe_customer_id]": self.customer,
            "payload[value]": str(self.value),
            "identifier": self.identifier,
            "timestamp": str(self.at),
        }


class StripeWire:
    """Posts events. Raises ConfigurationError when its library is not installed."""

    def __init__(self, api_key: str, base_url: str, timeout_s: float) -> None:
        try:
            # An extra, and slow to load: only who bills through it pays for it.
            import httpx2  # noqa: PLC0415
        except ImportError as error:
            raise ConfigurationError(
                f"StripeMeter needs its extra ({error.name}): pip install 'penstock[stripe]'"
            ) from None
        self._error = httpx2.HTTPError
        self._http = httpx2.AsyncClient(
            base_url=base_url, headers={"Authorization": f"Bearer {api_key}"}, timeout=timeout_s, follow_redirects=False
        )

    async def post(self, event: MeterEvent) -> Delivery:
        """Send one; never raises."""
        try:
            answer = await self._http.post(_PATH, data=event.fields)
        except self._error as error:  # no connection, a broken one, or no answer in time
            return Later(f"Stripe: {type(error).__name__}: {error}", unsure=True)
        return meaning(answer.status_code, answer.headers, answer.content, event.identifier)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()


class Sending:
    """One batch on its way: customers beside each other, the events of one customer in turn.

    What concerns all (a limit, a wrong key, a line that is down) ends the batch: what was not sent yet is due later.
    """

    def __init__(self, wire: StripeWire, concurrency: int) -> None:
        self._wire = wire
        self._slots = asyncio.Semaphore(concurrency)
        self._stopped: Later | None = None

    async def all(self, customers: Sequence[Sequence[MeterEvent]]) -> dict[str, Delivery]:
        """Identifier -> what became of it."""
        found: dict[str, Delivery] = {}
        async with asyncio.TaskGroup() as group:
            for events in customers:
                group.create_task(self._one_customer(events, found))
        return found

    async def _one_customer(self, events: Sequence[MeterEvent], found: dict[str, Delivery]) -> None:
        async with self._slots:
            for event in events:
                if self._stopped is not None:
                    found[event.identifier] = Later(self._stopped.reason, self._stopped.after_s)
                    continue
                answer = found[event.identifier] = await self._wire.post(event)
                if isinstance(answer, Later):
                    self._stopped = answer


def meaning(status: int, headers: Mapping[str, str], body: bytes, identifier: str) -> Delivery:
    """What an answer says of the event. Source: https://docs.stripe.com/error-low-level"""
    if 200 <= status < 300:
        return Taken()
    said = _error(body)
    reason = f"Stripe ({status}): {said.get('message') or 'no reason given'}"
    if said.get("code") == "duplicate_meter_event" or (status == 400 and _is_known(said, identifier)):
        return Taken()
    if status in (401, 403, 409, 429):
        return Later(reason, _retry_after_s(headers))
    if status >= 500:
        return Later(reason, _retry_after_s(headers), unsure=True)
    return Refused(reason)


def _is_known(said: Mapping[str, Any], identifier: str) -> bool:
    """Whether it refuses an event because it has it. Stripe gives this error a message and no code."""
    return f"already exists with identifier {identifier}" in str(said.get("message"))


def _error(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)["error"]
    except (ValueError, LookupError, TypeError):
        return {}
    return said if isinstance(said, dict) else {}


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("retry-after", "")
    return min(float(value), _LONGEST_PAUSE_S) if value.isdigit() else None
