"""Async handlers share a task as long as none of them waits; what one does there never reaches another."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from penstock import Job
from penstock.domain.claimed import ClaimedJob
from penstock.domain.job import JobData
from penstock.registry import Registry
from penstock.worker import tasks as tasks_module
from penstock.worker.run import Run, Stop
from penstock.worker.tasks import HandlerTasks


class Act(JobData, kind="act", queue="q"):
    """A job whose handler does what the test says."""


def _as_it_is(_: Run, error: BaseException) -> Any:
    return error


class Stage:
    """Handlers begun side by side, and what became of each."""

    def __init__(self) -> None:
        self.ended: dict[str, Any] = {}
        self.names: list[str] = []
        self.tasks: dict[str, asyncio.Task[Any] | None] = {}
        self._acts: dict[str, Callable[[], Awaitable[Any]]] = {}
        self._entry = Registry([self._handle]).find("act")
        self._handlers = HandlerTasks(lambda _, result: result, _as_it_is, self._end)
        self._handlers.open()

    async def _handle(self, job: Job[Act]) -> Any:
        self.names.append(job.id)
        self.tasks[job.id] = asyncio.current_task()
        return await self._acts[job.id]()

    def _end(self, run: Run, outcome: Any) -> None:
        self.ended[run.claimed.id] = outcome

    def begin(self, name: str, act: Callable[[], Awaitable[Any]]) -> Run:
        """Have a handler do this."""
        self._acts[name] = act
        claimed = ClaimedJob(
            name, 1, 1, 0, 0, 0, 1, 1, None, None, False, None, 0, "{}", None, None, "q", 1, "act", None,
        )  # fmt: skip
        run = Run(claimed, self._entry, 0.0, 1, solo=False)
        assert self._entry is not None
        self._handlers.add(run, self._entry, Job(name, Act(), "act", "q", 1, 1, 1, 1))
        return run

    async def until_ended(self, *names: str) -> None:
        """Wait until these have."""
        async with asyncio.timeout(10):
            while not set(names) <= self.ended.keys():
                await asyncio.sleep(0)


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(tasks_module, "TURN_S", 60.0)
    return Stage()


async def answer() -> str:
    return "done"


async def test_handlers_that_never_wait_share_a_task_and_each_gives_it_its_name(stage: Stage):
    named: list[str] = []

    async def say_name() -> None:
        task = asyncio.current_task()
        assert task is not None
        named.append(task.get_name())

    for name in "abc":
        stage.begin(name, say_name)
    assert not stage.names, "nothing begins within the call"
    await stage.until_ended(*"abc")
    assert named == ["act:a", "act:b", "act:c"]
    assert len(set(stage.tasks.values())) == 1


async def test_a_handler_that_waits_keeps_its_task_and_holds_nobody_up(stage: Stage):
    gate = asyncio.Event()
    tasks: list[Any] = []

    async def wait() -> str:
        tasks.append(asyncio.current_task())
        await gate.wait()
        tasks.append(asyncio.current_task())
        await asyncio.sleep(0)
        return "waited"

    stage.begin("a", answer)
    stage.begin("b", wait)
    stage.begin("c", answer)
    await stage.until_ended("a", "c")
    assert "b" not in stage.ended
    assert stage.tasks["a"] is stage.tasks["b"] is not stage.tasks["c"]
    gate.set()
    await stage.until_ended("b")
    assert stage.ended["b"] == "waited"
    assert tasks == [stage.tasks["b"]] * 2


async def test_a_cancel_reaches_the_handler_that_waits_and_nobody_else(stage: Stage):
    async def give_way() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return "gave way"

    runs = {name: stage.begin(name, act) for name, act in {"a": answer, "b": give_way, "c": give_way}.items()}
    await stage.until_ended("a")
    for _ in range(3):
        await asyncio.sleep(0)
    task = runs["b"].task
    assert runs["b"].entered
    assert task is not None
    task.cancel("stop")
    await stage.until_ended("b")
    assert stage.ended == {"a": "done", "b": "gave way"}


async def test_a_cancel_that_is_not_caught_is_the_outcome(stage: Stage):
    run = stage.begin("a", asyncio.Event().wait)
    while run.task is None or not run.entered:
        await asyncio.sleep(0)
    run.task.cancel("stop")
    await stage.until_ended("a")
    assert isinstance(stage.ended["a"], asyncio.CancelledError)


async def test_a_handler_that_cancels_its_own_task_without_waiting_hits_no_other(stage: Stage):
    async def cancel_oneself() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return "cancelled"

    async def wait() -> str:
        await asyncio.sleep(0)
        return "waited"

    stage.begin("a", cancel_oneself)
    stage.begin("b", wait)
    await stage.until_ended("a", "b")
    assert stage.ended == {"a": "cancelled", "b": "waited"}
    assert stage.tasks["a"] is not stage.tasks["b"]


async def test_errors_at_once_and_after_a_wait_are_outcomes(stage: Stage):
    async def fail() -> None:
        raise ValueError("at once")

    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise ValueError("later")

    async def fail_when_told() -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError as error:
            raise ValueError("told") from error

    for name, act in {"a": fail, "b": fail_later, "c": fail_when_told, "d": answer}.items():
        stage.begin(name, act)
    await stage.until_ended(*"abcd")
    assert {name: str(outcome) for name, outcome in stage.ended.items()} == {
        "a": "at once", "b": "later", "c": "told", "d": "done",
    }  # fmt: skip


async def test_a_run_asked_to_stop_before_its_turn_is_not_begun(stage: Stage):
    run = stage.begin("a", answer)
    stage.begin("b", answer)
    run.stop = Stop.CANCEL
    await stage.until_ended("a", "b")
    assert stage.names == ["b"]
    assert stage.ended == {"a": None, "b": "done"}


async def test_the_loop_gets_its_turn_between_handlers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks_module, "TURN_S", 0.0)
    stage = Stage()
    loop = asyncio.get_running_loop()
    seen: list[int] = []
    for number in range(5):
        stage.begin(str(number), answer)

    def look() -> None:
        seen.append(len(stage.ended))
        if len(stage.ended) < 5:
            loop.call_soon(look)

    loop.call_soon(look)
    await stage.until_ended(*map(str, range(5)))
    assert seen[:5] == [1, 2, 3, 4, 5]
