"""Who makes plans: the router over the wire, the mock, the offline model."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer

from penstock import ConfigurationError
from penstock.ai import ModelAnswer, ModelFailure, answer_or_raise
from penstock.testing import ModelServer
from systems.learning_plans import build
from systems.learning_plans.application.curation_ports import CurationTask
from systems.learning_plans.application.explanations import explanation_request
from systems.learning_plans.application.plan_prompt import MINUTES, plan_prompt
from systems.learning_plans.domain.effort import normalize_effort
from systems.learning_plans.domain.entities import LearningStyle, SkillLevel, Wishes
from systems.learning_plans.domain.parsing import parse_plan
from systems.learning_plans.infrastructure.mock_provider import Congruential, MockProvider
from systems.learning_plans.infrastructure.offline_plan import plan_generation
from systems.learning_plans.infrastructure.providers import get_generation_provider
from systems.learning_plans.settings import Settings
from tests.learning_plans.support import PLAN, attempts, create, finish, job, plan, status, titles

# The libraries of providers take seconds to load, on a busy machine many.
pytestmark = pytest.mark.timeout(180)

WISHED = Wishes("Photosynthesis", None, SkillLevel.BEGINNER, 5, LearningStyle.VIDEO)
NAMES = ("google", "cloudflare", "openrouter")


def asked(wishes: Wishes = WISHED) -> Any:
    return plan_prompt("p", "u", wishes).request


@pytest.fixture
async def wires(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, ModelServer]]:
    """A server for each provider of the chain, with a key and a model of its own."""
    servers = {name: ModelServer() for name in NAMES}
    for name, server in servers.items():
        await server.__aenter__()
        monkeypatch.setenv(f"{name.upper()}_API_KEY", f"key of {name}")
        monkeypatch.setenv(f"{name.upper()}_BASE_URL", server.base_url)
        monkeypatch.setenv(f"{name.upper()}_MODEL", f"model of {name}")
    yield servers
    for server in servers.values():
        await server.__aexit__(None, None, None)


def router(**settings: Any) -> Any:
    return get_generation_provider(Settings(ai_provider="router", **settings))


async def test_the_first_provider_is_asked_for_json_and_streams(wires: dict[str, ModelServer]) -> None:
    wires["google"].answer(PLAN, chunks=5)
    chain, told = router(), list[str]()
    answer = answer_or_raise(await chain.ask(asked(), on_text=told.append))
    await chain.close()
    assert (answer.provider, answer.text, "".join(told), len(told)) == ("google", PLAN, PLAN, 5)
    [request] = wires["google"].requests
    assert request.headers["authorization"] == "Bearer key of google"
    assert request.json["model"] == "model of google"
    assert request.json["stream"] is True
    assert request.json["response_format"] == {"type": "json_object"}
    assert (request.json["temperature"], request.json["max_tokens"]) == (0.2, 1_200)
    assert request.json["messages"][0]["content"].startswith("Task: plan_generation\n")


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_busy_provider_is_asked_once_more_and_then_the_next(wires: dict[str, ModelServer], status: int) -> None:
    wires["google"].fail(status, times=2)
    wires["cloudflare"].answer(PLAN)
    chain = router()
    began = time.monotonic()
    answer = answer_or_raise(await chain.ask(asked()))
    await chain.close()
    assert (answer.provider, [wires[name].calls for name in NAMES]) == ("cloudflare", [2, 1, 0])
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_any_other_error_goes_straight_to_the_next(wires: dict[str, ModelServer], status: int) -> None:
    wires["google"].fail(status)
    wires["cloudflare"].answer(PLAN)
    chain = router()
    answer = answer_or_raise(await chain.ask(asked()))
    await chain.close()
    assert (answer.provider, wires["google"].calls) == ("cloudflare", 1)


async def test_a_connection_that_breaks_is_a_network_error(wires: dict[str, ModelServer]) -> None:
    wires["google"].drop(after_chunks=1, times=2)
    wires["cloudflare"].answer(PLAN)
    chain = router()
    answer = answer_or_raise(await chain.ask(asked(), on_text=list[str]().append))
    await chain.close()
    assert (answer.provider, wires["google"].calls) == ("cloudflare", 2)


async def test_when_all_fail_the_last_error_counts(wires: dict[str, ModelServer]) -> None:
    wires["google"].fail(500, times=2)
    wires["cloudflare"].fail(429, retry_after=0, times=2)
    wires["openrouter"].fail(401)
    chain = router(enable_openrouter=True)
    failure = await chain.ask(asked())
    await chain.close()
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.provider) == ("auth", "openrouter")
    assert [wires[name].calls for name in NAMES] == [2, 2, 1]


async def test_a_whole_answer_is_taken_where_a_stream_was_asked_for(
    wires: dict[str, ModelServer], httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = {"role": "assistant", "content": PLAN}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": message, "finish_reason": "stop"}
    ]}  # fmt: skip
    httpserver.expect_request("/v1/chat/completions").respond_with_json(body)
    monkeypatch.setenv("GOOGLE_BASE_URL", httpserver.url_for("/v1"))
    chain = router()
    answer = answer_or_raise(await chain.ask(asked(), on_text=list[str]().append))
    await chain.close()
    assert (answer.provider, answer.text) == ("google", PLAN)


async def test_a_job_makes_no_more_calls_than_attempts_times_providers_times_two(
    wires: dict[str, ModelServer], sqlite_url: str
) -> None:
    for server in wires.values():
        server.fail(500, times=100)
    settings = Settings(database_url=sqlite_url, ai_provider="router", enable_openrouter=True, enable_curation=False)
    plans = build(settings)
    await plans.open()
    plan_id, job_id = await create(plans)
    await finish(plans)
    done = await job(plans, job_id)
    calls = await plans.engine.jobs.calls(job_id)
    assert (done["status"], len(await attempts(plans, plan_id))) == ("failed", 3)
    await plans.stop()
    assert [server.calls for server in wires.values()] == [6, 6, 6]
    assert len(calls) == 3 * 3 * 2


async def test_with_a_router_a_plan_is_made_over_the_wire(wires: dict[str, ModelServer], sqlite_url: str) -> None:
    wires["google"].answer(PLAN, chunks=7)
    wires["google"].answer("It is one step. Do it.", times=20)
    plans = build(Settings(database_url=sqlite_url, ai_provider="router", app_env="test"))
    await plans.open()
    plan_id, job_id = await create(plans)
    await finish(plans)
    shown, done = await plan(plans, plan_id), await job(plans, job_id)
    assert (await status(plans, plan_id))["status"] == "ready"
    assert titles(shown)["Basics"] == ["Tables", "Rows"]
    # In the test environment curation is part of the job.
    assert (done["result"]["curation"], done["result"]["provider"]) == ("inline", "google")
    tasks = [task for module in shown["modules"] for task in module["tasks"]]
    assert {task["micro_explanation"] for task in tasks} == {"It is one step. Do it."}
    assert {task["curation"]["status"] for task in tasks} == {"done"}
    assert await plans.engine.jobs.find(kind="plan_curation") == []
    assert len(await plans.engine.jobs.calls(job_id)) == 6
    await plans.stop()


def test_a_chain_without_a_key_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        for part in ("API_KEY", "BASE_URL", "MODEL"):
            monkeypatch.delenv(f"{name.upper()}_{part}", raising=False)
    with pytest.raises(ConfigurationError, match="GOOGLE_API_KEY"):
        router()
    with pytest.raises(ConfigurationError, match="CLOUDFLARE_BASE_URL"):
        router(ai_provider_chain=("cloudflare",))


def made_offline(wishes: Wishes) -> Any:
    return parse_plan(plan_generation(asked(wishes)))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(
    st.sampled_from(SkillLevel), st.sampled_from(LearningStyle), st.integers(0, 80),
    st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=3, max_size=200), st.none() | TEXTS,
)  # fmt: skip
def test_an_offline_plan_passes_every_rule_whatever_is_wished(
    level: SkillLevel, style: LearningStyle, hours: int, topic: str, notes: str | None
) -> None:
    wished = Wishes(topic, notes, level, hours, style)
    found = made_offline(wished)
    least, most = MINUTES[level]
    assert not found.truncated
    assert 3 <= len(found.modules) <= 6
    for module in found.modules:
        assert 3 <= len(module.tasks) <= 6
        assert module.estimated_minutes == sum(task.estimated_minutes for task in module.tasks)
        assert all(least <= task.estimated_minutes <= most for task in module.tasks)
    assert normalize_effort(found.modules) == (found.modules, False)
    assert made_offline(wished) == found


def test_an_offline_plan_is_built_around_the_topic_the_way_and_the_notes() -> None:
    notes = "The Calvin cycle fixes carbon dioxide. Chlorophyll absorbs the light."
    found = made_offline(Wishes("Photosynthesis", notes, SkillLevel.BEGINNER, 5, LearningStyle.VIDEO))
    shown = {module.title: module for module in found.modules}
    assert "What Photosynthesis is about" in shown
    assert "Watch an overview of Photosynthesis" in [task.title for task in found.modules[0].tasks]
    from_notes = [module for title, module in shown.items() if title.startswith("From your notes: ")]
    assert len(from_notes) == 2
    assert {"Your notes say: “The Calvin cycle fixes carbon dioxide.”"} < {one.description for one in from_notes}
    reading = made_offline(Wishes("Photosynthesis", None, SkillLevel.BEGINNER, 5, LearningStyle.READING))
    assert reading.modules[0].tasks[0].title == "Read an overview of Photosynthesis"
    assert len(reading.modules) == 4


async def test_the_offline_model_answers_both_tasks_and_says_that_it_is_one() -> None:
    chain = get_generation_provider(Settings())
    task = CurationTask("t", (1, 1), "Leaves", "About leaves.")
    for request in (asked(), explanation_request("Photosynthesis", "beginner", task)):
        answer = answer_or_raise(await chain.ask(request))
        assert (answer.provider, answer.offline) == ("offline", True)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The mock's pauses are noted, and not made."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return pauses


async def test_the_mock_streams_and_dawdles(hasty: list[float]) -> None:
    told: list[str] = []
    answer = await MockProvider(start=7).call(asked(), on_text=told.append)
    assert isinstance(answer, ModelAnswer)
    assert "".join(told) == answer.text
    assert {len(piece) for piece in told[:-1]} == {80}
    assert hasty[:-1] == [0.05] * (len(told) - 1)
    assert 5 <= hasty[-1] <= 9
    parsed = parse_plan(answer.text)
    assert 3 <= len(parsed.modules) <= 5
    assert all(3 <= len(module.tasks) <= 5 for module in parsed.modules)
    again = await MockProvider(start=7).call(asked())
    other = await MockProvider(start=8).call(asked())
    assert again.text == answer.text != other.text
    assert json.loads(answer.text)


async def test_the_mock_waits_a_second_at_least_and_fails_as_often_as_it_is_told(hasty: list[float]) -> None:
    mock = MockProvider(delay_ms=0)
    for _ in range(20):
        await mock.call(asked())
    tails = [pause for pause in hasty if pause != 0.05]
    assert min(tails) == 1.0
    assert max(tails) <= 2.0
    flaky = MockProvider(failure_rate=0.25)
    outcomes = [await flaky.call(asked()) for _ in range(400)]
    failed = sum(isinstance(outcome, ModelFailure) for outcome in outcomes)
    assert 60 <= failed <= 140
    assert isinstance(await MockProvider(failure_rate=1).call(asked()), ModelFailure)


def test_the_generator_is_the_one_of_numerical_recipes() -> None:
    numbers = Congruential(0)
    numbers.below(2)
    assert numbers._state == 1_013_904_223
    numbers.below(2)
    assert numbers._state == (1_664_525 * 1_013_904_223 + 1_013_904_223) % 2**32
