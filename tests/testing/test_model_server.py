"""The model server over the wire: its script, its connections, what it counts, and the process of its own."""

import asyncio
import json
import sys
from typing import Any

import httpx2
import pytest

from penstock import testing
from penstock.errors import ConfigurationError
from penstock.testing import ModelServer, ScriptedAnswer
from penstock.testing.model_server import Busiest, Call, busiest
from tests.testing.model_client import (
    QUESTION,
    ask,
    asked,
    connected,
    error_of,
    events,
    message_of,
    next_piece,
    pieces,
    raw,
    request,
    response,
)


async def test_a_script_is_used_up_in_order_and_then_the_default_answers(server, client) -> None:
    server.default = ScriptedAnswer("default", input_tokens=1)
    server.fail(500)
    server.answer("twice", times=2)
    server.answer("for Rome", when=lambda request: "Rome" in request.json["messages"][0]["content"])
    server.answer("last")
    assert (await ask(client)).status_code == 500
    rome = [{"role": "user", "content": "Rome?"}]
    said = [message_of(await ask(client))["content"] for _ in range(3)]
    said += [message_of(await ask(client, messages=rome))["content"] for _ in range(2)]
    assert said == ["twice", "twice", "last", "for Rome", "default"]


async def test_an_exhausted_script_is_an_error_that_says_so_and_that_no_client_tries_again(server, client) -> None:
    got = await ask(client)
    assert (got.status_code, got.headers["x-should-retry"]) == (500, "false")
    assert "the script of the ModelServer is empty; it is call 1" in error_of(got)["message"]
    server.answer("never", when=lambda request: False)
    assert "has 1 answers, none for this request" in error_of(await ask(client, stream=True))["message"]


@pytest.mark.parametrize("hook", ["when", "pace"])
async def test_what_a_hook_raises_is_raised_when_the_server_is_left(hook) -> None:
    def broken(*_: Any) -> Any:
        raise LookupError("no such city")

    async def asking() -> None:
        async with ModelServer() as server:
            if hook == "when":
                server.answer("Paris.", when=broken)
            else:
                server.answer("Paris.", pace=broken)
            assert await raw(server, request()) == b""

    with pytest.raises(LookupError, match="no such city"):
        await asking()


