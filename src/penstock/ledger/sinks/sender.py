"""From the ledger to a sink: take up what it is owed, send it, write what became of it."""

import asyncio
import logging
import random
from collections.abc import Sequence

from penstock.domain.metering import Delivery, Later, Owed, Put, after, forgotten, is_forgotten
from penstock.ledger.sinks.port import UsageSink
from penstock.store.base import Store
from penstock.store.programs.sinks import settle_owed, take_owed

logger = logging.getLogger(__name__)

BATCH = 100
LEASE_US = 120_000_000
"""After that long others take what a sender has taken up: it must be gone."""
_SEND_S = 90.0
_RNG = random.Random()  # noqa: S311 - jitter of retries, no secret


async def send_owed(store: Store, sink: UsageSink) -> bool:
    """Send one batch. Answers whether there is more to send at once. Raises StoreUnavailable.

    Two senders never hold the same call; one that dies leaves what it held to the next, who sends it under the same id.
    """
    now = store.clock.now()
    until = now + LEASE_US
    taken = await store.run(take_owed(sink.name, now, until, BATCH))
    if not taken:
        return False
    memory_us = int(sink.remembers.total_seconds() * 1_000_000)
    put = [forgotten(owed, now) for owed in taken if is_forgotten(owed, now, memory_us)]
    sendable = [owed for owed in taken if not is_forgotten(owed, now, memory_us)]
    answers = await _sent(sink, sendable) if sendable else []
    ended = store.clock.now()
    paid: list[str] = []
    for owed, answer in zip(sendable, answers, strict=True):
        follows = after(answer, owed, ended, now, _RNG)
        if follows is None:
            paid.append(owed.call.id)
        else:
            put.append(follows)
    await store.run(settle_owed(sink.name, until, paid, put))
    _tell(sink.name, put)
    return len(taken) == BATCH and not any(one.refused_at is None for one in put)


async def _sent(sink: UsageSink, owed: Sequence[Owed]) -> Sequence[Delivery]:
    try:
        async with asyncio.timeout(_SEND_S):
            return await sink.send([one.call for one in owed])
    except TimeoutError:
        return [Later(f"it did not answer within {_SEND_S:g} s", unsure=True)] * len(owed)
    except Exception as error:
        logger.exception("usage sink %s raised; what it is owed is sent again", sink.name)
        return [Later(f"{type(error).__name__}: {error}", unsure=True)] * len(owed)


def _tell(name: str, put: Sequence[Put]) -> None:
    refused = [one for one in put if one.refused_at is not None]
    if refused:
        logger.error(
            "usage sink %s refuses %d calls, the first %s: %s (see `penstock sinks refused %s`)",
            name, len(refused), refused[0].call_id, refused[0].problem, name,
        )  # fmt: skip
    if len(refused) < len(put):
        later = next(one for one in put if one.refused_at is None)
        logger.warning(
            "usage sink %s takes nothing for now, %d calls wait: %s", name, len(put) - len(refused), later.problem
        )
