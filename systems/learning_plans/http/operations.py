"""`/health/worker`, and the statistics of operators."""

import hmac
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import JSONResponse

from penstock import JobStatus
from systems.learning_plans.http.errors import Forbidden
from systems.learning_plans.http.services import With
from systems.learning_plans.http.shapes import job_json

router = APIRouter(tags=["operations"])

LONGEST_RUN = timedelta(minutes=10)
MOST_PENDING = 100
_NAMES = {JobStatus.RUNNING: "processing"}


@router.get("/health/worker")
async def show_health(use: With) -> JSONResponse:
    """200, or 503 with the reasons."""
    found = await use.engine.jobs.summary(use.queues)
    pending, since = found.counts[JobStatus.PENDING], found.running_since
    reasons = []
    if since is not None and use.clock.now() - since > LONGEST_RUN:
        reasons.append(f"a job has been processing since {since.isoformat()}, for more than 10 minutes")
    if pending > MOST_PENDING:
        reasons.append(f"{pending} jobs are pending, more than {MOST_PENDING}")
    if reasons:
        return JSONResponse({"status": "unhealthy", "reason": "; ".join(reasons)}, 503)
    return JSONResponse({"status": "ok", "pending": pending, "processing": found.counts[JobStatus.RUNNING]})


async def admin(use: With, x_admin_token: Annotated[str | None, Header()] = None) -> None:
    """Raises `Forbidden` unless the token is the one that is set."""
    if use.admin_token is None:
        raise Forbidden("no admin token is set here (ADMIN_TOKEN)")
    if x_admin_token is None or not hmac.compare_digest(x_admin_token.encode(), use.admin_token.encode()):
        raise Forbidden("the header X-Admin-Token must hold the admin token")


operators = APIRouter(prefix="/api/admin/jobs", tags=["operations"], dependencies=[Depends(admin)])


@operators.get("/failed")
async def list_failed(use: With, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[dict[str, Any]]:
    """Failed jobs, newest first."""
    found = [
        view
        for queue in use.queues
        for view in await use.engine.jobs.find(statuses=[JobStatus.FAILED], queue=queue, limit=limit)
    ]
    newest = sorted(found, key=lambda view: view.id, reverse=True)[:limit]
    return [await job_json(use.engine, view) for view in newest]


@operators.get("/stats")
async def show_stats(use: With, since: datetime | None = None) -> dict[str, Any]:
    """Jobs enqueued since then (a time without zone is UTC), or all, counted."""
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    found = await use.engine.jobs.summary(use.queues, since=since)
    completed, failed = found.counts[JobStatus.COMPLETED], found.counts[JobStatus.FAILED]
    ended = completed + failed
    return {
        "since": since,
        "counts": {_NAMES.get(status, status.value): count for status, count in found.counts.items()},
        "mean_processing_ms": None if found.mean_run_s is None else round(found.mean_run_s * 1_000, 3),
        "failure_rate": failed / ended if ended else 0.0,
    }