async def test_several_requests_go_over_one_connection(server) -> None:
    server.default = ScriptedAnswer("yes")
    reader, writer = await connected(server)
    whole, stream = request(), request(QUESTION | {"stream": True})
    # Byte by byte, then two at once.
    for byte in whole:
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await response(reader))["id"] == "chatcmpl-1"
    writer.write(stream + whole)
    assert (await reader.readuntil(b"data: [DONE]\n\n\r\n0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    assert (await response(reader))["id"] == "chatcmpl-3"
    writer.write(request(QUESTION, "Connection: close"))
    assert (await response(reader))["id"] == "chatcmpl-4"
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_a_client_keeps_its_connection_after_answers_streams_and_errors(server, client) -> None:
    server.answer("whole")
    server.answer("stream")
    server.fail(429)
    server.answer("again")
    ports = []
    for asking in ({}, {"stream": True}, {}, {}):
        async with client.stream("POST", "/chat/completions", json=QUESTION | asking) as got:
            ports.append(got.extensions["network_stream"].get_extra_info("client_addr"))
            await got.aread()
    assert len(set(ports)) == 1


async def test_two_streams_run_beside_each_other(server, client) -> None:
    one, two = server.stream(), server.stream()
    async with asked(client) as first:
        await one.send("a")
        async with asked(client) as second:
            await two.send("b")
            await one.send("c")
            assert (server.open, server.most_open, server.calls) == (2, 2, 2)
            assert [await next_piece(first) for _ in range(3)] == ["", "a", "c"]
            assert [await next_piece(second) for _ in range(2)] == ["", "b"]
            await one.end()
            await two.end()
            assert [event async for event in first][-1] == [event async for event in second][-1] == "[DONE]"
    assert (server.open, server.most_open) == (0, 2)


@pytest.mark.parametrize("asking", [{}, {"stream": True}])
async def test_a_request_is_not_open_any_more_when_its_client_has_the_end_of_the_answer(
    server, client, monkeypatch, asking
) -> None:
    """Or else a client that asks again at once, from elsewhere, would seem to have two requests open."""
    server.answer("yes")
    server.fail(429)
    server.say_nonsense("{")
    open_: list[int] = []
    write = asyncio.StreamWriter.write

    def noting(writer: asyncio.StreamWriter, data: bytes) -> None:
        open_.append(server.open)
        write(writer, data)

    monkeypatch.setattr(asyncio.StreamWriter, "write", noting)
    for _ in range(3):
        await ask(client, **asking)
        assert (open_[-1], server.open, server.most_open) == (0, 0, 1)
    assert open_ == ([1, 1, 1, 0, 0, 1, 0] if asking else [0, 0, 0])


async def test_the_models_are_listed(client) -> None:
    got = await client.get("/models")
    assert [model["id"] for model in got.json()["data"]] == ["scripted"]


@pytest.mark.parametrize(
    ("calls", "window_s", "expected"),
    [
        ([], 1, (0, 0, 0, 0)),
        ([(0, 5, 1)], 1, (1, 6, 5, 1)),
        # A window apart is out of the window.
        ([(0, 5, 1), (1, 5, 1)], 1, (1, 6, 5, 1)),
        ([(0, 5, 1), (0.999, 5, 1)], 1, (2, 12, 10, 2)),
        # Each number has its own window, and the order is that of arrival.
        ([(10, 1, 0), (0, 100, 0), (10.5, 1, 0), (20, 2, 50), (10.2, 1, 3)], 1, (3, 100, 100, 50)),
        ([(0, 1, 1), (0.6, 1, 1), (1.2, 1, 1), (1.4, 1, 1), (2.3, 1, 1)], 1, (3, 6, 3, 3)),
    ],
)
def test_the_busiest_window_is_found_wherever_it_begins(calls, window_s, expected) -> None:
    assert busiest([Call(*call) for call in calls], window_s) == Busiest(*expected)


async def test_the_rate_is_that_of_the_calls_that_came(server, client) -> None:
    server.answer("one", input_tokens=10, output_tokens=1)
    server.fail(429)
    server.answer("two", input_tokens=20, output_tokens=2)
    for _ in range(3):
        await ask(client)
    await client.get("/models")
    assert server.rate(60) == Busiest(requests=3, tokens=33, input_tokens=30, output_tokens=3)
    for received, at in zip(server.requests, (100.0, 101.0, 103.0), strict=True):
        received.received_at = at
    assert server.rate(2) == Busiest(requests=2, tokens=22, input_tokens=20, output_tokens=2)


async def test_a_server_listens_on_this_machine_only_at_an_address_it_has_while_open() -> None:
    server = ModelServer()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="only while it is open"):
            assert server.base_url
        async with server:
            assert server.base_url.startswith("http://127.0.0.1:")
            assert server._listener is not None
            assert [socket.getsockname()[0] for socket in server._listener.sockets] == ["127.0.0.1"]


async def test_a_process_of_its_own_serves_until_it_is_told_to_stop_and_tells_its_calls() -> None:
    options = ["--answer", "Paris, yes.", "--delay-ms", "1", "--input-tokens", "7", "--output-tokens", "3"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "penstock.testing.model_server", "--port", "0", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        base_url = json.loads(line)["base_url"]
        before = asyncio.get_running_loop().time()
        async with httpx2.AsyncClient(base_url=base_url, trust_env=False, timeout=30) as client:
            assert message_of(await ask(client))["content"] == "Paris, yes."
            assert pieces(await events(client)) == ["Paris, yes."]
            told = (await client.get(base_url.removesuffix("/v1") + "/_calls")).json()
    finally:
        process.terminate()
        _, complaints = await process.communicate()
    assert (process.returncode, complaints) == (0, b"")
    assert (told["open"], told["most_open"]) == (0, 1)
    calls = [Call(**call) for call in told["calls"]]
    # The clock is the machine's, so that times of several processes can be compared.
    assert before <= calls[0].received_at <= calls[1].received_at <= asyncio.get_running_loop().time()
    assert busiest(calls, 60) == Busiest(requests=2, tokens=20, input_tokens=14, output_tokens=6)


def test_the_names_of_the_package_can_be_imported_and_no_others() -> None:
    assert [name for name in testing.__all__ if not hasattr(testing, name)] == []
    with pytest.raises(AttributeError, match="has no attribute 'MailServer'"):
        testing.__getattr__("MailServer")
