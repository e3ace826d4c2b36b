"""The whole system on a database of its own, with a scripted model."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import uvicorn
from sqlalchemy import func, select

from penstock import Conflict, JobState, JobStatus
from penstock.ai import ModelAnswer, ModelFailure, ModelRequest, Usage
from systems.learning_plans import LearningPlans, build
from systems.learning_plans.infrastructure import tables
from systems.learning_plans.settings import Settings

USER = "ada"
WISHES: Mapping[str, Any] = {
    "topic": "SQL joins",
    "skill_level": "beginner",
    "weekly_hours": 5,
    "learning_style": "mixed",
}
WAIT_S = 40.0


def answer(*modules: tuple[str, ...], minutes: float = 60, task_minutes: float = 30) -> str:
    """A model's plan: each module is its title and those of its tasks."""
    return json.dumps(
        {
            "modules": [
                {
                    "title": title,
                    "description": f"About {title}.",
                    "estimated_minutes": minutes,
                    "tasks": [
                        {"title": task, "description": f"Do {task}.", "estimated_minutes": task_minutes}
                        for task in tasks
                    ],
                }
                for title, *tasks in modules
            ]
        }
    )


PLAN = answer(("Basics", "Tables", "Rows"), ("Joins", "Inner joins", "Outer joins", "Self joins"))
BUSY = ModelFailure("provider_error", "overloaded", retryable=True)
REFUSED = ModelFailure("auth", "the key is wrong", retryable=False)

Script = str | ModelFailure | Exception | Callable[[ModelRequest[Any]], Awaitable[str]]


@dataclass
class FakeModel:
    """A provider that makes plans by a list of scripts, used up one by one, whose last stays. Keeps its requests."""

    scripts: list[Script] = field(default_factory=lambda: [PLAN])
    name: str = "fake"
    model: str = "fake-1"
    account: str = ""
    offline: bool = False
    requests: list[ModelRequest[Any]] = field(default_factory=list)
    explanation: str = "It matters because of this. Exercise: do it."

    async def call(self, request: ModelRequest[Any], *, on_text: Any = None, on_usage: Any = None) -> Any:
        if not request.instructions.startswith("Task: plan_generation\n"):
            return self._answered(self.explanation, on_text)
        self.requests.append(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if isinstance(script, ModelFailure):
            return script
        if isinstance(script, Exception):
            raise script
        return self._answered(script if isinstance(script, str) else await script(request), on_text)

    def _answered(self, text: str, on_text: Any) -> ModelAnswer[str]:
        if on_text is not None:
            on_text(text)
        return ModelAnswer(text, text, self.name, self.model, usage=Usage(100, 50, 0), finish_reason="stop")

    async def close(self) -> None:
        pass


@dataclass
class Gate:
    """A script that waits until it is opened, and says when it was reached."""

    text: str = PLAN
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: ModelRequest[Any]) -> str:
        self.reached.set()
        await self.opened.wait()
        return self.text


