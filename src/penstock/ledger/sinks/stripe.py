"""`StripeMeter`: usage as Stripe billing meter events (https://docs.stripe.com/api/billing/meter-event)."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Literal

from penstock.domain.job import checked_name
from penstock.domain.metering import Delivery, MeteredCall, Refused, Taken
from penstock.errors import ConfigurationError
from penstock.ledger.sinks.stripe_wire import MeterEvent, Sending, StripeWire

Customer = Mapping[str, str] | Callable[[MeteredCall], str | None]
Quantity = Literal["tokens", "input_tokens", "output_tokens", "microdollars"] | Callable[[MeteredCall], int | None]

_REMEMBERS = timedelta(hours=23)
"""Stripe refuses an identifier it has had within "at least 24 hours"; an hour is left for sending."""
_QUANTITIES = ("tokens", "input_tokens", "output_tokens", "microdollars")
_MOST_CONCURRENT = 100


class StripeMeter:
    """Sends each call as one meter event whose `identifier` is the call's id.

    api_key: a secret or restricted key that may write meter events. event_name: the meter's. customer: tenant ->
    customer id, or a function of the call (None: nobody is billed for it). quantity: what the event's `value` is, a
    whole number: tokens, one sort of them, millionths of a dollar of cost, or a function of the call (None or 0: there
    is nothing to bill). name: what the database knows it by; a second meter needs another. concurrency: requests under
    way at once, one a customer. timeout_s: for each request. Raises ConfigurationError.
    """

    def __init__(
        self,
        api_key: str,
        *,
        event_name: str,
        customer: Customer,
        quantity: Quantity = "tokens",
        name: str = "stripe",
        base_url: str = "https://api.stripe.com",
        concurrency: int = 8,
        timeout_s: float = 30.0,
    ) -> None:
        if not api_key:
            raise ConfigurationError("StripeMeter: api_key is empty; give a secret or restricted key of your account")
        if not 0 < len(event_name) <= 100:
            raise ConfigurationError("StripeMeter: event_name must be that of a meter, 1 to 100 characters")
        if not callable(quantity) and quantity not in _QUANTITIES:
            raise ConfigurationError(
                f"StripeMeter: quantity must be one of {', '.join(_QUANTITIES)} or a function, not {quantity!r}"
            )
        if not base_url.startswith(("https://", "http://")):
            raise ConfigurationError(f"StripeMeter: base_url must begin with https://, not {base_url!r}")
        if not 1 <= concurrency <= _MOST_CONCURRENT:
            raise ConfigurationError(f"StripeMeter: concurrency must be 1 to {_MOST_CONCURRENT}, not {concurrency}")
        self.name = checked_name("usage sink", name)
        self.remembers = _REMEMBERS
        self._event_name = event_name
        self._customer = customer
        self._quantity = quantity
        self._concurrency = concurrency
        self._wire = StripeWire(api_key, base_url, timeout_s)

    async def send(self, calls: Sequence[MeteredCall]) -> Sequence[Delivery]:
        """See `UsageSink`."""
        answers: dict[str, Delivery] = {}
        by_customer: dict[str, list[MeterEvent]] = defaultdict(list)
        for call in calls:
            event = self._event(call)
            if isinstance(event, MeterEvent):
                by_customer[event.customer].append(event)
            else:
                answers[call.id] = event
        answers |= await Sending(self._wire, self._concurrency).all(list(by_customer.values()))
        return [answers[call.id] for call in calls]

    async def close(self) -> None:
        """See `UsageSink`."""
        await self._wire.close()

    def _event(self, call: MeteredCall) -> MeterEvent | Delivery:
        """What is sent for a call, or what becomes of it without."""
        try:
            customer = self._customer_of(call)
            value = self._value_of(call)
        except Exception as error:  # noqa: BLE001 - a function of the user's; its fault must not hold up other calls
            return Refused(f"{type(error).__name__}: {error}")
        if not customer or not value:
            return Taken()
        return MeterEvent(call.id, self._event_name, customer, value, int(call.closed_at.timestamp()))

    def _customer_of(self, call: MeteredCall) -> str | None:
        if callable(self._customer):
            return self._customer(call)
        if call.tenant is None:
            return None
        if call.tenant not in self._customer:
            raise ValueError(f"no customer is given for tenant {call.tenant!r}")
        return self._customer[call.tenant]

    def _value_of(self, call: MeteredCall) -> int | None:
        if callable(self._quantity):
            value: object = self._quantity(call)
            if value is None or (isinstance(value, int) and value >= 0):
                return value
            raise ValueError(f"quantity must be a whole number, 0 or more, not {value!r}")
        if self._quantity == "microdollars":
            if call.cost is None:
                raise ValueError(f"no price is known for model {call.model!r} of {call.provider!r}")
            return round(call.cost * 1_000_000)
        if self._quantity == "tokens":
            return (call.input_tokens or 0) + call.output_tokens
        return call.output_tokens if self._quantity == "output_tokens" else call.input_tokens
