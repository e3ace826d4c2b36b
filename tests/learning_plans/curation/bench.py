"""The job plan_curation with its real services and clients, an engine and a database, against local wires."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from penstock import Penstock, Queue, Worker
from penstock.ai import LanguageModel, ModelChain, OfflineModel
from systems.common.database.connections import Database, job_engine_url
from systems.common.system_clock import SystemClock
from systems.learning_plans.application.curation_ports import Clock, FindStore
from systems.learning_plans.application.explanations import TASK
from systems.learning_plans.application.services.curation_service import CurationService
from systems.learning_plans.handlers.plan_curation_handler import PlanCurationHandler
from systems.learning_plans.handlers.plan_curation_job import QUEUE, PlanCurationJob
from systems.learning_plans.infrastructure.curation_work import SqlCurationWork
from systems.learning_plans.infrastructure.database import migrate, open_database
from systems.learning_plans.infrastructure.finds import SqlFinds
from systems.learning_plans.infrastructure.offline_explanation import micro_explanation
from systems.learning_plans.infrastructure.searches import searches_of
from systems.learning_plans.settings import Settings
from tests.learning_plans.plans import PLAN, USER
from tests.learning_plans.wires.search_wires import YOUTUBE, YOUTUBE_KEY

WAIT_S = 50.0


@dataclass
class Ended:
    """A job that has ended; `result` is what it answered."""

    id: str
    status: str
    attempts: int
    result: Any


@dataclass
class CurationBench:
    """Everything in reach."""

    engine: Penstock
    database: Database
    handler: PlanCurationHandler

    async def ask(self, task_ids: list[str] | None = None) -> str:
        """Enqueue the job; answers its id."""
        job = PlanCurationJob(plan_id=PLAN, user_id=USER, task_ids=task_ids)
        return (await self.engine.enqueue(job)).id

    def worker(self, handler: Any = None, *, grace_s: float = 10) -> Worker:
        queues = {QUEUE: Queue(concurrency=1)}
        return Worker(self.engine, [handler or self.handler], queues=queues, grace_s=grace_s)

    async def ended(self, job_id: str) -> Ended:
        """The job once it is final."""
        await until(lambda: self._is_final(job_id))
        view = await self.engine.get(job_id)
        done = view.status == "completed"
        result = await self.engine.handle(job_id).result(timeout=WAIT_S) if done else None
        return Ended(job_id, view.status.value, view.attempt, result)

    async def _is_final(self, job_id: str) -> bool:
        return (await self.engine.get(job_id)).status in ("completed", "failed", "cancelled")


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Look until it is so."""
    end = time.monotonic() + WAIT_S
    while not await is_so():
        assert time.monotonic() < end, "it has not come true in time"
        await asyncio.sleep(0.02)


def settings_of(url: str, wires_url: str, **more: Any) -> Settings:
    """YouTube by the local wires, without pauses."""
    local = {
        "database_url": url,
        "youtube_api_key": YOUTUBE_KEY,
        "youtube_base_url": wires_url + YOUTUBE,
        "google_call_spacing_ms": 0,
        "curation_concurrency": 1,
    }
    return Settings(**{**local, **more})


@asynccontextmanager
async def opened_engine(url: str) -> AsyncIterator[Penstock]:
    engine = Penstock(job_engine_url(url))
    await engine.store.migrate()
    async with engine:
        yield engine


@asynccontextmanager
async def curation_bench(
    settings: Settings,
    *,
    clock: Clock | None = None,
    model: LanguageModel | None = None,
    store: Callable[[FindStore], FindStore] | None = None,
) -> AsyncIterator[CurationBench]:
    """Open until the end of the block; tables are made where they are missing. `store` wraps the store of finds."""
    clock = clock or SystemClock()
    database = open_database(settings.database_url)
    await migrate(database)
    async with (
        httpx2.AsyncClient(trust_env=False) as web,
        opened_engine(settings.database_url) as engine,
    ):
        finds: FindStore = SqlFinds(database.sessions, clock)
        searches = searches_of(settings, web, database.sessions, clock)
        service = CurationService(
            searches.videos,
            searches.docs,
            model or ModelChain([OfflineModel({TASK: micro_explanation})], gate=engine.ledger),
            store(finds) if store is not None else finds,
            clock,
            settings.curation_rules,
        )
        yield CurationBench(engine, database, PlanCurationHandler(service, SqlCurationWork(database.reads), clock))
    await database.close()
