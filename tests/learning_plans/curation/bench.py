"""The whole system with a plan of hand, against local wires; only its curation is asked for."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from systems.common.database.connections import Database
from systems.learning_plans.handlers.plan_curation_job import PlanCurationJob
from systems.learning_plans.settings import Settings
from systems.learning_plans.wiring import LearningPlans, build
from tests.learning_plans.plans import PLAN, USER
from tests.learning_plans.wires.search_wires import YOUTUBE, YOUTUBE_KEY

WAIT_S = 100.0


@dataclass
class Ended:
    """A job that has ended; `result` is what it answered."""

    id: str
    status: str
    attempts: int
    result: Any


@dataclass
class CurationBench:
    """Everything in reach; `http` is the learner's client."""

    plans: LearningPlans
    http: httpx2.AsyncClient

    @property
    def database(self) -> Database:
        return self.plans.database

    async def ask(self, task_ids: list[str] | None = None) -> str:
        """Enqueue the job; answers its id."""
        job = PlanCurationJob(plan_id=PLAN, user_id=USER, task_ids=task_ids)
        return (await self.plans.engine.enqueue(job)).id

    async def ended(self, job_id: str) -> Ended:
        """The job once it is final."""
        await until(lambda: self._is_final(job_id))
        view = await self.plans.engine.get(job_id)
        _, result = await self.plans.engine.jobs.payload(job_id)
        return Ended(job_id, view.status.value, view.attempt, result)

    async def _is_final(self, job_id: str) -> bool:
        return (await self.plans.engine.get(job_id)).status in ("completed", "failed", "cancelled")


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Look until it is so."""
    end = time.monotonic() + WAIT_S
    while not await is_so():
        assert time.monotonic() < end, "it has not come true in time"
        await asyncio.sleep(0.02)


def environment(url: str, wires_url: str, **more: str) -> dict[str, str]:
    """The variables of a system that asks the local YouTube, one task at a time and without pauses."""
    local = {
        "DATABASE_URL": url,
        "YOUTUBE_API_KEY": YOUTUBE_KEY,
        "YOUTUBE_BASE_URL": wires_url + YOUTUBE,
        "GOOGLE_CALL_SPACING_MS": "0",
        "CURATION_CONCURRENCY": "1",
        "WORKER_POLL_INTERVAL_MS": "20",
    }
    return local | more


def settings_of(url: str, wires_url: str, **more: Any) -> Settings:
    """The same as settings."""
    local = {name.lower(): value for name, value in environment(url, wires_url).items()}
    return Settings(**(local | more))


@asynccontextmanager
async def curation_bench(settings: Settings, **ports: Any) -> AsyncIterator[CurationBench]:
    """Open until the end of the block; tables are made where they are missing."""
    plans = build(settings, **ports)
    await plans.open()
    transport = httpx2.ASGITransport(app=plans.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://plans", headers={"X-User-Id": USER}) as http:
        try:
            yield CurationBench(plans, http)
        finally:
            await plans.stop()
