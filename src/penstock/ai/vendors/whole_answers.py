"""Servers that answer with one JSON object where a stream was asked for, as small gateways do: the object becomes a
stream of one piece, so that who reads streams need not know."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2

from penstock.ai.vendors.wire import EXCHANGE


async def ask_plainly(request: httpx2.Request) -> None:
    """A hook before requests: a stream is not to be packed, since unpacking would hold pieces back."""
    exchange = EXCHANGE.get()
    if exchange is not None and exchange.streams:
        request.headers["Accept-Encoding"] = "identity"


async def as_stream(response: httpx2.Response) -> None:
    """A hook after the head of an answer: a whole one is given on as a stream."""
    exchange = EXCHANGE.get()
    is_whole = response.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    is_packed = response.headers.get("content-encoding", "identity") != "identity"
    if exchange is None or not exchange.streams or response.status_code != 200 or not is_whole or is_packed:
        return
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _AsEvents(response.stream)
        response.headers["content-type"] = "text/event-stream"


class _AsEvents(httpx2.AsyncByteStream):
    """A chat completion as the events of a stream; what is none is passed on as it is."""

    def __init__(self, whole: httpx2.AsyncByteStream) -> None:
        self._whole = whole
        self._body: bytes | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Read once: a connection that is read again after its answer has ended may never say so.
        if self._body is None:
            self._body = b"".join([piece async for piece in self._whole])
        yield events_of(self._body)

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._whole.aclose()


def events_of(body: bytes) -> bytes:
    """The body as server-sent events, itself when it is no chat completion."""
    try:
        answer = json.loads(body)
        choices = [_begun(choice) for choice in answer["choices"]]
    except (ValueError, LookupError, TypeError):
        return body
    chunk = {**answer, "object": "chat.completion.chunk", "choices": choices}
    return b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"


def _begun(choice: dict[str, Any]) -> dict[str, Any]:
    delta = dict(choice["message"])
    calls = delta.get("tool_calls")
    if calls:
        # In a stream each call says which one it is.
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(calls)]
    return {**{name: value for name, value in choice.items() if name != "message"}, "delta": delta}
