"""The worker: polling, order, concurrency, what it counts and logs, what it does not know, and how it stops."""

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any

import pytest

from penstock import Job, JobData, JobStatus
from systems.learning_plans.handlers.jobs import JobType, PlanGeneration
from systems.learning_plans.worker import PlanGenerationWorker
from tests.learning_plans.support import (
    BUSY,
    PLAN,
    REFUSED,
    FakeModel,
    Gate,
    create,
    finish,
    has_status,
    made,
    settings_of,
    status,
    system,
    until,
)


class Recording:
    """Notes which jobs it is given; one that waits is let go by `release`."""

    handles = PlanGeneration

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.now = self.most = 0
        self.slots = asyncio.Semaphore(0)

    def release(self, number: int = 1) -> None:
        for _ in range(number):
            self.slots.release()

    async def process_job(self, job: Job[Any]) -> None:
        self.begun.append(job.id)
        self.now += 1
        self.most = max(self.most, self.now)
        await self.slots.acquire()
        self.now -= 1


async def test_lp_01_two_workers_run_each_of_a_hundred_jobs_once_by_priority_and_age(url: str) -> None:
    first, second = Recording(), Recording()
    async with system(url) as plans, system(url) as others:
        wanted = []
        for number in range(100):
            handle = await plans.engine.enqueue(PlanGeneration(plan_id=str(number)), priority=(1, 5, 10)[number % 3])
            wanted.append(((1, 5, 10)[number % 3], number, handle.id))
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        later = await plans.engine.enqueue(PlanGeneration(plan_id="later"), run_at=tomorrow, priority=99)
        workers = [
            PlanGenerationWorker(one.engine, {JobType.PLAN_GENERATION: handler}, settings_of(url), owns_engine=False)
            for one, handler in ((plans, first), (others, second))
        ]
        for worker in workers:
            await worker.start()
        # The first one holds its job; the second one goes on past it.
        await until(lambda: first.begun and second.begun)
        second.release(1_000)
        await until(lambda: len(second.begun) == 99)
        assert len(first.begun) == 1
        first.release()
        await until(lambda: _all_completed(plans, [id_ for _, _, id_ in wanted]))
        for worker in workers:
            await worker.stop()
        assert await has_status(plans, later.id, "pending")
    order = [id_ for _, _, id_ in sorted(wanted, key=lambda one: (-one[0], one[1]))]
    place = {id_: number for number, id_ in enumerate(order)}
    for recording in (first, second):
        places = [place[id_] for id_ in recording.begun]
        assert places == sorted(places)
    assert Counter(first.begun + second.begun) == dict.fromkeys(order, 1)


async def _all_completed(plans: Any, ids: list[str]) -> bool:
    found = await plans.engine.jobs.find(statuses=[JobStatus.COMPLETED], limit=200)
    return {view.id for view in found} >= set(ids)


async def test_lp_23_never_more_jobs_at_once_than_set_and_the_statistics_are_the_facts(url: str) -> None:
    recording = Recording()
    async with system(url) as plans:
        for number in range(10):
            await plans.engine.enqueue(PlanGeneration(plan_id=str(number)))
        worker = PlanGenerationWorker(
            plans.engine, {JobType.PLAN_GENERATION: recording}, settings_of(url, worker_concurrency=3),
            owns_engine=False,
        )  # fmt: skip
        await worker.start()
        for done in range(0, 10, 3):
            await until(partial(_has_begun, recording, min(10, done + 3)))
            assert recording.now == min(3, 10 - done)
            recording.release(3)
        await until(lambda: worker.get_stats().jobs_completed == 10)
        await until(lambda: worker.get_stats().idle_polls > 0)
        code = await worker.stop()
        stats = worker.get_stats()
    assert (recording.most, code) == (3, 0)
    assert (stats.jobs_started, stats.jobs_completed, stats.jobs_failed) == (10, 10, 0)
    assert 0 < stats.idle_polls < stats.polls


def _has_begun(recording: Recording, number: int) -> bool:
    return len(recording.begun) == number


class Mystery(JobData, kind="mystery", queue="plans"):
    """No handler knows it."""


async def test_lp_23_a_kind_without_a_handler_fails_for_good(url: str) -> None:
    async with system(url) as plans:
        handle = await plans.engine.enqueue(Mystery())
        await finish(plans)
        view = await plans.engine.get(handle.id)
    assert (view.status, view.attempt) == ("failed", 1)
    assert "mystery" in (view.reason or "")


