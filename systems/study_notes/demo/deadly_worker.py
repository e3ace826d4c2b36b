"""A worker that kills its own process (SIGKILL, as `kill -9` does) when it is about to ask the model a second time.

`python -m systems.study_notes.demo.deadly_worker FOLDER`: on the demo's database below FOLDER.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from penstock import Penstock
from penstock.ai import CallInfo, Gate, GatedCall
from systems.common.database.connections import job_engine_url
from systems.study_notes.demo.settings import offline_settings
from systems.study_notes.wiring import build
from systems.study_notes.wiring.services import model_of

_PATIENCE_S = 120
_LOOK_EVERY_S = 0.05


class _Deadly:
    """A gate that nobody passes twice."""

    def __init__(self, engine: Penstock) -> None:
        self._engine = engine
        self._gate: Gate = engine.ledger
        self._passed = False

    @asynccontextmanager
    async def call(self, info: CallInfo) -> AsyncIterator[GatedCall]:
        """See `Gate.call`."""
        if self._passed and info.scope is not None:
            # Once the store knows that this run has begun its loss counts as an attempt.
            await self._is_known_to_run(info.scope.job_id)
            os.kill(os.getpid(), signal.SIGKILL)
        self._passed = True
        async with self._gate.call(info) as gated:
            yield gated

    async def _is_known_to_run(self, job_id: str) -> None:
        while True:
            if (await self._engine.get(job_id)).started_at is not None:
                return
            await asyncio.sleep(_LOOK_EVERY_S)


async def _work(work: Path) -> None:
    settings = offline_settings(work)
    async with Penstock(job_engine_url(settings.database_url)) as books:
        notes = build(settings, language_model=model_of(settings, _Deadly(books)))
        try:
            await notes.run_until_idle(_PATIENCE_S)
        finally:
            await notes.stop()


if __name__ == "__main__":
    asyncio.run(_work(Path(sys.argv[1])))
