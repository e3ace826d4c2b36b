"""A process that makes calls and sends them to a stub of Stripe, and kills itself at a place that its caller names.

`python -m tests.ledger.dying_sender DATABASE_URL STRIPE_URL PLACE`; places: closed (calls are closed, nothing is taken
up), taken (taken up, nothing sent), sent (Stripe has answered, nothing is marked), - (it finishes).
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from penstock import Penstock
from penstock.domain.calls import CallScope, calling
from penstock.ledger import Delivery, MeteredCall, StripeMeter
from penstock.ledger.sinks import send_owed
from tests.support.stripe_stub import KEY

CALLS = 5
TOKENS = 10


class DyingMeter(StripeMeter):
    """Dies before or after it has sent a batch."""

    def __init__(self, place: str, base_url: str) -> None:
        super().__init__(KEY, event_name="model_tokens", customer={"acme": "cus_acme"}, base_url=base_url)
        self._place = place

    async def send(self, calls: Sequence[MeteredCall]) -> Sequence[Delivery]:
        if self._place == "taken":
            die()
        answers = await super().send(calls)
        if self._place == "sent":
            die()
        return answers


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(database: str, stripe: str, place: str) -> None:
    meter = DyingMeter(place, stripe)
    options: dict[str, Any] = {"usage_sinks": [meter]}
    async with Penstock(database, **options) as engine:
        scope = CallScope("018f0000-0000-7000-8000-000000000001", 1, 1, "work", "acme", None, "outline")
        with calling(scope):
            opened = [await engine.ledger.open("acme-ai", "m") for _ in range(CALLS)]
        for one in opened:
            await engine.ledger.close(one, "answered", input_tokens=TOKENS - 1, output_tokens=1)
        if place == "closed":
            die()
        while await send_owed(engine.store, meter):
            pass


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
