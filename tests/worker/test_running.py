"""What becomes of a job whose handler returns, raises or says how its run ends."""

import asyncio
import contextvars
import threading

import pytest

from penstock.app import Penstock
from penstock.context import Job
from penstock.domain.job import JobData
from penstock.domain.queue import Queue
from penstock.domain.retry import Fixed, Named
from penstock.domain.secret import MASK, Secret
from penstock.domain.signals import Cancel, Permanent, Retry, Snooze
from penstock.domain.states import JobState
from tests.worker.working import Note, Other, reached, until, working


async def test_a_job_runs_to_completion_and_its_result_is_kept(any_engine: Penstock):
    async def shout(job: Job[Note]) -> str:
        return job.data.text.upper()

    handle = await any_engine.enqueue(Note(text="hello"))
    async with working(any_engine, shout):
        view = await reached(any_engine, handle.id, JobState.COMPLETED)
    assert view.attempt == 1
    assert view.started_at is not None
    assert (await any_engine.jobs.payload(handle.id))[1] == "HELLO"


async def test_a_job_enqueued_while_the_worker_is_idle_is_woken_for(any_engine: Penstock):
    async def nothing(job: Job[Note]) -> None:
        return None

    async with working(any_engine, nothing) as worker:
        await until(lambda: worker.get_stats().idle_polls > 0)
        handle = await any_engine.enqueue(Note())
        await reached(any_engine, handle.id, JobState.COMPLETED)
        assert worker.get_stats().polls > worker.get_stats().idle_polls


async def test_sync_handlers_run_in_threads_side_by_side(engine: Penstock):
    together = threading.Barrier(3, timeout=10)

    def meet(job: Job[Note]) -> str:
        together.wait()
        return threading.current_thread().name

    handles = [await engine.enqueue(Note()) for _ in range(3)]
    async with working(engine, meet):
        for handle in handles:
            await reached(engine, handle.id, JobState.COMPLETED)
    names = {(await engine.jobs.payload(handle.id))[1] for handle in handles}
    assert len(names) == 3


async def test_many_jobs_complete_each_once(any_engine: Penstock):
    ran: list[int] = []

    async def count(job: Job[Other]) -> None:
        ran.append(job.data.number)

    await any_engine.enqueue_many([Other(number=n) for n in range(2000)])
    async with working(any_engine, count) as worker:
        await until(lambda: worker.get_stats().completed == 2000)
        stats = worker.get_stats()
    assert sorted(ran) == list(range(2000))
    assert stats.idle
    assert stats.started == 2000
    assert stats.queues["default"].counts.completed == 2000


async def test_a_failure_is_retried_by_the_policy_and_its_history_kept(engine: Penstock):
    async def second_time(job: Job[Note]) -> int:
        if job.attempt == 1:
            raise ValueError("not yet")
        return job.attempt

    handle = await engine.enqueue(Note(), retry=Fixed(0.05))
    async with working(engine, second_time) as worker:
        await reached(engine, handle.id, JobState.COMPLETED)
        await until(lambda: worker.get_stats().retried == 1)
    errors = await engine.jobs.errors(handle.id)
    assert [(e.error_class, e.message) for e in errors] == [("ValueError", "not yet")]
    assert "second_time" in errors[0].traceback


async def test_attempts_are_bounded(engine: Penstock):
    async def never(job: Job[Note]) -> None:
        raise ValueError("no")

    handle = await engine.enqueue(Note(), retry=Fixed(0), max_attempts=3)
    async with working(engine, never):
        view = await reached(engine, handle.id, JobState.FAILED)
    assert view.attempt == 3
    assert len(await engine.jobs.errors(handle.id)) == 3


async def test_permanent_ends_a_job_at_once(engine: Penstock):
    async def refuse(job: Job[Note]) -> None:
        raise Permanent("no such note")

    handle = await engine.enqueue(Note())
    async with working(engine, refuse):
        view = await reached(engine, handle.id, JobState.FAILED)
    assert (view.attempt, view.reason) == (1, "no such note")


async def test_retry_after_overrides_the_policy(engine: Penstock):
    async def once_more(job: Job[Note]) -> None:
        if job.attempt == 1:
            raise Retry("busy", after=0.05)

    handle = await engine.enqueue(Note(), retry=Fixed(3600))
    async with working(engine, once_more):
        view = await reached(engine, handle.id, JobState.COMPLETED)
    assert view.attempt == 2


async def test_snooze_spends_no_attempt(engine: Penstock):
    runs: list[int] = []

    async def later(job: Job[Note]) -> None:
        runs.append(job.attempt)
        if len(runs) < 3:
            raise Snooze(0.02)

    handle = await engine.enqueue(Note(), max_attempts=1)
    async with working(engine, later):
        view = await reached(engine, handle.id, JobState.COMPLETED)
    assert runs == [1, 1, 1]
    assert view.attempt == 1


async def test_a_handler_may_cancel_its_job(engine: Penstock):
    async def stop(job: Job[Note]) -> None:
        raise Cancel("nothing to do")

    handle = await engine.enqueue(Note())
    async with working(engine, stop):
        view = await reached(engine, handle.id, JobState.CANCELLED)
    assert view.reason == "nothing to do"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_an_exit_in_a_handler_fails_its_job_and_not_the_worker(engine: Penstock, error: BaseException):
    async def leave(job: Job[Note]) -> None:
        if job.data.text == "leave":
            raise error

    leaving = await engine.enqueue(Note(text="leave"), max_attempts=1)
    async with working(engine, leave):
        await reached(engine, leaving.id, JobState.FAILED)
        staying = await engine.enqueue(Note())
        await reached(engine, staying.id, JobState.COMPLETED)
    assert (await engine.jobs.errors(leaving.id))[0].error_class == type(error).__name__


