"""The answers and streams of the model server, over the wire."""

import asyncio

import httpx2
import pytest

from tests.testing.model_client import (
    QUESTION,
    WITH_USAGE,
    ask,
    asked,
    deltas,
    error_of,
    events,
    message_of,
    next_piece,
    pieces,
    tool,
)


async def test_an_answer_is_a_chat_completion_with_its_usage(server, client) -> None:
    server.answer("Paris.", input_tokens=12, output_tokens=3, cached_tokens=8, headers={"X-RateLimit-Remaining": "7"})
    got = await ask(client)
    assert got.headers["x-ratelimit-remaining"] == "7"
    body = got.json()
    assert isinstance(body.pop("created"), int)
    assert body == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "any",
        "system_fingerprint": None,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Paris.", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 3,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 8},
        },
    }


async def test_a_request_is_kept_as_it_came(server, client) -> None:
    server.answer("yes", input_tokens=12, output_tokens=3)
    before = asyncio.get_running_loop().time()
    await client.post("/chat/completions?version=1", json=QUESTION, headers={"Authorization": "Bearer key"})
    [received] = server.requests
    assert (received.method, received.path, received.json) == ("POST", "/v1/chat/completions", QUESTION)
    assert received.headers["authorization"] == "Bearer key"
    assert before <= received.received_at <= asyncio.get_running_loop().time()
    assert (received.input_tokens, received.output_tokens) == (12, 3)


async def test_a_stream_comes_in_events_and_tells_its_end_and_its_usage(server, client) -> None:
    server.answer("Paris, of course.", input_tokens=12, output_tokens=3, finish_reason="length", headers={"X-A": "b"})
    got = await events(client, **WITH_USAGE)
    assert got[-1] == "[DONE]"
    assert {(event["id"], event["object"], event["model"]) for event in got[:-1]} == {
        ("chatcmpl-1", "chat.completion.chunk", "any")
    }
    assert deltas(got) == [
        {"role": "assistant", "content": ""}, {"content": "Paris,"}, {"content": " of"}, {"content": " course."}, {}
    ]  # fmt: skip
    reasons = [event["choices"][0]["finish_reason"] for event in got[:-2]]
    assert reasons == [None, None, None, None, "length"]
    assert [event["usage"] for event in got[:-2]] == [None] * 5
    assert (got[-2]["choices"], got[-2]["usage"]["total_tokens"]) == ([], 15)


async def test_a_stream_tells_no_usage_unless_it_is_asked_to(server, client) -> None:
    server.answer("Paris.")
    assert not [event for event in await events(client) if "usage" in event]


async def test_an_answer_may_have_no_usage(server, client) -> None:
    server.answer("Paris.", output_tokens=None, times=2)
    assert "usage" not in (await ask(client)).json()
    assert all(event == "[DONE]" or event["choices"] for event in await events(client, **WITH_USAGE))


@pytest.mark.parametrize(
    ("text", "chunks", "expected"),
    [
        ("a bc\n d ", None, ["a", " bc", "\n d", " "]),
        ("", None, []),
        ("abcdefgh", 3, ["ab", "cde", "fgh"]),
        ("ab", 1, ["ab"]),
        ("a", 2, ["", "a"]),
    ],
)
async def test_a_streamed_text_comes_in_as_many_chunks_as_are_wanted(server, client, text, chunks, expected) -> None:
    server.answer(text, chunks=chunks)
    assert pieces(await events(client)) == expected


async def test_a_pace_is_awaited_before_each_chunk(server, client) -> None:
    steps: asyncio.Queue[None] = asyncio.Queue()
    server.answer("one two", pace=steps.get)
    async with asked(client) as coming:
        assert await next_piece(coming) == ""
        one = asyncio.create_task(next_piece(coming))
        steps.put_nowait(None)
        assert await one == "one"
        assert server.open == 1
        steps.put_nowait(None)
        assert await next_piece(coming) == " two"


async def test_a_pace_in_seconds_is_slept_before_each_chunk_and_once_before_a_whole_answer(
    server, client, monkeypatch
) -> None:
    slept = 0
    sleep = asyncio.sleep

    async def counted(seconds: float) -> None:
        nonlocal slept
        slept += seconds == 0.025
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", counted)
    server.answer("one two three", pace=0.025, times=2)
    await events(client)
    assert slept == 3
    await ask(client)
    assert slept == 4


