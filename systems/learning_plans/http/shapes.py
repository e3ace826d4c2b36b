"""Plans and jobs as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from penstock import JobState, JobView, NotFound, Penstock
from systems.learning_plans.application.views import PlanSummary, PlanView, TaskView, UsageView
from systems.learning_plans.domain.entities import Plan
from systems.learning_plans.domain.wishes import as_json

_PROCESSING = {"running": "processing"}


def plan_json(plan: Plan) -> dict[str, Any]:
    """A plan without its content."""
    return {
        "id": plan.id,
        "user_id": plan.user_id,
        **as_json(plan.wishes),
        "status": plan.status,
        "is_quota_eligible": plan.is_quota_eligible,
        "finalized_at": plan.finalized_at,
        "active_job_id": plan.active_job_id,
        "created_at": plan.created_at,
        "updated_at": plan.updated_at,
    }


def summary_json(summary: PlanSummary) -> dict[str, Any]:
    """A plan in a list."""
    counts = {"modules": summary.modules, "tasks": summary.tasks, "completed": summary.completed}
    return plan_json(summary.plan) | {"counts": counts}


def view_json(view: PlanView) -> dict[str, Any]:
    """A plan with everything."""
    done = sum(task.progress == "completed" for task in view.tasks)
    return plan_json(view.plan) | {
        "made_by": None if view.made_by is None else asdict(view.made_by),
        "progress": {"tasks": len(view.tasks), "completed": done},
        "modules": [
            {
                "id": module.module.id,
                "order": module.module.order,
                "title": module.module.title,
                "description": module.module.description,
                "estimated_minutes": module.module.estimated_minutes,
                "tasks": [_task_json(task) for task in module.tasks],
            }
            for module in view.modules
        ],
    }


def _task_json(view: TaskView) -> dict[str, Any]:
    curation = None if view.curation is None else {"status": view.curation, "reason": view.curation_reason}
    return asdict(view.task) | {
        "progress": {"status": view.progress, "completed_at": view.completed_at},
        "curation": curation,
        "resources": [asdict(resource) for resource in view.resources],
    }


def usage_json(usage: UsageView) -> dict[str, Any]:
    """What a learner has used, and may use."""
    limits = usage.limits
    return {
        "month": usage.month,
        "tier": usage.tier,
        "plans": {"active": usage.active, "generated": usage.generated, "limit": limits.active_plans},
        "regenerations": {
            "used": usage.regenerations_used,
            "reserved": usage.regenerations_reserved,
            "limit": limits.regenerations,
        },
        "exports": {"used": usage.exports_used, "reserved": usage.exports_reserved, "limit": limits.exports},
    }


async def job_json(engine: Penstock, view: JobView) -> dict[str, Any]:
    """A job as people outside the engine see it. Raises the engine's NotFound when it has just been removed."""
    data, result = await engine.jobs.payload(view.id)
    errors = await engine.jobs.errors(view.id)
    times = (view.created_at, view.claimed_at, view.started_at, view.finished_at, view.cancel_requested_at)
    moved = [at for at in (*times, *(error.at for error in errors)) if at is not None]
    return {
        "id": view.id,
        "plan_id": data.get("plan_id"),
        "user_id": data.get("user_id"),
        "job_type": view.kind,
        "status": _PROCESSING.get(view.status, view.status.value),
        "priority": view.priority,
        "attempts": view.attempt + (1 if view.state is JobState.RUNNING else 0),
        "max_attempts": view.max_attempts,
        "payload": data,
        "result": result,
        "error": view.reason if view.state in (JobState.FAILED, JobState.CANCELLED) else None,
        "error_history": [
            {"attempt": error.attempt, "error": error.message, "timestamp": error.at} for error in errors
        ],
        "scheduled_for": view.due_at if view.state is JobState.SCHEDULED else None,
        "started_at": view.started_at or view.claimed_at,
        "completed_at": view.finished_at,
        "created_at": view.created_at,
        "updated_at": max(moved),
    }


async def last_job_json(engine: Penstock, job_id: str | None) -> dict[str, Any] | None:
    """The same for a job that may be gone, or never was."""
    if job_id is None:
        return None
    try:
        return await job_json(engine, await engine.get(job_id))
    except NotFound:
        return None


def last_error(job: dict[str, Any] | None) -> str | None:
    """What went wrong last in a job."""
    if job is None:
        return None
    history: Sequence[dict[str, Any]] = job["error_history"]
    earlier = history[-1]["error"] if history and job["status"] != "completed" else None
    return job["error"] or earlier