async def test_lp_23_each_start_and_end_is_logged(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="systems.learning_plans.worker")
    async with system(sqlite_url, FakeModel([BUSY, BUSY, PLAN, REFUSED])) as plans:
        await made(plans)
        await made(plans)
        stats_of = [vars(record) for record in caplog.records if record.name == "systems.learning_plans.worker"]
    ours = [one for one in stats_of if one["kind"] == "plan_generation"]
    assert [(one["message"], one["attempt"], one.get("class")) for one in ours] == [
        ("job started", 1, None), ("attempt failed", 1, "provider_error"),
        ("job started", 2, None), ("job completed", 2, None),
        ("job started", 1, None), ("job failed", 1, "provider_error"),
    ]  # fmt: skip
    assert all(one["job_id"] for one in ours)
    assert all(one["duration_s"] >= 0 for one in ours if one["message"] != "job started")


class MoreTypes(StrEnum):
    """A new kind of job, as somebody would add it to `JobType`."""

    PLAN_REVIEW = "plan_review"


class PlanReview(JobData, kind=MoreTypes.PLAN_REVIEW, queue="plans"):
    """What it is about."""

    plan_id: str


class PlanReviewHandler:
    """Reuses a service."""

    handles = PlanReview

    def __init__(self, generation: Any) -> None:
        self.generation = generation

    async def process_job(self, job: Job[PlanReview]) -> str:
        return f"reviewed {job.data.plan_id}"


async def test_lp_24_a_new_kind_is_a_handler_and_a_line_of_the_map(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans:
        first: Any = plans.handlers[JobType.PLAN_GENERATION]
        handlers = {**plans.handlers, MoreTypes.PLAN_REVIEW: PlanReviewHandler(first.generation)}
        worker = PlanGenerationWorker(plans.engine, handlers, plans.settings, owns_engine=False)
        handle = await plans.engine.enqueue(PlanReview(plan_id="p"))
        await worker.start()
        assert await handle.result(timeout=20) == "reviewed p"
        await worker.stop()


async def test_lp_24_both_plan_handlers_hold_the_same_three_services(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans:
        one: Any = plans.handlers[JobType.PLAN_GENERATION]
        other: Any = plans.handlers[JobType.PLAN_REGENERATION]
        for name in ("generation", "curation", "persistence"):
            assert getattr(one, name) is getattr(other, name)


async def test_a_handler_under_a_wrong_name_is_refused(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans:
        with pytest.raises(ValueError, match="the handler of 'plan_regeneration' handles 'plan_generation'"):
            PlanGenerationWorker(plans.engine, {JobType.PLAN_REGENERATION: Recording()}, plans.settings)


async def test_lp_19_a_job_that_does_not_end_within_the_grace_is_given_back_unspent(url: str) -> None:
    gate = Gate()
    async with system(url, FakeModel([gate]), worker_shutdown_timeout_ms=1_000) as plans:
        plan_id, job_id = await create(plans)
        worker = plans.worker()
        await worker.start()
        await gate.reached.wait()
        assert await worker.stop() == 1
        view = await plans.engine.get(job_id)
        assert (view.status, view.attempt, await plans.engine.jobs.errors(job_id)) == ("pending", 0, [])
        assert (await status(plans, plan_id))["status"] == "generating"
        gate.opened.set()
        await finish(plans)
        stands = await status(plans, plan_id)
        assert (stands["status"], stands["job"]["attempts"]) == ("ready", 1)


async def test_a_job_that_ends_within_the_grace_is_waited_for(url: str) -> None:
    gate = Gate()
    async with system(url, FakeModel([gate]), worker_shutdown_timeout_ms=30_000) as plans:
        plan_id, _ = await create(plans)
        waiting, _ = await create(plans, topic="Another")
        worker = plans.worker()
        await worker.start()
        await gate.reached.wait()
        stopping = asyncio.create_task(worker.stop())
        await asyncio.sleep(0)
        gate.opened.set()
        assert await stopping == 0
        assert (await status(plans, plan_id))["status"] == "ready"
        assert (await status(plans, waiting))["job"]["status"] == "pending"


async def test_a_worker_that_owns_its_engine_closes_the_database(sqlite_url: str) -> None:
    async with system(sqlite_url) as plans:
        closed: list[bool] = []
        close = plans.engine.close

        async def noted() -> None:
            closed.append(True)
            await close()

        plans.engine.close = noted  # type: ignore[method-assign]
        worker = PlanGenerationWorker(plans.engine, plans.handlers, plans.settings)
        await worker.start()
        await worker.stop()
        assert closed == [True]
