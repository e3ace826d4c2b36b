"""Routes of plans and tasks."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel
from pydantic_core import to_json

from systems.common.http.identity import UserName
from systems.learning_plans.application.export import markdown_of
from systems.learning_plans.application.learning import count_export, set_progress
from systems.learning_plans.domain.entities import ProgressStatus
from systems.learning_plans.http.services import With
from systems.learning_plans.http.shapes import (
    last_error,
    last_job_json,
    plan_json,
    summary_json,
    usage_json,
    view_json,
)

router = APIRouter(prefix="/api", tags=["plans"])

# The rules of a plan's fields are the domain's; here it only has to be an object.
Wished = Annotated[dict[str, Any], Body()]


class Regeneration(BaseModel):
    """What to change; nothing: the same once more."""

    overrides: dict[str, Any] | None = None


class Export(BaseModel):
    """How to export."""

    format: Literal["json", "markdown"]


class Progress(BaseModel):
    """How far a learner is."""

    status: ProgressStatus


@router.post("/plans", status_code=201)
async def create_plan(body: Wished, user: UserName, use: With) -> dict[str, Any]:
    """Ask for a plan."""
    started = await use.intake.create(user, body)
    plan = plan_json(started.plan)
    return {"plan_id": started.plan.id, "job_id": started.job_id, "status": "pending", "plan": plan}


@router.get("/plans")
async def list_plans(user: UserName, use: With) -> list[dict[str, Any]]:
    """The learner's plans, newest first."""
    return [summary_json(summary) for summary in await use.library.plans(user)]


@router.get("/plans/{plan_id}")
async def show_plan(plan_id: str, user: UserName, use: With) -> dict[str, Any]:
    """A plan with modules, tasks, resources, curation and progress."""
    return view_json(await use.library.plan(user, plan_id))


@router.get("/plans/{plan_id}/status")
async def show_status(plan_id: str, user: UserName, use: With) -> dict[str, Any]:
    """How the plan stands, and its last job."""
    standing = await use.library.standing(user, plan_id)
    plan = standing.plan
    job = await last_job_json(use.engine, plan.last_job_id)
    return {
        "plan_id": plan.id,
        "status": plan.status,
        "job": job,
        "attempts": standing.attempts,
        "last_error": last_error(job),
    }


@router.post("/plans/{plan_id}/regenerate", status_code=202)
async def regenerate_plan(plan_id: str, user: UserName, use: With, body: Regeneration | None = None) -> dict[str, Any]:
    """Make the plan anew."""
    overrides = (body.overrides if body else None) or {}
    started = await use.intake.regenerate(user, plan_id, overrides)
    return {"plan_id": plan_id, "job_id": started.job_id, "status": "pending"}


@router.post("/plans/{plan_id}/curate", status_code=202)
async def curate_plan(plan_id: str, user: UserName, use: With) -> dict[str, Any]:
    """Look again for resources of tasks that were skipped or failed."""
    return {"job_id": await use.intake.curate(user, plan_id)}


@router.get("/plans/{plan_id}/attempts")
async def list_attempts(plan_id: str, user: UserName, use: With) -> list[dict[str, Any]]:
    """AI runs, oldest first."""
    return [asdict(attempt) for attempt in await use.library.attempts(user, plan_id)]


@router.post("/plans/{plan_id}/export", response_model=None)
async def export_plan(plan_id: str, body: Export, user: UserName, use: With) -> Response:
    """The plan as JSON or Markdown."""
    async with use.units() as uow:
        await count_export(uow, user, plan_id, use.clock.now())
    view = await use.library.plan(user, plan_id)
    if body.format == "json":
        return Response(to_json(view_json(view)), media_type="application/json")
    return Response(markdown_of(view), media_type="text/markdown; charset=utf-8")


@router.delete("/plans/{plan_id}", status_code=204)
async def delete_plan(plan_id: str, user: UserName, use: With) -> Response:
    """Remove a plan."""
    await use.intake.delete(user, plan_id)
    return Response(status_code=204)


@router.put("/tasks/{task_id}/progress")
async def put_progress(task_id: str, body: Progress, user: UserName, use: With) -> dict[str, Any]:
    """Note how far the learner is with a task."""
    async with use.units() as uow:
        await set_progress(uow, user, task_id, body.status, use.clock.now())
    return {"task_id": task_id, "status": body.status}


@router.get("/usage")
async def show_usage(user: UserName, use: With) -> dict[str, Any]:
    """What the learner has used this month, and may use."""
    return usage_json(await use.library.usage(user))
