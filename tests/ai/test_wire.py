"""Real calls over OpenAI's wire: what is sent, what is read, what each trouble becomes, and that each call is one."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import BaseModel

from penstock.ai import (
    Attachment,
    CallPolicy,
    ModelAnswer,
    ModelChain,
    ModelFailure,
    ModelRequest,
    Usage,
    answer_or_raise,
)
from penstock.domain.calls import CallScope, calling
from penstock.testing.model_server import ModelServer
from tests.ai.wire import chain_at, provider_at

REQUEST = ModelRequest("Be brief.", "The capital of France?")


class City(BaseModel):
    """A city."""

    name: str
    people: int = 0


CITY = ModelRequest("Be brief.", "The capital of France?", output=City)


async def test_an_answer_comes_with_its_usage_its_limits_and_who_gave_it(server: ModelServer, chain: ModelChain):
    server.answer(
        "Paris.", input_tokens=12, output_tokens=2, cached_tokens=4, headers={"x-ratelimit-remaining-requests": "9"}
    )
    answer = answer_or_raise(await chain.ask(ModelRequest("Be brief.", "?", temperature=0.25, max_output_tokens=50)))
    assert (answer.text, answer.value, answer.provider, answer.offline) == ("Paris.", "Paris.", "first", False)
    assert (answer.usage, answer.finish_reason) == (Usage(12, 2, 4), "stop")
    assert answer.limits["x-ratelimit-remaining-requests"] == "9"
    asked = server.requests[0].json
    assert asked["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}]
    assert (asked["temperature"], asked["max_tokens"]) == (0.25, 50)


async def test_openai_itself_is_told_its_own_name_for_the_limit(server: ModelServer):
    server.answer("Paris.")
    provider = provider_at(server, "openai")
    await provider.call(ModelRequest("i", "p", max_output_tokens=50))
    assert server.requests[0].json["max_completion_tokens"] == 50
    assert server.requests[0].headers["authorization"] == "Bearer k"
    assert (provider.name, provider.model, provider.offline) == ("openai", "gpt-4o-mini", False)
    assert len(provider.account) == 8
    await provider.close()


async def test_usage_that_is_not_told_is_not_known(server: ModelServer, chain: ModelChain):
    server.answer("Paris.", input_tokens=None, times=2)
    assert answer_or_raise(await chain.ask(REQUEST)).usage == Usage()
    assert answer_or_raise(await chain.ask(REQUEST, on_text=lambda piece: None)).usage == Usage()


async def test_an_output_type_is_asked_for_by_its_schema(server: ModelServer, chain: ModelChain):
    server.answer_json({"name": "Paris", "people": 2})
    assert answer_or_raise(await chain.ask(CITY)).value == City(name="Paris", people=2)
    wanted = server.requests[0].json["response_format"]["json_schema"]
    assert wanted["name"] == "City"
    assert set(wanted["schema"]["properties"]) == {"name", "people"}


async def test_an_output_that_is_no_object_travels_in_one(server: ModelServer, chain: ModelChain):
    server.answer_json({"value": [{"name": "Paris"}, {"name": "Lyon", "people": 1}]})
    answer = answer_or_raise(await chain.ask(ModelRequest("i", "p", output=list[City])))
    assert answer.value == [City(name="Paris"), City(name="Lyon", people=1)]
    schema = server.requests[0].json["response_format"]["json_schema"]["schema"]
    assert (schema["type"], schema["required"]) == ("object", ["value"])
    assert "City" in json.dumps(schema["$defs"])


async def test_json_text_is_asked_for_as_json(server: ModelServer, chain: ModelChain):
    server.answer('```json\n{"a": 1,}\n```')
    answer = answer_or_raise(await chain.ask(ModelRequest("Answer in JSON.", "p", json=True)))
    assert answer.value == '{"a": 1}'
    assert server.requests[0].json["response_format"] == {"type": "json_object"}
    assert server.requests[0].json["messages"][0]["content"] == "Answer in JSON."


async def test_attachments_go_with_the_text_in_order(server: ModelServer, chain: ModelChain):
    server.answer("A cat.")
    await chain.ask(ModelRequest("i", ["What is this?", Attachment(b"PNG", "image/png"), "Be brief."]))
    parts = server.requests[0].json["messages"][1]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text"]
    assert parts[1]["image_url"]["url"] == "data:image/png;base64,UE5H"


async def test_an_attachment_the_model_does_not_take_is_refused_without_a_call(server: ModelServer, chain: ModelChain):
    failure = await chain.ask(ModelRequest("i", ["?", Attachment(b"MP4", "video/mp4")]), policy=CallPolicy(tries=1))
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable) == ("validation", False)
    assert server.calls == 0


async def test_the_key_of_a_call_is_the_same_in_every_attempt_and_another_for_another_request(
    server: ModelServer, chain: ModelChain
):
    server.answer("Paris.", times=4)
    first = CallScope("job-1", 1, 1, "work", step="outline")
    with calling(first):
        await chain.ask(REQUEST)
        await chain.ask(ModelRequest("Be brief.", "Of Spain?"))
    with calling(first._replace(claim_id=2, attempt=2)):
        await chain.ask(REQUEST)
    await chain.ask(REQUEST)
    keys = [request.headers.get("idempotency-key") for request in server.requests]
    assert keys[0] == keys[2]
    assert keys[0] != keys[1]
    assert keys[0] is not None
    assert keys[0].startswith("job-1:outline:")
    assert keys[3] is None


@pytest.mark.parametrize(
    ("status", "options", "kind", "retryable"),
    [
        (400, {}, "validation", False),
        (401, {}, "auth", False),
        (403, {}, "auth", False),
        (404, {}, "validation", False),
        (408, {}, "timeout", True),
        (413, {}, "context_too_long", False),
        (422, {}, "validation", False),
        (429, {}, "rate_limit", True),
        (500, {}, "provider_error", True),
        (502, {"body": "<html>Bad Gateway</html>"}, "provider_error", True),
        (503, {}, "provider_error", True),
        (529, {}, "provider_error", True),
        (400, {"code": "context_length_exceeded"}, "context_too_long", False),
        (400, {"code": "content_filter"}, "content_filter", False),
        (401, {"code": "invalid_api_key"}, "auth", False),
        (404, {"code": "model_not_found"}, "validation", False),
        (429, {"code": "insufficient_quota"}, "auth", False),
        (403, {"body": {"error": {"message": "no", "metadata": {"reasons": ["x"]}}}}, "content_filter", False),
    ],
)
@pytest.mark.parametrize("streams", [False, True])
async def test_each_error_of_a_provider_is_a_failure_of_its_kind_after_one_call(
    server: ModelServer, chain: ModelChain, status: int, options: dict[str, Any], kind: str, retryable: bool,
    streams: bool,
):  # fmt: skip
    server.fail(status, **options)
    failure = await chain.ask(REQUEST, on_text=(lambda piece: None) if streams else None)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable) == (kind, retryable)
    assert (failure.provider, failure.model) == ("first", "gpt-4o-mini")
    assert str(status) in failure.message
    assert [one.kind for one in failure.tries] == [kind]
    assert server.calls == 1


@pytest.mark.parametrize("streams", [False, True])
async def test_a_dropped_connection_and_nonsense_are_failures_of_the_provider_after_one_call(
    server: ModelServer, chain: ModelChain, streams: bool
):
    server.drop()
    server.say_nonsense("<html>")
    server.say_nonsense('{"object": "surprise"}')
    for calls in (1, 2, 3):
        failure = await chain.ask(REQUEST, on_text=(lambda piece: None) if streams else None)
        assert isinstance(failure, ModelFailure)
        assert (failure.kind, failure.retryable) == ("provider_error", True)
        assert server.calls == calls


async def test_a_provider_that_is_not_there_is_a_failure_of_the_provider():
    async with ModelServer() as server:
        provider = provider_at(server)
    failure = await ModelChain([provider]).ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable) == ("provider_error", True)
    await provider.close()


@pytest.mark.parametrize("streams", [False, True])
async def test_the_content_filter_may_also_stop_an_answer(server: ModelServer, chain: ModelChain, streams: bool):
    server.answer("I wi", finish_reason="content_filter", input_tokens=9, output_tokens=1)
    failure = await chain.ask(REQUEST, on_text=(lambda piece: None) if streams else None)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, failure.usage) == ("content_filter", False, Usage(9, 1, 0))


async def test_an_answer_without_text_is_no_answer(server: ModelServer, chain: ModelChain):
    server.answer(" ", chunks=1, input_tokens=9, output_tokens=0)
    server.answer(" ", chunks=1, finish_reason="length")
    failure = await chain.ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.usage) == ("provider_error", Usage(9, 0, 0))
    failure = await chain.ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert "max_output_tokens" in failure.message


async def test_how_long_to_wait_is_kept_in_seconds_and_as_a_date(server: ModelServer, chain: ModelChain):
    soon = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    server.fail(429, retry_after=3)
    server.fail(503, retry_after=soon)
    server.fail(429, headers={"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m30s"})
    limited, away, spent = [await chain.ask(REQUEST) for _ in range(3)]
    assert isinstance(limited, ModelFailure)
    assert isinstance(away, ModelFailure)
    assert isinstance(spent, ModelFailure)
    assert (limited.kind, limited.retry_after_s) == ("rate_limit", 3)
    assert away.retry_after_s is not None
    assert 3_500 < away.retry_after_s <= 3_600
    assert (spent.retry_after_s, spent.limits["x-ratelimit-remaining-tokens"]) == (90, "0")


async def test_providers_are_asked_in_order_and_each_try_is_kept():
    async with ModelServer() as first, ModelServer() as second, ModelServer() as third:
        first.fail(503, retry_after=60)
        second.fail(401)
        third.answer("Paris.", input_tokens=12, output_tokens=2)
        async with chain_at(first, second, third) as chain:
            answer = answer_or_raise(await chain.ask(REQUEST))
    assert [(one.provider, one.kind, one.usage) for one in answer.tries] == [
        ("first", "provider_error", Usage()), ("second", "auth", Usage()), ("third", None, Usage(12, 2, 0)),
    ]  # fmt: skip
    assert all(one.latency_s > 0 for one in answer.tries)
    assert (first.calls, second.calls, third.calls) == (1, 1, 1)


@pytest.mark.parametrize("tries", [1, 2, 3, 4])
async def test_the_cap_is_never_exceeded_whatever_goes_wrong(tries: int):
    async with ModelServer() as first, ModelServer() as second:
        for server in (first, second):
            server.fail(503)
            server.answer("no json")
            server.fail(429)
            server.answer("no json", times=9)
        policy = CallPolicy(tries=tries, retries=9, retry_delay_s=(0, 0))
        async with chain_at(first, second) as chain:
            failure = await chain.ask(CITY, policy=policy)
    assert isinstance(failure, ModelFailure)
    assert first.calls + second.calls == tries == len(failure.tries)


async def test_repair_needs_no_second_call(server: ModelServer, chain: ModelChain):
    server.answer('Here it is:\n```json\n{"name": "Paris", "people": null,}\n```')
    assert answer_or_raise(await chain.ask(CITY)).value == City(name="Paris")
    assert server.calls == 1


async def test_one_reask_shows_the_error_in_its_prompt(server: ModelServer, chain: ModelChain):
    server.answer_json({"people": "many"})
    server.answer_json({"name": "Paris"})
    answer = answer_or_raise(await chain.ask(CITY))
    assert answer.value == City(name="Paris")
    assert [one.kind for one in answer.tries] == ["validation", None]
    again = json.dumps(server.requests[1].json["messages"])
    assert "The capital of France?" in again
    assert "name: Field required" in again
    assert "people: Input should be a valid integer" in again
    assert server.calls == 2


async def test_an_answer_is_never_an_exception_but_a_success_or_a_failure(server: ModelServer, chain: ModelChain):
    # Nothing is scripted: the server says so with status 500.
    outcome = await chain.ask(REQUEST)
    assert isinstance(outcome, ModelAnswer | ModelFailure)
