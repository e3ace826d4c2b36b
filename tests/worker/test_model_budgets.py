"""Budgets under a real worker and over the wire: jobs wait without a slot or an attempt, and go on when they may."""

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from penstock import Fixed, Job, JobState, Penstock
from penstock.ai import Budget, CallPolicy, ModelChain, ModelRequest, answer_or_raise
from penstock.ai.providers import provider_from
from penstock.ledger import cost_of
from penstock.store.programs.calls import close_lost_calls
from penstock.testing import ModelServer
from penstock.worker.duties import standard_duties
from tests.support.clock import MovableClock
from tests.worker.budget_caller import MOST, cost
from tests.worker.working import NO_PROFILE, Note, reached, until, working

ROOT = Path(__file__).parents[2]
QUESTION = ModelRequest("Answer.", "What is a penstock?", max_output_tokens=100, timeout_s=20)


def chain(engine: Penstock, server: ModelServer, model: str = "gpt-4o-mini") -> ModelChain:
    provider = provider_from("openai", model=model, api_key="key", base_url=server.base_url)
    return ModelChain([provider], policy=CallPolicy(tries=3), gate=engine.ledger)


async def waits(engine: Penstock, job_id: str) -> None:
    view = await reached(engine, job_id, JobState.SCHEDULED)
    assert (view.reason or "").startswith("budget 'b'")
    assert view.attempt == 0


async def test_a_job_waits_for_its_budget_and_goes_on_at_once_when_it_is_raised(any_engine: Penstock):
    await any_engine.budgets.set("b", tokens=150, per="day", tenant="*")
    async with ModelServer() as server:
        server.answer("A pipe.", input_tokens=100, output_tokens=50, times=3)
        models = chain(any_engine, server)

        async def ask() -> str:
            return answer_or_raise(await models.ask(QUESTION)).text

        async def handle(job: Job[Note]) -> str:
            return await job.step("ask", ask)

        async with working(any_engine, handle, concurrency=1):
            first = await any_engine.enqueue(Note(), tenant="acme", retry=Fixed(0))
            assert await first.result(20) == "A pipe."
            second = await any_engine.enqueue(Note(), tenant="acme", retry=Fixed(0))
            await waits(any_engine, second.id)
            other = await any_engine.enqueue(Note(), tenant="bolt")
            assert await other.result(20) == "A pipe.", "the slot is free, and another tenant has its own"
            why = await any_engine.jobs.why(second.id)
            [spent] = [one for one in await any_engine.budgets.list("b") if one.tenant == "acme"]
            assert (spent.spent, spent.waiting, why.until) == (Decimal(150), 1, spent.window_end)
            assert (await any_engine.budgets.set("b", tokens=1_000)).resumed == 1
            assert await second.result(20) == "A pipe."
        await models.close()
    assert (await any_engine.get(second.id)).attempt == 1
    assert server.calls == 3


async def test_steps_under_way_end_their_calls_and_are_not_repeated(any_engine: Penstock):
    await any_engine.budgets.set("b", tokens=240)
    async with ModelServer() as server:
        models = chain(any_engine, server)
        stream = server.stream(when=lambda request: "first" in str(request.json))
        server.answer("Two.", input_tokens=100, output_tokens=50, times=3)

        async def ask(what: str) -> str:
            request = ModelRequest("Answer.", what, max_output_tokens=100, timeout_s=20)
            return answer_or_raise(await models.ask(request, on_text=lambda piece: None)).text

        async def second_and_third() -> str:
            return await ask("second") + await ask("third")

        async def handle(job: Job[Note]) -> list[str]:
            return list(await asyncio.gather(job.step("first", ask, "first"), job.step("others", second_and_third)))

        async with working(any_engine, handle):
            handle_ = await any_engine.enqueue(Note())
            await stream.send("One")
            await until(lambda: server.calls == 2)
            await until(lambda: _held(any_engine))
            assert (await any_engine.get(handle_.id)).state is JobState.RUNNING, "its first step is not cut off"
            await stream.end(input_tokens=100, output_tokens=50)
            await waits(any_engine, handle_.id)
            assert [one["name"] for one in await steps(any_engine, handle_.id)] == ["first"]
            await any_engine.budgets.set("b", tokens=10_000)
            assert await handle_.result(20) == ["One", "Two.Two."]
        await models.close()
    assert server.calls == 4, "the first was asked once, the second again: its step had not ended"


async def steps(engine: Penstock, job_id: str) -> list[dict[str, Any]]:
    return [{"name": one.name} for one in await engine.jobs.steps(job_id)]


async def _held(engine: Penstock) -> bool:
    return bool([event for event in await engine.events.read(stream="budgets") if event.type == "budget.spent"])


