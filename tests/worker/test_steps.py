"""Steps of handlers: what is done is not done again."""

import asyncio
import logging
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from penstock import (
    ClaimLost,
    Fixed,
    InvalidJob,
    Job,
    JobData,
    JobState,
    NotFound,
    PayloadTooLarge,
    Penstock,
    Permanent,
    Secret,
)
from penstock.domain.calls import current_scope
from penstock.domain.steps import Step
from penstock.operations.doctor import Level, examine
from penstock.store.programs.steps import StepWrite, write_steps
from tests.worker.stepping import Desk, Outline
from tests.worker.working import Note, reached, working


class Listed(JobData, kind="listed", steps=("outline", "chunk *")):
    """A kind that declares its steps."""


class Sealing(JobData, kind="sealing"):
    """A job with a secret and steps."""

    token: Secret[str]


async def test_a_step_is_not_done_again_by_a_later_attempt(any_engine: Penstock):
    desk = Desk()
    seen: list[Any] = []

    async def handle(job: Job[Note]) -> str:
        outline = await job.step("outline", desk.outline, "SQL")
        number = await job.step("count", desk.count, 1)
        plain = await job.step("plain", desk.unknown)
        nothing: Any = await job.step("nothing", desk.nothing)
        seen.append((outline, number, plain, nothing))
        if job.attempt < 3:
            raise ValueError("once more")
        return outline.title

    handle_ = await any_engine.enqueue(Note(), retry=Fixed(0))
    async with working(any_engine, handle):
        assert await handle_.result(20) == "SQL"
    assert desk.calls == ["outline SQL", "count 1", "unknown", "nothing"]
    assert seen == [(Outline(title="SQL", parts=(1, 2)), 2, {"a": [1, None, "x"]}, None)] * 3
    steps = await any_engine.jobs.steps(handle_.id)
    assert [(one.name, one.state, one.attempt) for one in steps] == [
        ("outline", "done", 1), ("count", "done", 1), ("plain", "done", 1), ("nothing", "done", 1),
    ]  # fmt: skip


async def test_what_a_partial_calls_says_of_which_type_the_result_is(any_engine: Penstock):
    async def outline(topic: str, *, parts: int) -> Outline:
        return Outline(title=topic, parts=tuple(range(parts)))

    seen: list[Any] = []

    async def handle(job: Job[Note]) -> None:
        seen.append(await job.step("outline", partial(outline, parts=2), "SQL"))
        if job.attempt == 1:
            raise ValueError("once more")

    handle_ = await any_engine.enqueue(Note(), retry=Fixed(0))
    async with working(any_engine, handle):
        await handle_.result(20)
    assert seen == [Outline(title="SQL", parts=(0, 1))] * 2


async def test_a_step_that_fails_is_tried_again_and_nothing_of_it_is_kept(any_engine: Penstock):
    tries: list[int] = []

    async def flaky(fail_until: int) -> str:
        tries.append(len(tries))
        if len(tries) < fail_until:
            raise ValueError("not yet")
        return "done"

    async def handle(job: Job[Note]) -> str:
        return await job.step("flaky", flaky, 5, tries=2, retry=Fixed(0))

    handle_ = await any_engine.enqueue(Note(), retry=Fixed(0))
    async with working(any_engine, handle):
        assert await handle_.result(20) == "done"
    assert len(tries) == 5
    assert (await any_engine.get(handle_.id)).attempt == 3
    assert [one.attempt for one in await any_engine.jobs.steps(handle_.id)] == [3]


async def test_what_a_handler_says_about_its_end_is_not_tried_again(engine: Penstock):
    tries: list[int] = []

    async def give_up() -> None:
        tries.append(1)
        raise Permanent("no use")

    async def handle(job: Job[Note]) -> None:
        await job.step("hopeless", give_up, tries=5, retry=Fixed(0))

    handle_ = await engine.enqueue(Note())
    async with working(engine, handle):
        await reached(engine, handle_.id, JobState.FAILED)
    assert len(tries) == 1


async def test_a_step_has_a_timeout_for_each_try(engine: Penstock):
    async def stuck() -> None:
        await asyncio.Event().wait()

    async def handle(job: Job[Note]) -> str:
        with pytest.raises(TimeoutError):
            await job.step("stuck", stuck, timeout=timedelta(milliseconds=5), tries=2, retry=Fixed(0))
        return "went on"

    handle_ = await engine.enqueue(Note())
    async with working(engine, handle):
        assert await handle_.result(20) == "went on"


