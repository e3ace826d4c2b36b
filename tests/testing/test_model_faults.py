"""The faults of the model server over the wire: those that are scripted, and those of its clients."""

import asyncio
import json

import httpx2
import pytest

from penstock.errors import ConfigurationError
from penstock.testing import ModelServer, model_http
from tests.testing.model_client import (
    QUESTION,
    ask,
    asked,
    connected,
    error_of,
    message_of,
    next_piece,
    raw,
    request,
)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, None, ("invalid_request_error", None, None)),
        (400, "context_length_exceeded", ("invalid_request_error", "messages", "context_length_exceeded")),
        (400, "content_filter", ("invalid_request_error", "prompt", "content_filter")),
        (400, "one_of_tomorrow", ("invalid_request_error", None, "one_of_tomorrow")),
        (401, None, ("invalid_request_error", None, "invalid_api_key")),
        (403, None, ("invalid_request_error", None, None)),
        (404, None, ("invalid_request_error", "model", "model_not_found")),
        (429, None, ("requests", None, "rate_limit_exceeded")),
        (429, "insufficient_quota", ("insufficient_quota", None, "insufficient_quota")),
        (500, None, ("server_error", None, None)),
        (529, None, ("server_error", None, None)),
    ],
)
async def test_an_error_has_its_status_and_what_openai_says_with_it(server, client, status, code, expected) -> None:
    server.fail(status, code=code)
    got = await ask(client, stream=True)
    assert (got.status_code, "retry-after" in got.headers) == (status, False)
    error = error_of(got)
    assert (error["type"], error["param"], error["code"]) == expected
    assert error.keys() == {"type", "param", "code", "message"}
    assert (server.rate(60).requests, server.rate(60).tokens) == (1, 0)


async def test_an_error_may_say_when_to_come_again_and_anything_else(server, client) -> None:
    server.fail(429, retry_after=2, headers={"x-ratelimit-reset-requests": "6m0s"})
    server.fail(503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT", body="<h1>Away</h1>")
    server.fail(502, retry_after=0.5, body={"detail": "bad gateway"}, headers={"Content-Type": "text/json"})
    got = await ask(client)
    assert (got.headers["retry-after"], got.headers["x-ratelimit-reset-requests"]) == ("2", "6m0s")
    got = await ask(client)
    assert (got.headers["retry-after"], got.text) == ("Wed, 21 Oct 2026 07:28:00 GMT", "<h1>Away</h1>")
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    got = await ask(client)
    assert (got.headers["retry-after"], got.json()) == ("0.5", {"detail": "bad gateway"})
    assert got.headers["content-type"] == "text/json"


@pytest.mark.parametrize("asking", [{}, {"stream": True}])
async def test_a_stall_answers_nothing_until_the_client_goes(server, client, asking) -> None:
    server.stall()
    asking_task = asyncio.create_task(ask(client, **asking))
    await server.until_calls(1)
    assert (server.open, asking_task.done()) == (1, False)
    asking_task.cancel()
    await server.until_open(0)


async def test_a_stream_may_stall_after_some_chunks(server, client) -> None:
    server.stall(after_chunks=2)
    async with asked(client) as coming:
        assert [await next_piece(coming) for _ in range(3)] == ["", "chunk 1 ", "chunk 2 "]
        assert server.open == 1
    await server.until_open(0)


async def test_closing_the_server_ends_a_stall() -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=None) as client:
        async with ModelServer() as server:
            server.stall()
            client.base_url = httpx2.URL(server.base_url)
            asking = asyncio.create_task(ask(client))
            await server.until_open(1)
        assert server.open == 0
        with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
            await asking


@pytest.mark.parametrize("asking", [{}, {"stream": True}])
async def test_a_drop_closes_the_connection_before_any_byte(server, client, asking) -> None:
    server.drop()
    assert await raw(server, request(QUESTION | asking)) == b""
    server.drop()
    with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
        await ask(client, **asking)


async def test_a_drop_may_come_after_some_chunks(server, client) -> None:
    server.drop(after_chunks=2)
    async with asked(client) as coming:
        assert [await next_piece(coming) for _ in range(3)] == ["", "chunk 1 ", "chunk 2 "]
        with pytest.raises(httpx2.RemoteProtocolError, match="incomplete"):
            await anext(coming)


