"""Servers that answer with one JSON object where a stream was asked for."""

import json
from typing import Any

import pytest
from pydantic import BaseModel
from pytest_httpserver import HTTPServer

from penstock.ai import ModelChain, ModelFailure, ModelRequest, Usage, answer_or_raise
from penstock.ai.providers import provider_from


class City(BaseModel):
    name: str


def completion(content: str | None, **message: Any) -> dict[str, Any]:
    return {
        "id": "c1", "object": "chat.completion", "created": 1, "model": "llama",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": "tool_calls" if message else "stop",
            }
        ],
        "usage": {"prompt_tokens": 8, "completion_tokens": 3, "total_tokens": 11},
    }  # fmt: skip


def chain_at(server: HTTPServer) -> ModelChain:
    return ModelChain([provider_from("small", model="llama", base_url=server.url_for("/v1"))])


async def test_a_whole_answer_is_a_stream_of_one_piece(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/chat/completions", method="POST").respond_with_json(completion("Paris it is."))
    chain, told = chain_at(httpserver), list[str]()
    answer = answer_or_raise(await chain.ask(ModelRequest("i", "p"), on_text=told.append))
    await chain.close()
    assert (answer.text, answer.usage, answer.finish_reason) == ("Paris it is.", Usage(8, 3, 0), "stop")
    assert told == ["Paris it is."]
    [(request, _)] = httpserver.log
    assert json.loads(request.data)["stream"] is True
    assert request.headers["Accept-Encoding"] == "identity"


async def test_a_whole_answer_by_a_tool_is_read_as_well(httpserver: HTTPServer) -> None:
    call = {"id": "t", "type": "function", "function": {"name": "City", "arguments": '{"name": "Paris"}'}}
    answered = completion(None, tool_calls=[call])
    httpserver.expect_request("/v1/chat/completions").respond_with_json(answered)
    chain, told = chain_at(httpserver), list[str]()
    answer = answer_or_raise(await chain.ask(ModelRequest("i", "p", output=City), on_text=told.append))
    await chain.close()
    assert answer.value == City(name="Paris")
    assert "".join(told) == '{"name": "Paris"}'


@pytest.mark.parametrize("body", ["[]", "{", '{"choices": 7}', '{"choices": [{"index": 0}]}', ""])
async def test_json_that_is_no_completion_is_a_failure(httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/v1/chat/completions").respond_with_data(body, content_type="application/json")
    chain = chain_at(httpserver)
    failure = await chain.ask(ModelRequest("i", "p"), on_text=list[str]().append)
    await chain.close()
    assert isinstance(failure, ModelFailure)
    assert failure.kind == "provider_error"
    assert len(httpserver.log) == 1
