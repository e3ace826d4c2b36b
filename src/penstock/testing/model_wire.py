"""OpenAI's chat completions, whole and as server-sent events: an `Exchange` is one of them on a connection."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from penstock.testing.model_http import Connection, ReceivedRequest, Refused


class Unscripted(Exception):
    """The script has no answer that fits the request."""


class Usage(NamedTuple):
    """The tokens of an answer."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


class Exchange:
    """One chat completion and its answering: `begin`, any number of `piece`, `finish`; or else `whole` or `malformed`.

    Pieces are written as they come when the request asks for a stream, else at the end. `answered` is told just
    before the bytes from which the client sees that its answer is complete. Raises Refused for a malformed request.
    """

    def __init__(
        self, connection: Connection, request: ReceivedRequest, id_: str, answered: Callable[["Exchange"], None]
    ) -> None:
        body = _checked(request.json)
        self.request = request
        self.streams = body.get("stream") is True
        self.gone = asyncio.Event()
        """The client has closed its connection before it had its answer."""
        self._common = {"id": id_, "created": int(time.time()), "model": body["model"], "system_fingerprint": None}
        self._tells_usage = (body.get("stream_options") or {}).get("include_usage") is True
        self._connection = connection
        self._answered = answered
        self._headers: Mapping[str, str] | None = None
        self._tool: str | None = None
        self._text = ""

    def tool_for_json(self, wanted: str | None) -> str | None:
        """The tool whose call carries an answer in JSON; None when the answer's text does.

        wanted: which of several. Raises Unscripted when the request leaves a doubt, or offers no such tool.
        """
        body = self.request.json
        choice = body.get("tool_choice") or "auto"
        by_format = (body.get("response_format") or {}).get("type", "text") != "text"
        if choice == "none" or (choice == "auto" and by_format):
            return None
        offered = _offered(body)
        if wanted is None and len(offered) > 1:
            raise Unscripted(f"the request offers several tools; answer_json needs tool= one of {', '.join(offered)}")
        if wanted is not None and wanted not in offered:
            raise Unscripted(f"the request does not offer the tool {wanted!r}, but {', '.join(offered) or 'none'}")
        return offered[0] if offered and wanted is None else wanted

    async def begin(self, headers: Mapping[str, str] | None = None, tool: str | None = None) -> None:
        """The head of the answer. tool: the pieces are the arguments of a call of this tool, not text."""
        self._headers = headers
        self._tool = tool
        if self.streams:
            await self._connection.begin_events(headers)
            await self._connection.events(self._event({"role": "assistant", **self._said("", first=True)}))

    async def piece(self, text: str) -> None:
        """Some more of the answer."""
        self._text += text
        if self.streams:
            await self._connection.events(self._event(self._said(text)))

    async def finish(self, usage: Usage | None, finish_reason: str) -> None:
        """The end of the answer. usage: None when the answer does not tell."""
        reason = "tool_calls" if self._tool and finish_reason == "stop" else finish_reason
        told = {} if usage is None else {"usage": _usage(usage)}
        if not self.streams:
            message = {"role": "assistant", "content": None, "refusal": None, **self._said(self._text, first=True)}
            for call in message.get("tool_calls", ()):
                del call["index"]
            answer = self._body("chat.completion", _choice("message", message, reason)) | told
            await self.whole(200, _dumped(answer), self._headers)
            return
        events = self._event({}, reason)
        if self._tells_usage and told:
            events += _data(_dumped(self._body("chat.completion.chunk") | told))
        self._answered(self)
        await self._connection.events(events + _data(b"[DONE]"), last=True)

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """This response and nothing else."""
        self._answered(self)
        await self._connection.whole(status, body, headers)

    async def malformed(self, text: str) -> None:
        """A response of status 200 with `text` where JSON belongs: as the body, or as the one event of a stream."""
        if not self.streams:
            await self.whole(200, text.encode())
            return
        await self._connection.begin_events()
        self._answered(self)
        await self._connection.events(_data(*text.encode().splitlines()) + _data(b"[DONE]"), last=True)

    def _said(self, text: str, *, first: bool = False) -> dict[str, Any]:
        """A part of a message that says `text`."""
        if self._tool is None:
            return {"content": text}
        named = {"id": f"call-{self._common['id']}", "type": "function"} if first else {}
        function = {"name": self._tool, "arguments": text} if first else {"arguments": text}
        return {"tool_calls": [{"index": 0, **named, "function": function}]}

    def _event(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        chunk = self._body("chat.completion.chunk", _choice("delta", delta, finish_reason))
        return _data(_dumped(chunk | ({"usage": None} if self._tells_usage else {})))

    def _body(self, kind: str, *choices: dict[str, Any]) -> dict[str, Any]:
        return {**self._common, "object": kind, "choices": list(choices)}


def models_body() -> bytes:
    """The list of models: one."""
    model = {"id": "scripted", "object": "model", "created": 0, "owned_by": "penstock"}
    return _dumped({"object": "list", "data": [model]})


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _data(*lines: bytes) -> bytes:
    """One server-sent event."""
    return b"".join(b"data: %b\n" % line for line in lines) + b"\n"


def _choice(name: str, content: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, name: content, "logprobs": None, "finish_reason": finish_reason}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _checked(body: Any) -> dict[str, Any]:
    """A request for a chat completion, as far as it is read here."""
    if not isinstance(body, dict):
        raise Refused(400, "the body must be a JSON object")
    if not isinstance(body.get("model"), str):
        raise Refused(400, "model must be a string")
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise Refused(400, "messages must be a list of at least one message")
    for name in ("stream_options", "response_format"):
        if not isinstance(body.get(name) or {}, dict):
            raise Refused(400, f"{name} must be an object")
    _offered(body)
    return body


def _offered(body: Mapping[str, Any]) -> list[str]:
    """The names of the functions that may be called, or must be."""
    choice = body.get("tool_choice")
    try:
        if isinstance(choice, dict):
            tools = choice["allowed_tools"]["tools"] if "allowed_tools" in choice else [choice]
        else:
            tools = body.get("tools") or []
        return [str(tool["function"]["name"]) for tool in tools if tool["type"] == "function"]
    except (KeyError, TypeError):
        raise Refused(400, "tools and tool_choice must be objects of type function that have a name") from None
