"""The system's worker as a process of its own, which kills itself when the second task's finds are about to be stored.

Settings are taken from the environment.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence

from systems.learning_plans.application.curation_ports import FindStore, TaskOutcome
from systems.learning_plans.handlers.jobs import JobType
from systems.learning_plans.handlers.plan_curation_handler import PlanCurationHandler
from systems.learning_plans.wiring import build


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


async def work() -> int:
    plans = build()
    await plans.open()
    handler = plans.handlers[JobType.PLAN_CURATION]
    assert isinstance(handler, PlanCurationHandler)
    handler._curation._store = DyingFinds(handler._curation._store)
    code = await plans.worker().run()
    await plans.close()
    return code


if __name__ == "__main__":
    sys.exit(asyncio.run(work()))
