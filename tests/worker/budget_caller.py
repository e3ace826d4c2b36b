"""A process that calls under budgets as fast as it may: `python -m tests.worker.budget_caller DATABASE_URL SEED`.

It says `calling` when it begins, and ends when its calls no longer fit.
"""

import asyncio
import random
import sys

from penstock import OutOfBudget, Penstock, codec
from penstock.ai import Budget
from penstock.domain.calls import CallScope

BUDGETS = [Budget("all", dollars=20), Budget("each", tokens=8_000, tenant="*"), Budget("day", dollars=15, per="day")]
MOST = 400
CALLERS = 6
MOST_REFUSED = 5


def cost(provider: str, model: str, sent: int | None, answered: int | None, cached: int | None = None) -> int | None:
    """A dollar for a thousand tokens."""
    return None if sent is None or answered is None else (sent + answered) * 1_000_000


async def call(engine: Penstock, rng: random.Random) -> bool:
    """One call, which uses no more than it was to; False when it did not fit."""
    whose = CallScope(codec.new_id(), 1, 1, "work", f"t{rng.randrange(3)}")
    most = rng.randrange(1, MOST)
    try:
        opened = await engine.ledger.open("acme-ai", "m", scope=whose, input_estimate=most, output_estimate=0)
    except OutOfBudget:
        return False
    await asyncio.sleep(rng.random() / 50)
    await engine.ledger.close(opened, "answered", input_tokens=rng.randrange(most + 1), output_tokens=0)
    return True


async def caller(engine: Penstock, rng: random.Random) -> None:
    refused = 0
    while refused < MOST_REFUSED:
        refused += not await call(engine, rng)


async def main(url: str, seed: str) -> None:
    rng = random.Random(seed)
    async with Penstock(url, budgets=BUDGETS, cost=cost) as engine:
        sys.stdout.write("calling\n")
        sys.stdout.flush()
        await asyncio.gather(*(caller(engine, random.Random(rng.random())) for _ in range(CALLERS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
