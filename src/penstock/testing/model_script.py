"""The script of a model server: what is answered to which requests, in which order."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Unpack

from penstock.errors import ConfigurationError
from penstock.testing.model_errors import openai_error
from penstock.testing.model_http import ReceivedRequest
from penstock.testing.model_replies import (
    AnswerOptions,
    ModelStream,
    Reply,
    ScriptedAnswer,
    break_off,
    drop,
    for_ever,
    nonsense,
    whole,
)
from penstock.testing.model_wire import Unscripted

When = Callable[[ReceivedRequest], bool]


@dataclass(slots=True)
class _Scripted:
    reply: Reply
    left: int
    when: When | None


class ModelScript:
    """What is scripted is used up in order: each by `times` requests, and only by those of which `when` is true.

    When nothing is left for a request, `default` answers it (a `ScriptedAnswer`).
    """

    def __init__(self) -> None:
        self.default: Reply | None = None
        self._script: list[_Scripted] = []

    def answer(self, text: str, *, times: int = 1, when: When | None = None, **options: Unpack[AnswerOptions]) -> None:
        """Answer with this text. The options are those of `ScriptedAnswer`."""
        self._add(ScriptedAnswer(text, **options), times, when)

    def answer_json(
        self,
        value: Any,
        *,
        tool: str | None = None,
        times: int = 1,
        when: When | None = None,
        **options: Unpack[AnswerOptions],
    ) -> None:
        """Answer with this value in JSON: as the call of a tool where the request asks for that, else as text.

        tool: of which, when the request offers several. The other options are those of `ScriptedAnswer`.
        """
        self._add(ScriptedAnswer(json.dumps(value), structured=True, tool=tool, **options), times, when)

    def fail(
        self,
        status: int,
        *,
        body: Mapping[str, Any] | str | None = None,
        code: str | None = None,
        retry_after: float | str | None = None,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
        when: When | None = None,
    ) -> None:
        """Answer with an error of this status.

        body: JSON or text; None: what OpenAI says, with this `code` (context_length_exceeded, content_filter,
        insufficient_quota, invalid_api_key, …; None: that which is usual for the status). retry_after: seconds, or an
        HTTP date.
        """
        if not 400 <= status <= 599:
            raise ConfigurationError(f"status must be that of an error, from 400 to 599, not {status}")
        own = {} if retry_after is None else {"retry-after": f"{retry_after}"}
        if body is None:
            content = openai_error(status, code)
        elif isinstance(body, str):
            content = body.encode()
            own["content-type"] = "text/plain; charset=utf-8"
        else:
            content = json.dumps(body).encode()
        self._add(partial(whole, status, content, own | dict(headers or {})), times, when)

    def stall(self, *, after_chunks: int = 0, times: int = 1, when: When | None = None) -> None:
        """Never answer, or no further after so many chunks of a stream, until the client goes or the server closes."""
        self._add(partial(break_off, after_chunks, for_ever), times, when)

    def drop(self, *, after_chunks: int = 0, times: int = 1, when: When | None = None) -> None:
        """Close the connection without a byte, or after so many chunks of a stream."""
        self._add(partial(break_off, after_chunks, drop), times, when)

    def say_nonsense(self, text: str, *, times: int = 1, when: When | None = None) -> None:
        """Answer with status 200 and `text` where JSON belongs: as the body, or as the one event of a stream."""
        self._add(partial(nonsense, text), times, when)

    def stream(self, *, when: When | None = None) -> ModelStream:
        """Answer one request by hand.

        stream = server.stream()
        asking = asyncio.create_task(ask(server.base_url))
        await stream.send("Par")
        asking.cancel()
        await stream.closed_by_client()
        """
        stream = ModelStream()
        self._add(stream, 1, when)
        return stream

    def _add(self, reply: Reply, times: int, when: When | None) -> None:
        if times < 1:
            raise ConfigurationError(f"times must be 1 or more, not {times}")
        self._script.append(_Scripted(reply, times, when))

    def _next(self, request: ReceivedRequest, number: int) -> Reply:
        """What replies to this request, the call of this number. Raises Unscripted when nothing does."""
        for scripted in self._script:
            if scripted.when is None or scripted.when(request):
                scripted.left -= 1
                if not scripted.left:
                    self._script.remove(scripted)
                return scripted.reply
        if self.default is not None:
            return self.default
        left = f"has {len(self._script)} answers, none for this request" if self._script else "is empty"
        raise Unscripted(f"the script of the ModelServer {left}; it is call {number}, and there is no default")
