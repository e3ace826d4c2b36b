"""A worker for plan_curation as a process of its own. Arguments: database URL, URL of the wires, place.

Place `keeping`: it kills itself when the second task's finds are about to be stored; `nowhere`: it works until it is
stopped by SIGTERM, without any grace, or killed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from systems.learning_plans.application.curation_ports import FindStore, TaskOutcome
from tests.learning_plans.curation.bench import curation_bench, settings_of


class DyingFinds:
    """Kills its process at the second outcome it is to keep."""

    def __init__(self, inner: FindStore) -> None:
        self._inner = inner
        self._asked = 0

    async def keep(self, outcomes: Sequence[TaskOutcome]) -> None:
        self._asked += len(outcomes)
        if self._asked == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        await self._inner.keep(outcomes)


async def work(url: str, wires_url: str, place: str) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with curation_bench(settings_of(url, wires_url), store=DyingFinds if place == "keeping" else None) as bench:
        worker = bench.worker(grace_s=0)
        await worker.start()
        await stop.wait()
        return await worker.stop()


if __name__ == "__main__":
    sys.exit(asyncio.run(work(*sys.argv[1:4])))