async def test_an_exit_in_a_sync_handler_fails_its_job(engine: Penstock):
    def leave(job: Job[Note]) -> None:
        raise SystemExit(3)

    handle = await engine.enqueue(Note(), max_attempts=1)
    async with working(engine, leave):
        await reached(engine, handle.id, JobState.FAILED)


async def test_a_result_that_is_no_json_fails_the_job_and_says_why(engine: Penstock):
    async def odd(job: Job[Note]) -> object:
        return object()

    handle = await engine.enqueue(Note())
    async with working(engine, odd):
        view = await reached(engine, handle.id, JobState.FAILED)
    assert view.attempt == 1
    assert "odd" in (view.reason or "")
    assert "returned object" in (view.reason or "")


async def test_a_result_that_becomes_the_annotated_type_is_taken(engine: Penstock):
    async def as_dict(job: Job[Note]) -> Other:
        return {"number": 7}  # type: ignore[return-value]

    handle = await engine.enqueue(Note())
    async with working(engine, as_dict):
        await reached(engine, handle.id, JobState.COMPLETED)
    assert (await engine.jobs.payload(handle.id))[1] == {"number": 7}


async def test_a_result_of_another_type_fails_the_job(engine: Penstock):
    async def wrong(job: Job[Note]) -> int:
        return "many"  # type: ignore[return-value]

    handle = await engine.enqueue(Note())
    async with working(engine, wrong):
        view = await reached(engine, handle.id, JobState.FAILED)
    assert "does not fit its return annotation" in (view.reason or "")


async def test_a_result_over_the_limit_is_refused_with_its_size(engine: Penstock):
    async def large(job: Job[Note]) -> str:
        return "x" * (engine.settings.max_payload_bytes + 1)

    handle = await engine.enqueue(Note())
    async with working(engine, large):
        view = await reached(engine, handle.id, JobState.FAILED)
    assert "1,048,579 bytes" in (view.reason or "")


async def test_data_that_no_longer_fits_fails_for_good_and_names_the_field(engine: Penstock):
    class NewNote(JobData, kind="note"):
        number: int

    async def read(job: Job[NewNote]) -> None:
        return None

    handle = await engine.enqueue(Note(text="old"))
    async with working(engine, read):
        view = await reached(engine, handle.id, JobState.FAILED)
    assert view.attempt == 1
    assert "number: Field required" in (view.reason or "")


async def test_an_unknown_kind_waits_for_a_worker_that_knows_it(engine: Penstock):
    async def known(job: Job[Note]) -> None:
        return None

    async def stranger(job: Job[Other]) -> None:
        return None

    unknown = await engine.enqueue(Other())
    handle = await engine.enqueue(Note())
    async with working(engine, known):
        await reached(engine, handle.id, JobState.COMPLETED)
        assert (await engine.get(unknown.id)).state is JobState.READY
        async with working(engine, stranger):
            await reached(engine, unknown.id, JobState.COMPLETED)


async def test_an_unknown_kind_fails_where_the_queue_says_so(engine: Penstock):
    async def known(job: Job[Note]) -> None:
        return None

    unknown = await engine.enqueue(Other())
    async with working(engine, known, queues={"default": Queue(unknown_kinds="fail")}):
        view = await reached(engine, unknown.id, JobState.FAILED)
    assert view.attempt == 1
    assert "no handler for kind 'other'" in (view.reason or "")


async def test_a_retry_function_that_fails_does_not_keep_the_job_from_ending(engine: Penstock):
    def broken(attempt: int, error_class: str) -> float:
        raise RuntimeError("in the policy")

    class Policed(JobData, kind="policed", retry=Named("broken"), retries={"broken": broken}):
        pass

    async def fail(job: Job[Policed]) -> None:
        raise ValueError("first")

    handle = await engine.enqueue(Policed())
    async with working(engine, fail):
        await reached(engine, handle.id, JobState.SCHEDULED)


async def test_secrets_are_opened_for_the_handler_and_masked_in_its_errors(engine: Penstock):
    class Call(JobData, kind="call"):
        token: Secret[str]

    seen: list[str] = []

    async def call(job: Job[Call]) -> None:
        seen.append(job.data.token.reveal())
        job.progress(0.5, f"calling with {job.data.token.reveal()}")
        raise ValueError(f"401 for {job.data.token.reveal()}")

    handle = await engine.enqueue(Call(token=Secret("hunter2")), max_attempts=1)
    async with working(engine, call):
        view = await reached(engine, handle.id, JobState.FAILED)
    assert seen == ["hunter2"]
    assert view.reason == f"401 for {MASK}"
    assert view.message == f"calling with {MASK}"
    assert "hunter2" not in (await engine.jobs.errors(handle.id))[0].traceback


async def test_a_handlers_context_variables_do_not_reach_the_next_job(engine: Penstock):
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="clean")
    found: list[str] = []

    async def leave_traces(job: Job[Note]) -> None:
        found.append(variable.get())
        variable.set("dirty")

    await engine.enqueue_many([Note() for _ in range(5)])
    async with working(engine, leave_traces, concurrency=1) as worker:
        await until(lambda: worker.get_stats().completed == 5)
    assert found == ["clean"] * 5