async def test_steps_may_run_at_once_and_know_for_whom_they_call(any_engine: Penstock):
    scopes: dict[str, Any] = {}

    async def look(number: int) -> int:
        scope = current_scope()
        assert scope is not None
        scopes[scope.key] = scope.attempt
        await asyncio.sleep(0)
        return number

    async def handle(job: Job[Note]) -> list[int]:
        outside = current_scope()
        assert outside is not None
        assert outside.step is None
        return list(await asyncio.gather(*(job.step(f"look {n}", look, n) for n in range(20))))

    handle_ = await any_engine.enqueue(Note())
    async with working(any_engine, handle):
        assert await handle_.result(20) == list(range(20))
    assert scopes == {f"{handle_.id}:look {n}": 1 for n in range(20)}
    assert len(await any_engine.jobs.steps(handle_.id)) == 20


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda job, desk: _twice(job, desk), "asked for twice"),
        (lambda job, desk: job.step("", desk.nothing), "step must be 1 to 200 printable characters"),
        (lambda job, desk: job.step("x", desk.nothing, tries=0), "tries must be an integer"),
        (lambda job, desk: job.step("x", desk.nothing, timeout=-1), "timeout of step 'x' must be positive"),
        (lambda job, desk: job.step("x", partial(asyncio.sleep, 0, object())), "cannot be kept as JSON"),
        (lambda job, desk: job.sleep(-1), "sleep takes"),
        (lambda job, desk: job.wait_for("a\nb"), "signal must be 1 to 200 printable characters"),
    ],
)
async def test_wrong_use_is_refused_and_says_what_would_be_right(engine: Penstock, use: Any, says: str):
    async def handle(job: Job[Note]) -> None:
        await use(job, Desk())

    handle_ = await engine.enqueue(Note(), max_attempts=1)
    async with working(engine, handle):
        await reached(engine, handle_.id, JobState.FAILED)
    assert says in ((await engine.get(handle_.id)).reason or "")


async def _twice(job: Job[Any], desk: Desk) -> None:
    await job.step("count", desk.count, 1)
    await job.step("count", desk.count, 2)


async def test_a_result_over_the_limit_is_refused_with_its_size(engine: Penstock):
    async def much() -> str:
        return "x" * engine.settings.max_payload_bytes

    async def handle(job: Job[Note]) -> str:
        with pytest.raises(PayloadTooLarge, match="the result of step 'much' is"):
            await job.step("much", much)
        return "refused"

    handle_ = await engine.enqueue(Note())
    async with working(engine, handle):
        assert await handle_.result(20) == "refused"
    assert await engine.jobs.steps(handle_.id) == []


async def test_a_late_run_cannot_write_a_step(any_engine: Penstock):
    refused = asyncio.Event()

    async def handle(job: Job[Note]) -> str:
        step = Step("stolen", b"1")
        now = any_engine.store.clock.now()
        late = StepWrite(job.id, job.claim_id ^ 1, job.attempt, step, now)
        mine = StepWrite(job.id, job.claim_id, job.attempt, Step("mine", b"1"), now)
        assert await any_engine.store.run(write_steps([late, mine], now)) == {(job.id, "mine")}
        job.claim_id ^= 1
        try:
            await job.step("late", Desk().nothing)
        except ClaimLost:
            refused.set()
        job.claim_id ^= 1
        return "done"

    handle_ = await any_engine.enqueue(Note())
    async with working(any_engine, handle):
        assert await handle_.result(20) == "done"
    assert refused.is_set()
    assert [one.name for one in await any_engine.jobs.steps(handle_.id)] == ["mine"]


async def test_after_a_requested_cancel_a_step_is_refused(any_engine: Penstock):
    begun, outcome = asyncio.Event(), asyncio.Queue[str]()

    async def handle(job: Job[Note]) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await job.step("after", Desk().nothing)
            except ClaimLost:
                outcome.put_nowait("refused")
            raise

    handle_ = await any_engine.enqueue(Note())
    async with working(any_engine, handle):
        await asyncio.wait_for(begun.wait(), 20)
        await any_engine.cancel(handle_.id)
        assert await asyncio.wait_for(outcome.get(), 20) == "refused"
    assert await any_engine.jobs.steps(handle_.id) == []


async def test_a_stored_result_that_no_longer_fits_is_made_anew_with_a_warning(
    engine: Penstock, caplog: pytest.LogCaptureFixture
):
    calls: list[str] = []

    async def first() -> str:
        calls.append("first")
        return "a text"

    async def second() -> int:
        calls.append("second")
        return 7

    async def handle(job: Job[Note]) -> int:
        if job.attempt == 1:
            await job.step("number", first)
            raise ValueError("the code is changed now")
        return await job.step("number", second)

    handle_ = await engine.enqueue(Note(), retry=Fixed(0))
    with caplog.at_level(logging.WARNING):
        async with working(engine, handle):
            assert await handle_.result(20) == 7
    assert calls == ["first", "second"]
    [warning] = [one for one in caplog.records if "no longer fits" in one.message]
    assert (warning.__dict__["step"], warning.__dict__["job_id"]) == ("number", handle_.id)
    [step] = await engine.jobs.steps(handle_.id)
    assert (step.result, step.attempt) == (7, 2)


