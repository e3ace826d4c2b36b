"""Anthropic and Google over their own wires, at a local stub: one success, one limit, one refusal of each."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import BaseModel
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from penstock.ai import ModelChain, ModelFailure, ModelRequest, Usage, answer_or_raise
from penstock.ai.providers import provider_from
from penstock.errors import ConfigurationError

REQUEST = ModelRequest("Be brief.", "The capital of France?", max_output_tokens=50)
ANTHROPIC, GOOGLE = "claude-sonnet-5", "gemini-2.5-flash"


class City(BaseModel):
    name: str


class Stub:
    """Answers what it is told, and counts."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.answer: tuple[int, Any, dict[str, str]] = (500, {}, {})
        self.requests: list[tuple[str, Any, dict[str, str]]] = []
        server.expect_request(re.compile(".*")).respond_with_handler(self._respond)

    def says(self, body: Any, status: int = 200, **headers: str) -> None:
        self.answer = (status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    def _respond(self, request: Request) -> Response:
        self.requests.append((request.path, request.get_json(), {k.lower(): v for k, v in request.headers.items()}))
        status, body, headers = self.answer
        if isinstance(body, str):
            return Response(body, status, headers, content_type="text/event-stream")
        return Response(json.dumps(body), status, headers, content_type="application/json")


@pytest.fixture
def stub(httpserver: HTTPServer) -> Stub:
    return Stub(httpserver)


@asynccontextmanager
async def chain_of(name: str, model: str, stub: Stub) -> AsyncIterator[ModelChain]:
    chain = ModelChain([provider_from(name, model=model, api_key="k", base_url=stub.url)])
    try:
        yield chain
    finally:
        await chain.close()


def said(text: str, stop: str = "end_turn") -> dict[str, Any]:
    """A message of Anthropic's."""
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": ANTHROPIC, "stop_reason": stop,
        "content": [{"type": "text", "text": text}] if text else [],
        "usage": {"input_tokens": 12, "output_tokens": 2, "cache_read_input_tokens": 3},
    }  # fmt: skip


