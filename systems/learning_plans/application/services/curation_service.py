"""Finds videos and documentation for the tasks of a plan, and explains each task in a few words."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Protocol, TypeVar

from penstock.ai import LanguageModel, ModelFailure
from systems.learning_plans.application.curation_ports import (
    TIME_BUDGET,
    Clock,
    CurationInput,
    CurationStatus,
    CurationSummary,
    CurationTask,
    FindStore,
    Search,
    SearchFailed,
    TaskOutcome,
)
from systems.learning_plans.application.explanations import explanation_request, plain_text
from systems.learning_plans.application.time_budget import TimeBudget
from systems.learning_plans.domain.found import FoundPage, FoundVideo, page_candidate, video_candidate
from systems.learning_plans.domain.resources import (
    MAX_RESULTS,
    MIN_RESOURCE_SCORE,
    Candidate,
    select_top,
    suitable,
)

logger = logging.getLogger(__name__)

CONCURRENCY = 3
TIME_BUDGET_MS = 30_000
TEST = "test"
PRODUCTION = "production"

Found = TypeVar("Found")


class CurationSettings(Protocol):
    """The settings that say whether and how curation runs; `enable_curation` is None when nothing is said."""

    @property
    def app_env(self) -> str: ...
    @property
    def enable_curation(self) -> bool | None: ...


@dataclass(frozen=True, slots=True)
class CurationRules:
    """`concurrency` tasks at a time, and what a resource needs: at least `min_score`, among the best `max_results`."""

    concurrency: int = CONCURRENCY
    time_budget: timedelta = timedelta(milliseconds=TIME_BUDGET_MS)
    min_score: float = MIN_RESOURCE_SCORE
    max_results: int = MAX_RESULTS


@dataclass(slots=True)
class _Pass:
    """One curation under way."""

    input: CurationInput
    budget: TimeBudget
    outcomes: dict[str, TaskOutcome] = field(default_factory=dict)


class CurationService:
    """Searches, chooses, explains and keeps. A search is None where it cannot be asked (no key)."""

    def __init__(
        self,
        videos: Search[FoundVideo] | None,
        docs: Search[FoundPage] | None,
        provider: LanguageModel,
        store: FindStore,
        clock: Clock,
        rules: CurationRules | None = None,
    ) -> None:
        self._videos = videos
        self._docs = docs
        self._provider = provider
        self._store = store
        self._clock = clock
        self._rules = rules or CurationRules()

    @staticmethod
    def should_run_curation(settings: CurationSettings) -> bool:
        """Whether plans are curated: as `ENABLE_CURATION` says; unsaid, everywhere but in production."""
        if settings.enable_curation is not None:
            return settings.enable_curation
        return settings.app_env != PRODUCTION

    @staticmethod
    def should_run_sync(settings: CurationSettings) -> bool:
        """Whether curation is part of the job that makes the plan, instead of a job of its own."""
        return settings.app_env == TEST

    async def curate_and_attach_resources(self, input: CurationInput) -> CurationSummary:
        """Curate the tasks in their order, in batches, until all are done or the time is over; those that were not
        reached are skipped.

        Never raises for expected trouble. What `input.once` and the store raise passes through, after the other tasks
        of the batch have ended: what they brought is kept.
        """
        budget = TimeBudget(self._rules.time_budget, self._clock.now, input.ends_by)
        run = _Pass(input, budget)
        tasks = sorted(input.tasks, key=lambda task: task.position)
        for batch in _batches(tasks, self._rules.concurrency):
            if budget.is_spent:
                break
            await self._curate_batch(run, batch)
            if budget.is_spent:
                break
        skipped = [_skipped(task) for task in tasks if task.id not in run.outcomes]
        if skipped:
            await self._keep(run, *skipped)
            logger.info("curation ran out of time", extra={"plan_id": input.plan_id, "skipped": len(skipped)})
        return CurationSummary(tuple(run.outcomes[task.id] for task in tasks))

    async def give_up(self, task_ids: Sequence[str], reason: str) -> None:
        """Those of the tasks that are still pending have failed."""
        await self._store.keep([TaskOutcome(task_id, CurationStatus.FAILED, reason) for task_id in task_ids])

    async def _curate_batch(self, run: _Pass, batch: Sequence[CurationTask]) -> None:
        """Returns when all tasks have ended, or were given up at the end of the time."""
        running = [asyncio.create_task(self._curate_in_time(run, task)) for task in batch]
        try:
            await asyncio.wait(running, timeout=run.budget.seconds_to_end)
        finally:
            for task in running:
                task.cancel()
            ends = await asyncio.gather(*running, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, asyncio.CancelledError):
                raise end

    async def _curate_in_time(self, run: _Pass, task: CurationTask) -> None:
        with run.budget.working():
            if run.budget.is_spent:
                return
            outcome = await run.input.once(f"task {task.id}", partial(self._curate, run, task))
            # Asked apart from the searches: whatever interrupts the model, they have been made.
            if not task.has_micro_explanation and not run.budget.is_spent:
                outcome = await run.input.once(f"explanation {task.id}", partial(self._explain, run, task, outcome))
            await self._keep(run, outcome)

    async def _keep(self, run: _Pass, *outcomes: TaskOutcome) -> None:
        if not run.input.in_memory:
            await self._store.keep(outcomes)
        run.outcomes.update((outcome.task_id, outcome) for outcome in outcomes)

    async def _curate(self, run: _Pass, task: CurationTask) -> TaskOutcome:
        """Search and choose. What goes wrong here is this task's outcome and nobody else's."""
        failures: list[str] = []
        try:
            resources = tuple(await self._resources(run, task, failures))
        except Exception as error:
            logger.exception("a task could not be curated", extra=_where(run, task))
            return TaskOutcome(task.id, CurationStatus.FAILED, f"an unexpected error ({type(error).__name__})")
        if failures and not resources:
            return TaskOutcome(task.id, CurationStatus.FAILED, "; ".join(failures))
        return TaskOutcome(task.id, CurationStatus.DONE, None, resources)

    async def _resources(self, run: _Pass, task: CurationTask, failures: list[str]) -> Sequence[Candidate]:
        """Videos first; documentation as well when too few of them are good enough."""
        query, rules = f"{run.input.topic} {task.title}", self._rules
        videos = await self._found(run, task, "videos", self._videos, failures)
        candidates = [video_candidate(query, video, self._clock.now()) for video in videos]
        if len(suitable(candidates, rules.min_score)) < rules.max_results:
            pages = await self._found(run, task, "documentation", self._docs, failures)
            candidates += [page_candidate(query, page, self._clock.now()) for page in pages]
        return select_top(candidates, rules.min_score, rules.max_results)

    async def _found(
        self, run: _Pass, task: CurationTask, what: str, search: Search[Found] | None, failures: list[str]
    ) -> Sequence[Found]:
        """What a search brings; nothing, and an entry in `failures`, when it fails."""
        if search is None:
            return ()
        try:
            return await search.search(f"{run.input.topic} {task.title}", run.budget.waiting)
        except SearchFailed as error:
            failures.append(f"{what}: {error.reason}")
            logger.warning("a search failed", extra=_where(run, task) | {"what": what, "error": error.reason})
        except Exception as error:
            failures.append(f"{what}: an unexpected error ({type(error).__name__})")
            logger.exception("a search failed unexpectedly", extra=_where(run, task) | {"what": what})
        return ()

    async def _explain(self, run: _Pass, task: CurationTask, outcome: TaskOutcome) -> TaskOutcome:
        """The outcome with an explanation, without one when the model has no answer."""
        try:
            request = explanation_request(run.input.topic, run.input.skill_level, task)
            answer = await self._provider.ask(request)
        except Exception:
            logger.exception("a task could not be explained", extra=_where(run, task))
            return outcome
        if isinstance(answer, ModelFailure):
            logger.warning("a task could not be explained", extra=_where(run, task) | {"error": answer.message})
            return outcome
        return replace(outcome, micro_explanation=plain_text(answer.text))


def _skipped(task: CurationTask) -> TaskOutcome:
    return TaskOutcome(task.id, CurationStatus.SKIPPED, TIME_BUDGET)


def _batches(tasks: Sequence[CurationTask], size: int) -> Iterator[Sequence[CurationTask]]:
    return (tasks[start : start + size] for start in range(0, len(tasks), size))


def _where(run: _Pass, task: CurationTask) -> dict[str, object]:
    return {"plan_id": run.input.plan_id, "task_id": task.id}
