"""Models asked from handlers, over the wire: what is paid once, and what the ledger says of it."""

from penstock import Fixed, Job, JobState, Penstock
from penstock.ai import CallPolicy, ModelChain, ModelRequest, answer_or_raise
from penstock.ai.providers import provider_from
from penstock.testing import ModelServer
from tests.worker.working import Note, reached, until, working

QUESTION = ModelRequest("Answer.", "What is a penstock?", timeout_s=20)


def chain(engine: Penstock, server: ModelServer, *, retries: int = 0) -> ModelChain:
    provider = provider_from("openai", model="gpt-4o-mini", api_key="key", base_url=server.base_url)
    return ModelChain([provider], policy=CallPolicy(retries=retries), gate=engine.ledger)


async def test_a_retry_does_not_pay_for_a_step_again(any_engine: Penstock):
    async with ModelServer() as server:
        server.answer("A pipe.", input_tokens=1_000, output_tokens=100)
        models = chain(any_engine, server)

        async def ask() -> str:
            return answer_or_raise(await models.ask(QUESTION)).text

        async def handle(job: Job[Note]) -> str:
            answer = await job.step("ask", ask)
            if job.attempt < 3:
                raise ValueError("something after it broke")
            return answer

        handle_ = await any_engine.enqueue(Note(), retry=Fixed(0), tenant="acme")
        async with working(any_engine, handle):
            assert await handle_.result(30) == "A pipe."
        await models.close()
    assert server.calls == 1
    [call] = await any_engine.jobs.calls(handle_.id)
    assert (call.step, call.attempt, call.outcome) == ("ask", 1, "answered")
    assert (call.input_tokens, call.output_tokens) == (1_000, 100)
    [row] = await any_engine.usage(by="tenant")
    assert row.name == "acme"
    assert row.cost > 0
    assert row.saved == 2 * row.cost, "two later attempts did not pay again"


async def test_failed_calls_are_in_the_ledger_with_their_kind(engine: Penstock):
    async with ModelServer() as server:
        server.fail(429, retry_after=0)
        server.fail(500)
        server.answer("A pipe.")
        models = chain(engine, server, retries=2)

        async def ask() -> str:
            return answer_or_raise(await models.ask(QUESTION)).text

        async def handle(job: Job[Note]) -> str:
            return await job.step("ask", ask)

        handle_ = await engine.enqueue(Note())
        async with working(engine, handle):
            assert await handle_.result(30) == "A pipe."
        await models.close()
    calls = await engine.jobs.calls(handle_.id)
    assert [(call.outcome, call.tried) for call in calls] == [("rate_limit", 1), ("provider_error", 2), ("answered", 3)]
    assert [row.failed for row in await engine.usage(by="step")] == [2]


async def test_cancelling_a_job_closes_the_call_and_its_row(any_engine: Penstock):
    async with ModelServer() as server:
        stream = server.stream()
        models = chain(any_engine, server)

        async def ask() -> str:
            return answer_or_raise(await models.ask(QUESTION, on_text=lambda piece: None)).text

        async def handle(job: Job[Note]) -> str:
            return await job.step("ask", ask)

        handle_ = await any_engine.enqueue(Note())
        async with working(any_engine, handle):
            await stream.send("A pi")
            await any_engine.cancel(handle_.id)
            await stream.closed_by_client()
            await reached(any_engine, handle_.id, JobState.CANCELLED)
            await until(lambda: _is_closed(any_engine, handle_.id))
        await models.close()
    [call] = await any_engine.jobs.calls(handle_.id)
    assert call.outcome == "cancelled"
    assert await any_engine.jobs.steps(handle_.id) == []


async def _is_closed(engine: Penstock, job_id: str) -> bool:
    return all(call.outcome is not None for call in await engine.jobs.calls(job_id))
