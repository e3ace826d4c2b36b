"""Routes of jobs: their view, cancelling, and their story as server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from penstock.events import LoggedEvent
from systems.common.http.errors import NothingMore
from systems.common.http.identity import UserName
from systems.common.http.live_events import Story, position
from systems.learning_plans.domain.events import ENDS, PlanEventType
from systems.learning_plans.http.services import Services, With
from systems.learning_plans.http.shapes import job_json

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

After = Annotated[int, Depends(position)]

_FINAL = ("completed", "failed", "cancelled")
_NAMES = {
    PlanEventType.GENERATION_STARTED: "plan_start",
    PlanEventType.MODULE_DETECTED: "module_summary",
    PlanEventType.READY: "complete",
    PlanEventType.REGENERATED: "complete",
    PlanEventType.CURATED: "complete",
    PlanEventType.FAILED: "error",
    PlanEventType.REGENERATION_FAILED: "error",
}
_OTHERS = "progress"


@router.get("/{job_id}")
async def show_job(job_id: str, user: UserName, use: With) -> dict[str, Any]:
    """How a job stands."""
    return await job_json(use.engine, await use.intake.learners_job(user, job_id))


@router.post("/{job_id}/cancel", status_code=202)
async def cancel_job(job_id: str, user: UserName, use: With) -> dict[str, Any]:
    """Stop a job."""
    await use.intake.cancel(user, job_id)
    return {"job_id": job_id, "status": "cancelled"}


async def story(job_id: str, user: UserName, use: With, after: After) -> Story:
    """What is told of the job. Raises `NotFound`, and `NothingMore` when it has ended and everything was told."""
    view = await use.intake.learners_job(user, job_id)
    data, _ = await use.engine.jobs.payload(view.id)
    found = _story_of(use, view.id, str(data.get("plan_id")))
    if view.status in _FINAL and after and not await found.goes_on(after):
        raise NothingMore
    return found


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def job_events(after: After, told: Annotated[Story, Depends(story)]) -> AsyncIterator[ServerSentEvent]:
    """What has happened to the job and what happens to it, up to its end."""
    async for event in told.told(after):
        name = _NAMES.get(PlanEventType(event.type), _OTHERS)
        yield ServerSentEvent(data=event.data | {"type": event.type}, event=name, id=str(event.position))


def _story_of(use: Services, job_id: str, plan_id: str) -> Story:
    def is_its(event: LoggedEvent) -> bool:
        return bool(event.data.get("job_id") == job_id)

    return Story(use.engine, use.stream, plan_id, lambda event: event.type in ENDS, is_its)