ASKS_FOR_JSON = {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": {}}}}


@pytest.mark.parametrize(
    "asking",
    [
        {"tools": [tool("city")], "tool_choice": "required"},
        {"tools": [tool("city")]},
        {"tools": [tool("city")], "tool_choice": "auto", "response_format": {"type": "text"}},
        {"tools": [tool("look_up"), tool("city")], "tool_choice": tool("city")},
        {"tools": [tool("city")], "tool_choice": "required"} | ASKS_FOR_JSON,
        {
            "tools": [tool("look_up"), tool("city")],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("city")]}},
        },
    ],
)
async def test_json_comes_as_the_call_of_the_tool_that_the_request_offers(server, client, asking) -> None:
    server.answer_json({"name": "Paris"}, times=2, input_tokens=3)
    got = await ask(client, **asking)
    assert (got.json()["choices"][0]["finish_reason"], got.json()["usage"]["prompt_tokens"]) == ("tool_calls", 3)
    assert message_of(got)["content"] is None
    assert message_of(got)["tool_calls"] == [
        {"id": "call-chatcmpl-1", "type": "function", "function": {"name": "city", "arguments": '{"name": "Paris"}'}}
    ]
    first, *more, last = [delta.get("tool_calls") for delta in deltas(await events(client, **asking))]
    assert (len(more), last) == (2, None)
    named = {"name": "city", "arguments": ""}
    assert first == [{"index": 0, "id": "call-chatcmpl-2", "type": "function", "function": named}]
    assert [one["index"] for [one] in more] == [0, 0]
    assert "".join(one["function"]["arguments"] for [one] in more) == '{"name": "Paris"}'


@pytest.mark.parametrize(
    "asking",
    [
        {},
        ASKS_FOR_JSON,
        {"response_format": {"type": "json_object"}},
        {"tools": [tool("city")]} | ASKS_FOR_JSON,
        {"tools": [tool("city")], "tool_choice": "none"},
    ],
)
async def test_json_is_the_text_of_an_answer_where_no_tool_is_wanted(server, client, asking) -> None:
    server.answer_json(["Paris"])
    message = message_of(await ask(client, **asking))
    assert (message["content"], "tool_calls" in message) == ('["Paris"]', False)


async def test_the_tool_is_named_by_the_script_when_several_are_offered(server, client) -> None:
    server.answer_json(1, tool="city")
    server.answer_json(1)
    server.answer_json(1, tool="country")
    tools = [tool("look_up"), tool("city")]
    assert message_of(await ask(client, tools=tools))["tool_calls"][0]["function"]["name"] == "city"
    for expected in ("several tools; answer_json needs tool= one of look_up, city", "the tool 'country', but look_up"):
        got = await ask(client, tools=tools)
        assert got.status_code == 500
        assert expected in error_of(got)["message"]


async def test_a_text_is_never_made_a_tool_call(server, client) -> None:
    server.answer("Paris.")
    assert message_of(await ask(client, tools=[tool("city")], tool_choice="required"))["content"] == "Paris."


async def test_a_stream_is_given_by_hand(server, client) -> None:
    stream = server.stream()
    sending = asyncio.create_task(stream.send("Pa"))
    async with asked(client, **WITH_USAGE) as coming:
        await sending
        assert [await next_piece(coming) for _ in range(2)] == ["", "Pa"]
        await stream.send("ris")
        assert await next_piece(coming) == "ris"
        await stream.end(input_tokens=7, output_tokens=2, cached_tokens=4, finish_reason="content_filter")
        assert (await anext(coming))["choices"][0]["finish_reason"] == "content_filter"
        usage = (await anext(coming))["usage"]
        assert (usage["total_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (9, 4)
        assert await anext(coming) == "[DONE]"
    assert server.rate(60).tokens == 9
    for late in (stream.send("!"), stream.end()):
        with pytest.raises(ConnectionError, match="the stream is over"):
            await late


async def test_an_answer_that_is_no_stream_can_be_given_by_hand_too(server, client) -> None:
    stream = server.stream(when=lambda request: "stream" not in request.json)
    asking = asyncio.create_task(ask(client))
    await stream.send("Pa")
    await stream.send("ris")
    assert not asking.done()
    await stream.end()
    assert message_of(await asking)["content"] == "Paris"


async def test_a_stream_by_hand_can_be_dropped(server, client) -> None:
    stream = server.stream()
    async with asked(client) as coming:
        await stream.send("Pa")
        assert [await next_piece(coming) for _ in range(2)] == ["", "Pa"]
        stream.drop()
        with pytest.raises(httpx2.RemoteProtocolError):
            await anext(coming)


@pytest.mark.parametrize("asking", [{}, {"stream": True}])
async def test_a_client_that_is_cancelled_in_the_middle_of_an_answer_is_noticed(server, client, asking) -> None:
    stream = server.stream()
    asking_task = asyncio.create_task(ask(client, **asking))
    noticing = asyncio.create_task(stream.closed_by_client())
    await stream.send("Pa")
    assert not noticing.done()
    asking_task.cancel()
    await noticing
    assert server.open == 0
    with pytest.raises(ConnectionError, match="the client has closed its connection"):
        await stream.send("ris")
