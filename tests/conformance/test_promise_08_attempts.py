"""Promise 8: attempts are bounded and counted: failed, timed out and lost after start count, nothing else does."""

from collections.abc import Awaitable, Callable

import pytest

from penstock import Delays, Fixed, JobFailed, JobState, Penstock
from penstock.domain.claimed import ClaimedJob
from penstock.domain.outcomes import ErrorRecord, Failed
from penstock.store.base import Store
from penstock.store.programs.claim import solo_waiting
from penstock.store.programs.workers import beat
from tests.support.clock import MovableClock
from tests.support.engine import HandWorker, Work

SOON = Failed(ErrorRecord("E", "again"), after_s=0)


async def lose_started(worker: HandWorker, job: ClaimedJob) -> None:
    """The worker has said that the run began, and is lost."""
    now = worker.store.clock.now()
    await worker.store.run(beat(worker.id, now, stopping=False, stats={}, started=[(job.id, job.claim_id, now)]))
    await worker.be_lost()


async def lose_unstarted(worker: HandWorker, job: ClaimedJob) -> None:
    """Nobody knows whether the run began."""
    await worker.be_lost()


async def fail(worker: HandWorker, job: ClaimedJob) -> None:
    """The handler raised."""
    await worker.settle(job, SOON)


async def time_out(worker: HandWorker, job: ClaimedJob) -> None:
    """The run was stopped at its timeout."""
    await worker.time_out(job)


async def release(worker: HandWorker, job: ClaimedJob) -> None:
    """The worker stops."""
    await worker.release(job)


async def snooze(worker: HandWorker, job: ClaimedJob) -> None:
    """The handler asked for later."""
    await worker.snooze(job, 0)


End = Callable[[HandWorker, ClaimedJob], Awaitable[None]]


async def run_again(worker: HandWorker, clock: MovableClock) -> ClaimedJob | None:
    """The next run of the one job, alone or not; None when it has ended."""
    clock.advance(4000)
    await worker.fall_due()
    jobs = await worker.claim() or await worker.claim(solo=True)
    return jobs[0] if jobs else None


@pytest.mark.parametrize("end", [fail, time_out, lose_started])
async def test_what_counts_ends_the_job_after_max_attempts_runs(
    engine: Penstock, worker: HandWorker, clock: MovableClock, end: End
):
    handle = await engine.enqueue(Work(), max_attempts=4)
    attempts = []
    while job := await run_again(worker, clock):
        attempts.append(job.attempts_before + 1)
        await end(worker, job)
    assert attempts == [1, 2, 3, 4]
    view = await engine.get(handle.id)
    assert (view.state, view.attempt) == ("failed", 4)
    assert [error.attempt for error in await engine.jobs.errors(handle.id)] == attempts
    with pytest.raises(JobFailed):
        await handle.result()


@pytest.mark.parametrize("end", [release, snooze])
async def test_what_does_not_count_can_happen_any_number_of_times(
    engine: Penstock, worker: HandWorker, clock: MovableClock, end: End
):
    handle = await engine.enqueue(Work(), max_attempts=1)
    for _ in range(30):
        job = await run_again(worker, clock)
        assert job is not None
        assert job.attempts_before == 0
        await end(worker, job)
    job = await run_again(worker, clock)
    assert job is not None
    assert await worker.complete(job) is JobState.COMPLETED
    assert (await engine.get(handle.id)).attempt == 1
    assert await engine.jobs.errors(handle.id) == []


async def test_losses_with_unknown_start_are_bounded_by_ten(engine: Penstock, worker: HandWorker, clock: MovableClock):
    handle = await engine.enqueue(Work(), max_attempts=1)
    losses = 0
    while job := await run_again(worker, clock):
        assert (job.attempts_before, job.losses_before) == (0, losses)
        await lose_unstarted(worker, job)
        losses += 1
    assert losses == 10
    view = await engine.get(handle.id)
    assert (view.state, view.attempt, view.losses) == ("failed", 0, 10)
    assert "hand was lost" in str(view.reason)


async def test_after_two_losses_a_job_is_claimed_alone(engine: Penstock, store: Store, worker: HandWorker):
    poison, *others = await engine.enqueue_many([Work(n=n) for n in range(3)])
    for _ in range(2):
        assert await store.read(solo_waiting("default")) is False
        assert len(await worker.claim(1)) == 1
        await worker.be_lost()
    assert await store.read(solo_waiting("default")) is True
    assert [job.id for job in await worker.claim()] == [handle.id for handle in others]
    [alone] = await worker.claim(10, solo=True)
    assert (alone.id, alone.losses_before) == (poison.id, 2)
    assert await worker.settle(alone, SOON, solo=True) is JobState.READY
    assert await worker.claim() == []
    assert [job.id for job in await worker.claim(solo=True)] == [poison.id]


async def test_the_policy_says_when_the_next_attempt_is(engine: Penstock, worker: HandWorker, clock: MovableClock):
    for policy, expected in ((Delays((5, 60)), [5, 60, 60]), (Fixed(7), [7, 7, 7])):
        handle = await engine.enqueue(Work(), retry=policy, max_attempts=4)
        for seconds in expected:
            await worker.fail(await worker.claim_one(), permanent=False)
            view = await engine.get(handle.id)
            assert view.due_at is not None
            assert (view.state, (view.due_at - clock.moment).total_seconds()) == ("scheduled", seconds)
            clock.advance(seconds - 0.001)
            await worker.fall_due()
            assert await worker.claim() == []
            clock.advance(0.001)
            await worker.fall_due()
        await worker.complete(await worker.claim_one())


async def test_a_permanent_failure_ends_the_job_at_once(engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work(), max_attempts=5)
    await worker.fail(await worker.claim_one(), message="never")
    view = await engine.get(handle.id)
    assert (view.state, view.attempt, view.reason) == ("failed", 1, "never")


async def test_no_retry_is_planned_beyond_the_deadline(engine: Penstock, worker: HandWorker, clock: MovableClock):
    handle = await engine.enqueue(Work(), retry=Fixed(100), deadline=clock.moment.replace(hour=12, minute=1))
    await worker.fail(await worker.claim_one(), permanent=False)
    view = await engine.get(handle.id)
    assert view.state == "failed"
    assert "its deadline comes first" in str(view.reason)


async def test_the_history_tells_each_attempt(engine: Penstock, worker: HandWorker, clock: MovableClock):
    handle = await engine.enqueue(Work(), max_attempts=2)
    for message in ("first", "second"):
        job = await run_again(worker, clock)
        assert job is not None
        end = worker.end_of(job, Failed(ErrorRecord("ValueError", message, f"Traceback of {message}")))
        assert end.started_at is not None
        clock.advance(2)
        await worker.settle(job, Failed(ErrorRecord("ValueError", message, f"Traceback of {message}")))
    errors = await engine.jobs.errors(handle.id)
    assert [(e.attempt, e.error_class, e.message, e.traceback, e.worker) for e in errors] == [
        (1, "ValueError", "first", "Traceback of first", "hand"),
        (2, "ValueError", "second", "Traceback of second", "hand"),
    ]
    assert errors[1].at == clock.moment


async def test_a_retry_by_a_person_starts_counting_anew_and_keeps_the_history(engine: Penstock, worker: HandWorker):
    handle = await engine.enqueue(Work(), max_attempts=1)
    await worker.fail(await worker.claim_one())
    await engine.jobs.retry(handle.id)
    job = await worker.claim_one()
    assert (job.attempts_before, job.losses_before) == (0, 0)
    await worker.fail(job)
    assert len(await engine.jobs.errors(handle.id)) == 2