async def test_stored_steps_that_a_completed_run_did_not_ask_for_are_told(
    engine: Penstock, caplog: pytest.LogCaptureFixture
):
    desk = Desk()

    async def handle(job: Job[Note]) -> None:
        await job.step("old name" if job.attempt == 1 else "new name", desk.nothing)
        if job.attempt == 1:
            raise ValueError("the code is changed now")

    handle_ = await engine.enqueue(Note(), retry=Fixed(0))
    with caplog.at_level(logging.WARNING):
        async with working(engine, handle):
            await handle_.result(20)
    [warning] = [one for one in caplog.records if "not asked for" in one.message]
    assert warning.__dict__["steps"] == ["old name"]


async def test_a_kind_that_declares_its_steps_takes_no_others(engine: Penstock):
    desk = Desk()

    async def handle(job: Job[Listed]) -> str:
        await job.step("outline", desk.nothing)
        await job.step("chunk 3", desk.nothing)
        await job.sleep(0)
        with pytest.raises(InvalidJob, match="kind 'listed' declares no step 'chapter'; it declares outline, chunk"):
            await job.step("chapter", desk.nothing)
        return "done"

    handle_ = await engine.enqueue(Listed())
    async with working(engine, handle):
        assert await handle_.result(20) == "done"


async def _stay_open() -> None:
    """The store is used on."""


async def test_the_doctor_names_stored_steps_that_live_code_no_longer_has(
    any_engine: Penstock, monkeypatch: pytest.MonkeyPatch
):
    async def old(job: Job[Listed]) -> None:
        write = StepWrite(job.id, job.claim_id, job.attempt, Step("summary", b"1"), 1)
        await any_engine.store.run(write_steps([write], 2))
        await job.step("outline", Desk().nothing)
        await job.wait_for("go")

    async def undeclared(job: Job[Note]) -> None:
        await job.step("anything", Desk().nothing)
        await job.wait_for("go")

    listed, note = await any_engine.enqueue(Listed()), await any_engine.enqueue(Note())
    async with working(any_engine, old, undeclared):
        for one in (listed, note):
            await reached(any_engine, one.id, JobState.SCHEDULED)
        monkeypatch.setattr(any_engine.store, "close", _stay_open)
        checks = {check.name: check for check in await examine(lambda: any_engine)}
        monkeypatch.undo()
    steps = checks["steps"]
    assert steps.level is Level.WARN
    assert f"'summary' of listed (1 jobs, {listed.id} first)" in steps.found
    assert "outline" not in steps.found


async def test_a_rerun_has_what_was_done_before_the_step_and_a_history_of_its_own(any_engine: Penstock):
    desk = Desk()

    async def handle(job: Job[Note]) -> int:
        number = 0
        for name in ("one", "two", "three"):
            number = await job.step(name, desk.count, number)
        return number

    first = await any_engine.enqueue(Note(text="x"), tags=["a"], priority="high", tenant="acme")
    async with working(any_engine, handle):
        assert await first.result(20) == 3
        desk.calls.clear()
        with pytest.raises(NotFound, match="has no step 'four'; its steps: 'one', 'two', 'three'"):
            await any_engine.jobs.rerun(first.id, from_step="four")
        copy = any_engine.handle(await any_engine.jobs.rerun(first.id, from_step="two"))
        assert await copy.result(20) == 3
    assert desk.calls == ["count 1", "count 2"]
    view, before = await any_engine.get(copy.id), await any_engine.get(first.id)
    assert (view.tags, view.priority, view.tenant) == (before.tags, before.priority, before.tenant)
    assert [(one.name, one.attempt) for one in await any_engine.jobs.steps(copy.id)] == [
        ("one", 0), ("two", 1), ("three", 1),
    ]  # fmt: skip


async def test_a_rerun_can_open_the_secrets_of_the_first(any_engine: Penstock):
    seen: list[str] = []

    async def handle(job: Job[Sealing]) -> None:
        await job.step("only", Desk().nothing)
        seen.append(job.data.token.reveal())

    first = await any_engine.enqueue(Sealing(token=Secret("hunter2")))
    async with working(any_engine, handle):
        await first.result(20)
        await any_engine.handle(await any_engine.jobs.rerun(first.id, from_step="only")).result(20)
    assert seen == ["hunter2", "hunter2"]


async def test_a_person_s_retry_goes_on_where_the_steps_end(any_engine: Penstock):
    desk = Desk()
    broken = [True]

    async def handle(job: Job[Note]) -> int:
        number = await job.step("one", desk.count, 0)
        if broken:
            raise Permanent("broken")
        return await job.step("two", desk.count, number)

    handle_ = await any_engine.enqueue(Note())
    async with working(any_engine, handle):
        await reached(any_engine, handle_.id, JobState.FAILED)
        broken.clear()
        await any_engine.jobs.retry(handle_.id)
        assert await handle_.result(20) == 2
    assert desk.calls == ["count 0", "count 1"]
