"""What applications ask of their jobs: find some, count them, remove old ones by a rule of their own."""

from dataclasses import replace
from datetime import timedelta

from penstock import JobStatus, Penstock
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import Completed, ErrorRecord, Failed, Outcome
from penstock.store.programs.settle import settle
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

DAY = timedelta(days=1)


async def grown_up(engine: Penstock, worker: HandWorker, clock: MovableClock) -> dict[str, str]:
    """One job in each status, a minute apart; the completed one ran for 90 s, the failed one for 10."""
    ids: dict[str, str] = {}
    for name in ("completed", "failed", "cancelled", "running", "pending"):
        ids[name] = (await engine.enqueue(Work(), tenant="a" if name == "failed" else None)).id
        clock.advance(60)
    done, failed = await worker.claim(2)
    await engine.cancel(ids["cancelled"])
    began = clock.now()
    clock.advance(10)
    await _end(engine, worker, failed, Failed(ErrorRecord("E", "broke"), permanent=True), began)
    clock.advance(80)
    await _end(engine, worker, done, Completed(), began)
    [running] = await worker.claim(1)
    assert running.id == ids["running"]
    return ids


async def _end(engine: Penstock, worker: HandWorker, job: ClaimedJob, outcome: Outcome, began: int) -> None:
    end = worker.end_of(job, outcome)
    await engine.store.run(settle([replace(end, started_at=began)], engine.store.clock.now(), worker.name))


async def test_jobs_are_found_by_status_queue_kind_tenant_and_time_newest_first(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    before = clock.moment
    ids = await grown_up(engine, worker, clock)
    await engine.enqueue(Work(), queue="elsewhere")

    async def found(**asked):
        return [view.id for view in await engine.jobs.find(queue="default", **asked)]

    assert await found() == list(reversed(ids.values()))
    for status in JobStatus:
        assert await found(statuses=[status]) == [ids[status]]
    assert await found(statuses=[JobStatus.FAILED, JobStatus.PENDING]) == [ids["pending"], ids["failed"]]
    assert await found(tenant="a") == [ids["failed"]]
    assert await found(kind="sealed") == []
    assert await found(since=before + timedelta(seconds=150)) == [ids["pending"], ids["running"]]
    assert await found(limit=2) == [ids["pending"], ids["running"]]
    assert await found(limit=2, before=ids["running"]) == [ids["cancelled"], ids["failed"]]


async def test_jobs_are_counted_by_status_with_how_long_they_run(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    before = clock.moment
    await grown_up(engine, worker, clock)
    await engine.enqueue(Work(), queue="elsewhere")
    found = await engine.jobs.summary(["default"])
    assert dict(found.counts) == dict.fromkeys(JobStatus, 1)
    assert found.mean_run_s == 90
    assert found.running_since == clock.moment
    later = await engine.jobs.summary(["default", "elsewhere"], since=before + timedelta(seconds=90))
    assert later.counts[JobStatus.COMPLETED] == later.counts[JobStatus.FAILED] == 0
    assert later.counts[JobStatus.PENDING] == 2
    assert later.mean_run_s is None
    nothing = await engine.jobs.summary(["nowhere"])
    assert (sum(nothing.counts.values()), nothing.running_since) == (0, None)


async def test_old_ended_jobs_of_some_queues_are_removed_and_no_others(
    engine: Penstock, worker: HandWorker, clock: MovableClock
):
    ids = await grown_up(engine, worker, clock)
    other = await engine.enqueue(Work(), queue="elsewhere")
    await engine.cancel(other.id)
    clock.advance(30 * DAY)
    await engine.enqueue(Work())
    young = await engine.enqueue(Work())
    await engine.cancel(young.id)
    assert await engine.jobs.prune(["default"], older_than=31 * DAY) == 0
    assert await engine.jobs.prune(["default"], older_than=30 * DAY) == 3
    left = {view.id for view in await engine.jobs.find()}
    assert left.isdisjoint({ids["completed"], ids["failed"], ids["cancelled"]})
    assert {ids["running"], ids["pending"], other.id, young.id} <= left
    assert await engine.jobs.prune(["default"], older_than=30 * DAY) == 0


async def test_a_job_that_a_later_one_needs_is_not_removed(engine: Penstock, worker: HandWorker, clock: MovableClock):
    first = await engine.enqueue(Work())
    second = await engine.enqueue(Work(), queue="elsewhere", after=[first])
    await worker.complete(await worker.claim_one())
    clock.advance(40 * DAY)
    assert await engine.jobs.prune(["default"], older_than=30 * DAY) == 0
    await engine.cancel(second.id)
    assert await engine.jobs.prune(["default"], older_than=30 * DAY) == 1