def generated(text: str, reason: str = "STOP") -> dict[str, Any]:
    """An answer of Google's."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": reason}
    usage = {"promptTokenCount": 12, "candidatesTokenCount": 2, "totalTokenCount": 14}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": GOOGLE}


async def test_anthropic_answers(stub: Stub) -> None:
    stub.says(said("Paris."), anthropic_ratelimit_requests_remaining="9")
    async with chain_of("anthropic", ANTHROPIC, stub) as chain:
        answer = answer_or_raise(await chain.ask(REQUEST))
    assert (answer.text, answer.provider, answer.finish_reason) == ("Paris.", "anthropic", "stop")
    # What came from its cache is part of the input.
    assert answer.usage == Usage(15, 2, 3)
    assert answer.limits == {"anthropic-ratelimit-requests-remaining": "9"}
    path, body, headers = stub.requests[0]
    assert (path, body["max_tokens"]) == ("/v1/messages", 50)
    assert headers.get("x-api-key", headers.get("authorization", "")).removeprefix("Bearer ") == "k"
    assert "Be brief." in json.dumps(body["system"])


async def test_anthropic_gives_structured_output(stub: Stub) -> None:
    stub.says(said('{"name": "Paris"}'))
    async with chain_of("anthropic", ANTHROPIC, stub) as chain:
        answer = answer_or_raise(await chain.ask(ModelRequest("i", "p", output=City, max_output_tokens=50)))
    assert answer.value == City(name="Paris")
    assert '"name"' in json.dumps(stub.requests[0][1]["output_config"])


async def test_a_model_without_schemas_is_asked_to_call_a_tool(stub: Stub) -> None:
    called = said("", "tool_use")
    called["content"] = [{"type": "tool_use", "id": "t1", "name": "City", "input": {"name": "Paris"}}]
    stub.says(called)
    async with chain_of("anthropic", "claude-unknown", stub) as chain:
        answer = answer_or_raise(await chain.ask(ModelRequest("i", "p", output=City)))
    assert answer.value == City(name="Paris")
    body = stub.requests[0][1]
    assert [tool["name"] for tool in body["tools"]] == ["City"]
    assert body["tool_choice"]["type"] in ("any", "tool")


async def test_anthropic_tells_its_input_tokens_when_a_stream_begins(stub: Stub) -> None:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": said("") | {"usage": {"input_tokens": 12, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Par"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "is."}},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ]
    stub.says("".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events))
    told: list[str] = []
    known: list[Usage] = []
    provider = provider_from("anthropic", model=ANTHROPIC, api_key="k", base_url=stub.url)
    failure = await provider.call(REQUEST, on_text=told.append, on_usage=known.append)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, told) == ("provider_error", True, ["Par", "is."])
    assert known == [Usage(12, 1, 0)]
    assert failure.usage == Usage(12, 1, 0)
    assert len(stub.requests) == 1
    await provider.close()


async def test_anthropic_limits(stub: Stub) -> None:
    body = {"type": "error", "error": {"type": "rate_limit_error", "message": "Too many tokens."}}
    stub.says(body, 429, retry_after="12", anthropic_ratelimit_tokens_remaining="0")
    async with chain_of("anthropic", ANTHROPIC, stub) as chain:
        failure = await chain.ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, failure.retry_after_s) == ("rate_limit", True, 12)
    assert failure.limits["anthropic-ratelimit-tokens-remaining"] == "0"
    assert "Too many tokens." in failure.message
    assert len(stub.requests) == 1


async def test_anthropic_refuses(stub: Stub) -> None:
    stub.says(said("", "refusal"))
    async with chain_of("anthropic", ANTHROPIC, stub) as chain:
        failure = await chain.ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, failure.usage) == ("content_filter", False, Usage(15, 2, 3))


async def test_google_answers(stub: Stub) -> None:
    stub.says(generated("Paris."))
    async with chain_of("google", GOOGLE, stub) as chain:
        answer = answer_or_raise(await chain.ask(REQUEST))
    assert (answer.text, answer.provider, answer.usage) == ("Paris.", "google", Usage(12, 2, 0))
    path, body, headers = stub.requests[0]
    assert path.endswith(f"/models/{GOOGLE}:generateContent")
    assert (headers["x-goog-api-key"], body["generationConfig"]["maxOutputTokens"]) == ("k", 50)


async def test_google_gives_structured_output_and_streams(stub: Stub) -> None:
    pieces = [generated('{"name": '), generated('"Paris"}')]
    stub.says("".join(f"data: {json.dumps(piece)}\r\n\r\n" for piece in pieces))
    told: list[str] = []
    async with chain_of("google", GOOGLE, stub) as chain:
        answer = answer_or_raise(await chain.ask(ModelRequest("i", "p", output=City), on_text=told.append))
    assert (answer.value, told) == (City(name="Paris"), ['{"name": ', '"Paris"}'])
    assert stub.requests[0][1]["generationConfig"]["responseMimeType"] == "application/json"


async def test_google_limits_and_says_in_the_body_how_long(stub: Stub) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "14s"}]
    error = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your quota.", "details": details}
    stub.says({"error": error}, 429)
    async with chain_of("google", GOOGLE, stub) as chain:
        failure = await chain.ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable, failure.retry_after_s) == ("rate_limit", True, 14)
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    "body",
    [generated("", "SAFETY"), {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}],
    ids=["answer", "prompt"],
)
async def test_google_refuses(stub: Stub, body: dict[str, Any]) -> None:
    stub.says(body)
    async with chain_of("google", GOOGLE, stub) as chain:
        failure = await chain.ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert (failure.kind, failure.retryable) == ("content_filter", False)


async def test_a_bad_key_is_told_from_a_bad_request_though_google_uses_one_status(stub: Stub) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    error = {"code": 400, "status": "INVALID_ARGUMENT", "message": "It is not valid.", "details": details}
    stub.says({"error": error}, 400)
    async with chain_of("google", GOOGLE, stub) as chain:
        failure = await chain.ask(REQUEST)
    assert isinstance(failure, ModelFailure)
    assert failure.kind == "auth"


@pytest.mark.parametrize(("name", "model"), [("anthropic", ANTHROPIC), ("google", GOOGLE), ("openai", "gpt-4o-mini")])
@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 529])
async def test_the_libraries_do_not_call_again_by_themselves(stub: Stub, name: str, model: str, status: int) -> None:
    stub.says({"error": {"message": "no", "code": status, "status": "NO"}}, status)
    async with chain_of(name, model, stub) as chain:
        for on_text in (None, lambda piece: None):
            calls = len(stub.requests)
            assert isinstance(await chain.ask(REQUEST, on_text=on_text), ModelFailure)
            assert len(stub.requests) == calls + 1


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("openai", {"model": "m"}, "api_key: 'openai' needs one"),
        ("openai", {"model": "", "api_key": "k"}, "model: name the model"),
        ("local", {"model": "m", "api_key": "k"}, "base_url: 'local' is no provider"),
        ("local", {"model": "m", "base_url": "localhost:8080"}, "base_url: must begin with http"),
        (
            "openai",
            {"model": "m", "api_key": "k", "wire": "telegraph"},
            "wire: must be one of anthropic, google, openai",
        ),
    ],
)
def test_what_is_missing_to_make_a_provider_is_named(name: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        provider_from(name, **options)


async def test_keys_from_the_environment_are_not_used(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(variable, "from-the-environment")
    for name, model in (("local", "m"), ("anthropic", ANTHROPIC), ("google", GOOGLE)):
        chain = ModelChain([provider_from(name, model=model, base_url=stub.url)])
        await chain.ask(REQUEST)
        await chain.close()
    assert len(stub.requests) == 3
    assert "from-the-environment" not in str(stub.requests)
