"""Polls for the system's jobs and hands each to the handler of its kind; holds no business rule."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock import ClaimLost, Job, Penstock, Queue, Retention, Snooze, Worker
from systems.learning_plans.domain.classification import FailureClass
from systems.learning_plans.handlers.base import AttemptFailed, JobHandler, PlanJobResult
from systems.learning_plans.handlers.jobs import MAINTENANCE, PLANS, USAGE
from systems.learning_plans.handlers.plan_curation_job import QUEUE as CURATION
from systems.learning_plans.settings import Settings

logger = logging.getLogger(__name__)

# Ended jobs are removed by the system's own job (`job_retention`).
_KEPT = Retention(completed=None, failed=None, cancelled=None)
_SECOND_MS = 1_000
QUEUES = (PLANS, CURATION, USAGE, MAINTENANCE)


@dataclass(frozen=True, slots=True)
class PlanWorkerStats:
    """What the worker has done since it started. `idle_polls` brought nothing; `jobs_failed` counts attempts that
    failed, also those that another follows."""

    polls: int
    idle_polls: int
    jobs_started: int
    jobs_completed: int
    jobs_failed: int


class PlanGenerationWorker:
    """Runs jobs until it is stopped. `handlers` are by kind; a kind without one fails for good.

    `owns_engine`: the engine's connections are closed when it stops.
    """

    def __init__(
        self,
        engine: Penstock,
        handlers: Mapping[str, JobHandler],
        settings: Settings,
        *,
        build_id: str | None = None,
        owns_engine: bool = True,
    ) -> None:
        self._engine = engine
        self._owns_engine = owns_engine
        self._counts = _Counts()
        self._worker = Worker(
            engine,
            [_Routed(kind, handler, self._counts) for kind, handler in handlers.items()],
            queues=queues_of(settings),
            build_id=build_id,
            grace_s=settings.worker_shutdown_timeout_ms / _SECOND_MS,
            lease_s=settings.job_lease_ms / _SECOND_MS,
        )

    async def start(self) -> None:
        """Begin to poll."""
        await self._worker.start()

    async def stop(self) -> int:
        """Take no new jobs, let running ones finish within the grace, tell the rest to stop and give them back, close
        the database. The exit code: 0, or 1 when jobs were given back."""
        try:
            return await self._worker.stop()
        finally:
            if self._owns_engine:
                await self._engine.close()

    async def run(self) -> int:
        """Work until SIGTERM or SIGINT; the exit code as of `stop`, 130 after a second signal."""
        try:
            return await self._worker.run()
        finally:
            if self._owns_engine:
                await self._engine.close()

    def get_stats(self) -> PlanWorkerStats:
        """What it has done."""
        polled, counts = self._worker.get_stats(), self._counts
        return PlanWorkerStats(polled.polls, polled.idle_polls, counts.started, counts.completed, counts.failed)


def queues_of(settings: Settings) -> dict[str, Queue]:
    """The system's queues, each with its own slots."""
    one = Queue(concurrency=1, unknown_kinds="fail", retention=_KEPT)
    plans = Queue(concurrency=settings.worker_concurrency, unknown_kinds="fail", retention=_KEPT)
    return dict.fromkeys(QUEUES, one) | {PLANS: plans}


@dataclass(slots=True)
class _Counts:
    started: int = 0
    completed: int = 0
    failed: int = 0


class _Routed:
    """One kind's handler, counted and logged."""

    def __init__(self, kind: str, handler: JobHandler, counts: _Counts) -> None:
        if handler.handles.job_kind.kind != kind:
            raise ValueError(f"the handler of {str(kind)!r} handles {handler.handles.job_kind.kind!r}")
        self.handles = handler.handles
        self._handler = handler
        self._counts = counts

    async def process_job(self, job: Job[Any]) -> Any:
        """Run it. Whatever the handler raises goes on to the engine, which retries what is no signal of its own."""
        began = time.monotonic()
        fields: dict[str, object] = {"job_id": job.id, "kind": job.kind, "attempt": job.attempt}
        logger.info("job started", extra=fields)
        self._counts.started += 1
        try:
            result = await self._handler.process_job(job)
        except (Snooze, ClaimLost) as error:
            logger.info("run put off", extra=fields | _took(began) | {"reason": str(error)})
            raise
        except Exception as error:
            self._counts.failed += 1
            told = {"class": _class_of(error), "error": str(error)}
            logger.warning("attempt failed", extra=fields | _took(began) | told)
            raise
        if isinstance(result, PlanJobResult) and result.status == "failed":
            self._counts.failed += 1
            logger.warning("job failed", extra=fields | _took(began) | {"class": result.classification})
        else:
            self._counts.completed += 1
            logger.info("job completed", extra=fields | _took(began) | {"class": None})
        return result


def _took(began: float) -> dict[str, object]:
    return {"duration_s": round(time.monotonic() - began, 3)}


def _class_of(error: Exception) -> str:
    """What nobody has classed is `unknown`."""
    return error.classification if isinstance(error, AttemptFailed) else FailureClass.UNKNOWN
