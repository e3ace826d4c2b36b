"""`/health` and `/metrics`: the queue, its failures and its workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from systems.study_notes.http.services import Services
from systems.study_notes.http.source_routes import With

router = APIRouter(tags=["operations"])

WORKER_SILENCE = timedelta(seconds=60)
_WAITING = ("ready", "scheduled", "blocked")


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker of the queue; `silent_s` seconds since its last sign of life."""

    name: str
    pid: int
    host: str
    build_id: str | None
    seen_at: datetime
    silent_s: float
    running: int
    stopping: bool

    @property
    def is_alive(self) -> bool:
        """Whether it was heard of lately."""
        return self.silent_s < WORKER_SILENCE.total_seconds()


@dataclass(frozen=True, slots=True)
class Health:
    """`length` counts waiting jobs; `completed` and `failed` those of the last hour; `stuck_s` is for how long jobs
    have waited while no worker was seen, 0 when one is there."""

    length: int
    running: int
    completed: int
    failed: int
    workers: Sequence[WorkerState]
    stuck_s: float
    build_id: str

    @property
    def failure_rate(self) -> float:
        """Failed jobs among those that ended within the hour, 0 to 1."""
        ended = self.completed + self.failed
        return round(self.failed / ended, 4) if ended else 0.0

    @property
    def is_stuck(self) -> bool:
        """Whether jobs wait and nobody has come for them in time."""
        return self.stuck_s >= WORKER_SILENCE.total_seconds()

    def warnings(self) -> list[str]:
        """What an operator should know, one line each."""
        found = [
            f"worker {worker.name} runs build {worker.build_id}, this server {self.build_id}: restart the older one"
            for worker in self.workers
            if worker.is_alive and worker.build_id != self.build_id
        ]
        if self.is_stuck:
            found.append(f"{self.length} jobs wait and no worker was seen for {self.stuck_s:.0f} s: start a worker")
        return found


@router.get("/health")
async def show_health(use: With) -> JSONResponse:
    """200, or 503 when jobs wait and no worker was seen for a minute."""
    health = await read_health(use)
    warnings = health.warnings()
    body: dict[str, Any] = {
        "status": "unavailable" if health.is_stuck else "warning" if warnings else "ok",
        "build_id": health.build_id,
        "queue": {
            "name": use.queue,
            "length": health.length,
            "running": health.running,
            "completed_last_hour": health.completed,
            "failed_last_hour": health.failed,
            "failure_rate": health.failure_rate,
        },
        "workers": [
            {
                "name": worker.name,
                "host": worker.host,
                "pid": worker.pid,
                "build_id": worker.build_id,
                "seen_at": worker.seen_at.isoformat(),
                "silent_s": round(worker.silent_s, 1),
                "alive": worker.is_alive,
                "running": worker.running,
                "stopping": worker.stopping,
            }
            for worker in health.workers
        ],
        "warnings": warnings,
    }
    return JSONResponse(body, 503 if health.is_stuck else 200)


@router.get("/metrics")
async def show_metrics(use: With) -> Response:
    """The same for Prometheus."""
    health = await read_health(use)
    registry = CollectorRegistry()
    values = {
        "study_notes_queue_length": ("Jobs that wait", health.length),
        "study_notes_jobs_running": ("Jobs that run", health.running),
        "study_notes_jobs_completed_last_hour": ("Jobs completed within the last hour", health.completed),
        "study_notes_jobs_failed_last_hour": ("Jobs failed within the last hour", health.failed),
        "study_notes_failure_rate": (
            "Share of failed jobs among those ended",
            health.failure_rate,
        ),
        "study_notes_workers_alive": ("Workers seen within the last minute", sum(w.is_alive for w in health.workers)),
        "study_notes_stuck_seconds": ("How long jobs have waited without any worker", health.stuck_s),
    }
    for name, (text, value) in values.items():
        Gauge(name, text, registry=registry).set(value)
    silence = Gauge("study_notes_worker_silence_seconds", "Since a worker's last sign", ["worker"], registry=registry)
    for worker in health.workers:
        silence.labels(worker.name).set(worker.silent_s)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def read_health(use: Services) -> Health:
    """The state of the queue now."""
    queues = {queue.name: queue.counts for queue in await use.engine.queues.list()}
    counts = queues.get(use.queue, {})
    workers = [
        WorkerState(w.name, w.pid, w.host, w.build_id, w.seen_at, w.silent_s, w.running, w.stopping)
        for w in await use.engine.queues.workers()
        if use.queue in w.queues
    ]
    length = sum(counts.get(state, 0) for state in _WAITING)
    return Health(
        length=length,
        running=counts.get("running", 0),
        completed=counts.get("completed", 0),
        failed=counts.get("failed", 0),
        workers=workers,
        stuck_s=await _stuck_s(use, workers) if length else 0.0,
        build_id=use.build_id,
    )


async def _stuck_s(use: Services, workers: Sequence[WorkerState]) -> float:
    """Since when there were both waiting jobs and no worker: the later of the last sign of a worker and the last move
    of the source that has stood still longest."""
    active = await use.library.active_sources()
    silences = [worker.silent_s for worker in workers]
    if active.oldest_move is None or any(worker.is_alive for worker in workers):
        return 0.0
    waited_s = (use.clock.now() - active.oldest_move).total_seconds()
    return max(0.0, min([waited_s, *silences]))
