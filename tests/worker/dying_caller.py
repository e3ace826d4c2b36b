"""A process that opens a call under a budget and kills itself: `python -m tests.worker.dying_caller DATABASE_URL`."""

import asyncio
import os
import signal
import sys

from penstock import Penstock, codec
from penstock.ai import Budget
from penstock.domain.calls import CallScope, calling


async def main(url: str) -> None:
    async with Penstock(url, budgets=[Budget("b", tokens=1_000)]) as engine:
        with calling(CallScope(codec.new_id(), 1, 1, "work", "acme")):
            await engine.ledger.open("acme-ai", "m", input_estimate=200, output_estimate=500)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
