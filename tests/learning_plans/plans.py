"""Plans put into a database by hand."""

from typing import Any

from sqlalchemy import insert, select

from systems.common.database.connections import Database
from systems.learning_plans.infrastructure import tables
from tests.learning_plans.application.curation_fakes import NOW

USER, PLAN, TOPIC = "u", "p", "SQL"


async def add_plan(database: Database, *modules: tuple[str, ...]) -> str:
    """A plan on SQL of these modules, each of tasks whose ids and titles these are."""
    told = {"description": "About it.", "estimated_minutes": 30}
    plan: dict[str, Any] = {
        "id": PLAN, "user_id": USER, "topic": TOPIC, "skill_level": "beginner", "weekly_hours": 5, "status": "ready",
        "learning_style": "mixed", "is_quota_eligible": True, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    module_rows = [
        {"id": f"m{n}", "plan_id": PLAN, "order": n, "title": f"Module {n}", **told} for n in range(1, len(modules) + 1)
    ]
    task_rows = [
        {"id": task, "module_id": f"m{n}", "order": order, "title": task, "has_micro_explanation": False, **told}
        for n, tasks in enumerate(modules, start=1)
        for order, task in enumerate(tasks, start=1)
    ]
    async with database.sessions.begin() as session:
        await session.execute(insert(tables.UserRow), [{"id": USER, "tier": "free", "created_at": NOW}])
        await session.execute(insert(tables.PlanRow), [plan])
        await session.execute(insert(tables.ModuleRow), module_rows)
        await session.execute(insert(tables.TaskRow), task_rows)
    return PLAN


async def standing(database: Database) -> dict[str, tuple[str, str | None]]:
    """Where the curation of each task stands, and why."""
    async with database.reads() as session:
        rows = await session.scalars(select(tables.TaskCurationRow))
        return {row.task_id: (row.status, row.reason) for row in rows}


async def attached(database: Database, task_id: str) -> list[tuple[int, str]]:
    """(order, last part of the address) of a task's resources."""
    joined = select(tables.TaskResourceRow.order, tables.ResourceRow.url).join(
        tables.ResourceRow, tables.ResourceRow.id == tables.TaskResourceRow.resource_id
    )
    wanted = joined.where(tables.TaskResourceRow.task_id == task_id).order_by(tables.TaskResourceRow.order)
    async with database.reads() as session:
        return [(order, url.replace("=", "/").rpartition("/")[2]) for order, url in await session.execute(wanted)]


async def explanations(database: Database) -> dict[str, str | None]:
    """The explanation of each task."""
    async with database.reads() as session:
        return {row.id: row.micro_explanation for row in await session.scalars(select(tables.TaskRow))}
