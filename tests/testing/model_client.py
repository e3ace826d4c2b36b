"""A client of the model server, and what it reads from its answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from penstock.testing import ModelServer

QUESTION = {"model": "any", "messages": [{"role": "user", "content": "What is the capital of France?"}]}
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


async def ask(client: httpx2.AsyncClient, **more: Any) -> httpx2.Response:
    return await client.post("/chat/completions", json=QUESTION | more)


@asynccontextmanager
async def asked(client: httpx2.AsyncClient, **more: Any) -> AsyncIterator[AsyncIterator[Any]]:
    """The events of a stream, as they come: JSON, or the text [DONE]."""
    async with client.stream("POST", "/chat/completions", json=QUESTION | {"stream": True} | more) as response:
        assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream")
        yield (
            line[6:] if line == "data: [DONE]" else json.loads(line.removeprefix("data: "))
            async for line in response.aiter_lines()
            if line
        )


async def events(client: httpx2.AsyncClient, **more: Any) -> list[Any]:
    async with asked(client, **more) as coming:
        return [event async for event in coming]


def deltas(events: list[Any]) -> list[Any]:
    return [choice["delta"] for event in events if event != "[DONE]" for choice in event["choices"]]


def pieces(events: list[Any]) -> list[str]:
    """The texts of a stream, without the empty first one."""
    return [delta["content"] for delta in deltas(events)[1:] if "content" in delta]


async def next_piece(coming: AsyncIterator[Any]) -> str:
    return deltas([await anext(coming)])[0]["content"]


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def message_of(response: httpx2.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]


def error_of(response: httpx2.Response) -> dict[str, Any]:
    return response.json()["error"]


async def raw(server: ModelServer, *parts: bytes) -> bytes:
    """What comes back for these bytes until the server closes."""
    reader, writer = await connected(server)
    for part in parts:
        writer.write(part)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def connected(server: ModelServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", httpx2.URL(server.base_url).port)


def request(body: Any = QUESTION, *headers: str, line: str = "POST /v1/chat/completions HTTP/1.1") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [line, "Host: here", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def response(reader: asyncio.StreamReader) -> Any:
    """The JSON of one response of known length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    assert head.startswith("http/1.1 200 ok\r\n")
    size = next(line for line in head.splitlines() if line.startswith("content-length: "))
    return json.loads(await reader.readexactly(int(size.removeprefix("content-length: "))))
