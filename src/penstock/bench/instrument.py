"""Where the time of a drain goes."""

import asyncio
import time

from penstock.bench.machine import busy_s
from penstock.bench.place import Probe
from penstock.bench.report import Profile
from penstock.bench.workers import Spent


class Instrument:
    """Begun just before workers are let go, ended when the last job has completed, read when they have stopped."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def begin(self) -> None:
        """Note where everything stands."""
        self._commits = await self._probe.commits()
        self._log = await self._probe.log_bytes()
        self._server = await self._probe.server_cpu()
        self._busy, self._at = await asyncio.to_thread(busy_s), time.perf_counter()

    async def end(self) -> None:
        """Note it again."""
        busy, seconds = await asyncio.to_thread(busy_s), time.perf_counter() - self._at
        self._cores = None if self._busy is None or busy is None else (busy - self._busy) / seconds
        server, log = await self._probe.server_cpu(), await self._probe.log_bytes()
        self._server_s = None
        if self._server is not None and server is not None:
            self._server_s = sum(spent - self._server.get(pid, 0.0) for pid, spent in server.items())
        self._log_bytes = None if self._log is None or log is None else log - self._log

    async def profile(self, jobs: int, spent: Spent) -> Profile:
        """The answer, once the workers have left the database; `spent` is what they used."""
        commits = await self._probe.commits()
        written = spent.written or None
        log = written if self._log_bytes is None else self._log_bytes
        return Profile(
            own_cpu_us=spent.cpu_s / jobs * 1e6,
            server_cpu_us=None if self._server_s is None else self._server_s / jobs * 1e6,
            log_bytes=None if log is None else log / jobs,
            commits=None if self._commits is None or commits is None else (commits - self._commits) / jobs,
            cores=self._cores,
        )