async def test_nonsense_comes_with_status_200_where_json_belongs(server, client) -> None:
    server.say_nonsense("{oops\nno", times=2)
    got = await ask(client)
    assert (got.status_code, got.text, got.headers["content-type"]) == (200, "{oops\nno", "application/json")
    got = await ask(client, stream=True)
    assert (got.status_code, got.text) == (200, "data: {oops\ndata: no\n\ndata: [DONE]\n\n")
    server.answer("well again")
    assert message_of(await ask(client))["content"] == "well again"


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (b"\x16\x03\x01\r\n\r\n", 400, "request line"),
        (request(line="POST http://here/v1/chat/completions HTTP/1.1"), 400, "request line"),
        (request(line="POST /v1/chat/completions HTTP/1.0"), 505, "only HTTP/1.1"),
        (b"GET /v1/models HTTP/1.1\r\n\r\n", 400, "host is missing"),
        (b"GET /v1/models HTTP/1.1\r\nHost : here\r\n\r\n", 400, "'Host : here' is malformed"),
        (request(QUESTION, "X-Folded: a", " b"), 400, "' b' is malformed"),
        (request(QUESTION, "X-Control: \x00"), 400, "malformed"),
        (request(QUESTION, "Content-Length: 1"), 400, "must be a number of bytes"),
        (b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: -1\r\n\r\n", 400, "must be a number of bytes"),
        (request(QUESTION, "Transfer-Encoding: chunked"), 411, "send content-length"),
        (request(b"{oops"), 400, "the body is not JSON"),
        (request(b"\xff"), 400, "the body is not JSON"),
        (request(b"[" * 100_000), 400, "the body is not JSON"),
        (request(b""), 400, "must be a JSON object"),
        (request([1]), 400, "must be a JSON object"),
        (request({"messages": [1]}), 400, "model must be a string"),
        (request({"model": "any"}), 400, "messages must be a list"),
        (request(QUESTION | {"messages": []}), 400, "at least one message"),
        (request(QUESTION | {"stream_options": 1}), 400, "stream_options must be an object"),
        (request(QUESTION | {"response_format": "json"}), 400, "response_format must be an object"),
        (request(QUESTION | {"tools": ["city"]}), 400, "tools and tool_choice"),
        (request(QUESTION | {"tool_choice": {"type": "function"}}), 400, "tools and tool_choice"),
        (request(line="POST /v1/embeddings HTTP/1.1"), 404, "there is no /v1/embeddings here"),
        (request(line="GET /v1/chat/completions HTTP/1.1"), 405, "takes POST, not GET"),
        (b"GET /" + b"a" * model_http.MOST_HEAD, 431, "larger than 65,536 bytes"),
        (b"GET /" + b"a" * model_http.MOST_HEAD + b" HTTP/1.1\r\n\r\n", 431, "larger than 65,536 bytes"),
    ],
)
async def test_a_request_that_is_malformed_is_refused_and_is_no_call(server, sent, status, says) -> None:
    server.answer("never")
    head, _, body = (await raw(server, sent)).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close" in head
    error = json.loads(body)["error"]
    assert (error["type"], says in error["message"]) == ("invalid_request_error", True), error
    assert (server.calls, server.open) == (0, 0)


async def test_a_body_over_the_limit_is_refused_and_one_at_it_is_not(server, client) -> None:
    got = await client.post("/chat/completions", content=b" " * (model_http.MOST_BODY + 1))
    assert (got.status_code, error_of(got)["message"]) == (
        413, "the body is 10,000,001 bytes, more than the limit of 10,000,000"
    )  # fmt: skip
    server.answer("fits")
    content = json.dumps(QUESTION).encode().ljust(model_http.MOST_BODY)
    assert message_of(await client.post("/chat/completions", content=content))["content"] == "fits"


async def test_a_client_that_goes_before_its_request_is_complete_is_no_call(server, client) -> None:
    for part in (b"", request()[:20], request()[:-1]):
        reader, writer = await connected(server)
        writer.write(part)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert server.calls == 0


async def test_what_cannot_be_scripted_is_refused_at_once(server) -> None:
    for refused, says in (
        (lambda: server.answer("a", times=0), "times must be 1 or more, not 0"),
        (lambda: server.answer("a", chunks=0), "chunks must be 1 or more"),
        (lambda: server.fail(200), "status must be that of an error, from 400 to 599, not 200"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            refused()