async def test_a_model_without_a_price_fails_its_job_for_good(any_engine: Penstock):
    await any_engine.budgets.set("b", dollars=1)
    async with ModelServer() as server:
        models = chain(any_engine, server, model="house-model-7")

        async def ask() -> str:
            return answer_or_raise(await models.ask(QUESTION)).text

        async def handle(job: Job[Note]) -> str:
            return await job.step("ask", ask, tries=3)

        async with working(any_engine, handle):
            handle_ = await any_engine.enqueue(Note(), max_attempts=5, retry=Fixed(0))
            view = await reached(any_engine, handle_.id, JobState.FAILED)
        await models.close()
    assert (view.attempt, server.calls) == (1, 0)
    [error] = await any_engine.jobs.errors(handle_.id)
    assert "budget 'b' is in dollars and no price is known for model 'house-model-7' of 'openai'" in error.message


async def test_a_price_of_ones_own_opens_the_way(sqlite_path: Path):
    def cost(provider: str, model: str, sent: int | None, answered: int | None, cached: int | None) -> int | None:
        return 5_000 if model == "house-model-7" else cost_of(provider, model, sent, answered, cached)

    async with ModelServer() as server, Penstock(f"sqlite:///{sqlite_path}", cost=cost, **NO_PROFILE) as engine:
        await engine.budgets.set("b", dollars="0.00001")
        server.answer("A pipe.", times=2)
        models = chain(engine, server, model="house-model-7")

        async def handle(job: Job[Note]) -> str:
            return answer_or_raise(await models.ask(QUESTION)).text

        async with working(engine, handle):
            for _ in range(2):
                assert await (await engine.enqueue(Note())).result(20) == "A pipe."
            await waits(engine, (await engine.enqueue(Note())).id)
        await models.close()


async def test_money_is_counted_as_the_ledger_counts_it(any_engine: Penstock):
    await any_engine.budgets.set("b", dollars=1, per="month", kind="*")
    async with ModelServer() as server:
        server.answer("A pipe.", input_tokens=1_000, output_tokens=100)
        models = chain(any_engine, server)

        async def handle(job: Job[Note]) -> str:
            return answer_or_raise(await models.ask(QUESTION)).text

        async with working(any_engine, handle):
            await (await any_engine.enqueue(Note())).result(20)
        await models.close()
    [budget], [row] = await any_engine.budgets.list(), await any_engine.usage(by="kind")
    assert budget.kind == "note"
    assert budget.spent == row.cost > 0
    assert budget.reserved == 0


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, sqlite_path: Path) -> str:
    url = f"sqlite:///{sqlite_path}" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    engine = Penstock(url)
    await engine.store.migrate()
    await engine.close()
    return url


async def test_what_a_killed_process_had_reserved_is_settled_by_the_leader(url: str):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.worker.dying_caller", url, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
    )
    assert await asyncio.wait_for(process.wait(), 50) == -signal.SIGKILL
    async with Penstock(url, **NO_PROFILE) as engine:
        [before] = await engine.budgets.list("b")
        assert [before.spent, before.reserved] == [Decimal(0), Decimal(700)]
        [duty] = [one for one in standard_duties(engine.settings) if one.name == "ledger"]
        later = MovableClock(datetime.now(UTC) + timedelta(hours=2))
        await duty.run(engine.store, later.now())
        [after] = await engine.budgets.list("b")
        assert [after.spent, after.reserved] == [Decimal(700), Decimal(0)]
        assert await engine.store.run(close_lost_calls(later.now(), cost_of)) == 0


async def test_processes_one_of_which_is_killed_never_pass_a_budget(url: str):
    callers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.worker.budget_caller", url, str(seed), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        for seed in range(4)
    ]
    async with Penstock(url, **NO_PROFILE) as engine:
        await until(lambda: _has_spent(engine, 3))
        callers[0].kill()
        later = MovableClock(datetime.now(UTC) + timedelta(hours=2))
        ends = asyncio.gather(*(process.wait() for process in callers))
        while not ends.done():
            # The leader frees what the killed one had reserved. To it the others' calls are lost, too: they come back.
            await engine.store.run(close_lost_calls(later.now(), cost))
            await asyncio.wait([ends], timeout=0.2)
        assert await ends == [-signal.SIGKILL, 0, 0, 0]
        await engine.store.run(close_lost_calls(later.now(), cost))
        views = await engine.budgets.list()
        [row] = await engine.usage(by="provider")
    assert {view.reserved for view in views} == {Decimal(0)}
    assert all(view.spent <= view.amount for view in views), views
    by_name = {view.name: view for view in views if view.name != "each"}
    assert by_name["all"].spent == by_name["day"].spent == row.cost
    assert sum(view.spent for view in views if view.name == "each") == row.input_tokens
    assert row.cost > 15 - MOST / Decimal(1_000), "what is left is less than one call may cost"


async def _has_spent(engine: Penstock, dollars: int) -> bool:
    return any(view.spent > dollars for view in await engine.budgets.list() if view.name == "all")


def test_a_budget_in_code_holds_from_the_first_call(sqlite_path: Path):
    async def session() -> None:
        async with Penstock(f"sqlite:///{sqlite_path}", budgets=[Budget("b", tokens=10)]) as engine:
            assert await engine.budgets.list() == []
            await engine.ledger.declare()
            [view] = await engine.budgets.list()
            assert (view.source, view.amount, view.left) == ("code", Decimal(10), Decimal(10))

    asyncio.run(session())