class FixedClock:
    """A clock that tests move."""

    def __init__(self, moment: datetime | None = None) -> None:
        self.moment = moment or datetime(2026, 3, 2, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


def settings_of(url: str, **settings: Any) -> Settings:
    """Without curation, unless a test asks for it."""
    usual: dict[str, Any] = {"database_url": url, "worker_poll_interval_ms": 200, "worker_shutdown_timeout_ms": 1_000}
    return Settings(**{**usual, "enable_curation": False, **settings})


@asynccontextmanager
async def system(
    url: str, model: Any = None, *, clock: Any = None, meter: Any = None, **settings: Any
) -> AsyncIterator[LearningPlans]:
    """The open system."""
    plans = build(settings_of(url, **settings), provider=model or FakeModel(), clock=clock, usage_meter=meter)
    await plans.open()
    try:
        yield plans
    finally:
        await plans.stop()


@asynccontextmanager
async def client_of(plans: LearningPlans, user: str | None = USER) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that calls the application directly."""
    transport = httpx2.ASGITransport(plans.app, raise_app_exceptions=False)
    headers = {} if user is None else {"X-User-Id": user}
    async with httpx2.AsyncClient(transport=transport, base_url="http://plans.test", headers=headers) as client:
        yield client


@asynccontextmanager
async def served(plans: LearningPlans) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the application on a free loopback port: streams need a real socket."""
    server = uvicorn.Server(uvicorn.Config(plans.app, port=0, log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        address, headers = f"http://127.0.0.1:{port}", {"X-User-Id": USER}
        async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=WAIT_S, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        await serving


async def create(plans: LearningPlans, user: str = USER, **wishes: Any) -> tuple[str, str]:
    """(plan id, job id) of a plan that was asked for."""
    started = await plans.intake.create(user, {**WISHES, **wishes})
    return started.plan.id, started.job_id


async def made(plans: LearningPlans, user: str = USER, **wishes: Any) -> str:
    """The id of a plan that was asked for and made, or has failed."""
    plan_id, _ = await create(plans, user, **wishes)
    await finish(plans)
    return plan_id


async def finish(plans: LearningPlans) -> None:
    """Run jobs until none is left; retries are not waited for."""
    running = asyncio.create_task(plans.run_until_idle(WAIT_S))
    while not running.done():
        for job in await plans.engine.jobs.find(statuses=[JobStatus.PENDING], queue="plans"):
            if job.state is JobState.SCHEDULED:
                await hasten(plans, job.id)
        await asyncio.wait([running], timeout=0.05)
    await running


async def hasten(plans: LearningPlans, job_id: str) -> None:
    """Let a job that waits for its time run now."""
    with suppress(Conflict):  # it has begun meanwhile
        await plans.engine.jobs.move(job_id, run_at=datetime.now(UTC))


async def job(plans: LearningPlans, job_id: str, user: str = USER) -> dict[str, Any]:
    """A job as its learner sees it."""
    async with client_of(plans, user) as client:
        return dict((await client.get(f"/api/jobs/{job_id}")).json())


async def status(plans: LearningPlans, plan_id: str, user: str = USER) -> dict[str, Any]:
    """How a plan stands."""
    async with client_of(plans, user) as client:
        return dict((await client.get(f"/api/plans/{plan_id}/status")).json())


async def plan(plans: LearningPlans, plan_id: str, user: str = USER) -> dict[str, Any]:
    """A plan with its content."""
    async with client_of(plans, user) as client:
        return dict((await client.get(f"/api/plans/{plan_id}")).json())


async def usage(plans: LearningPlans, user: str = USER) -> dict[str, Any]:
    """What a learner has used."""
    async with client_of(plans, user) as client:
        return dict((await client.get("/api/usage")).json())


async def attempts(plans: LearningPlans, plan_id: str, user: str = USER) -> list[dict[str, Any]]:
    """The AI runs of a plan."""
    async with client_of(plans, user) as client:
        return list((await client.get(f"/api/plans/{plan_id}/attempts")).json())


async def told(plans: LearningPlans, plan_id: str) -> list[str]:
    """The types of all events of a plan in order."""
    return [event.type for event in await plans.engine.events.read(stream="plans", subject=plan_id)]


def titles(shown: Mapping[str, Any]) -> dict[str, list[str]]:
    """Module title → titles of its tasks."""
    return {module["title"]: [task["title"] for task in module["tasks"]] for module in shown["modules"]}


async def rows(plans: LearningPlans) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables: two of these are equal when nothing was written between."""
    found = {}
    async with plans.database.reads() as session:
        for table in tables.Base.metadata.sorted_tables:
            if table.name != "google_calls":
                found[table.name] = sorted(map(tuple, (await session.execute(select(table))).all()), key=str)
    return found


async def count(plans: LearningPlans, table: Any, *where: Any) -> int:
    """How many rows of a table there are."""
    async with plans.database.reads() as session:
        return int(await session.scalar(select(func.count()).select_from(table).where(*where)) or 0)


async def reservations(plans: LearningPlans) -> list[tuple[str, str]]:
    """(kind, state) of all units of quota, oldest first."""
    row = tables.UsageReservationRow
    async with plans.database.reads() as session:
        found = await session.execute(select(row.kind, row.state).order_by(row.created_at, row.id))
        return [(kind, state) for kind, state in found]


async def until(fact: Callable[[], Any], timeout_s: float = WAIT_S) -> None:
    """Wait until `fact` (plain or async) is true."""
    end = time.monotonic() + timeout_s
    while True:
        found = fact()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < end, "it has not come true in time"
        await asyncio.sleep(0.02)


async def has_status(plans: LearningPlans, job_id: str, *wanted: str) -> bool:
    """Whether a job stands so."""
    return (await plans.engine.get(job_id)).status.value in wanted
