"""What a model server can reply to a request: an answer, one that a test gives by hand, or none that is whole."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from typing import Literal, TypedDict

from penstock.errors import ConfigurationError
from penstock.testing.model_wire import Exchange, Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]
Pace = float | Callable[[], Awaitable[None]]
Reply = Callable[[Exchange], Awaitable[None]]


class Dropped(ConnectionError):
    """The server closes the connection on purpose."""


class AnswerOptions(TypedDict, total=False):
    """See `ScriptedAnswer`."""

    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int
    pace: Pace
    chunks: int | None
    finish_reason: FinishReason
    headers: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """An answer of a model.

    input_tokens, output_tokens: its usage; None for either: it has none. cached_tokens: how many of the input tokens.
    pace: seconds before each chunk of a stream, and once before an answer that is not streamed; or what is awaited
    there. chunks: how many the text comes in; None: one for each word. headers: more of them. structured: the text is
    JSON, and comes as the call of a tool (of `tool`, when several are offered) where the request asks for that.
    """

    text: str
    _: KW_ONLY
    input_tokens: int | None = 10
    output_tokens: int | None = 5
    cached_tokens: int = 0
    pace: Pace = 0
    chunks: int | None = None
    finish_reason: FinishReason = "stop"
    headers: Mapping[str, str] | None = None
    structured: bool = False
    tool: str | None = None

    def __post_init__(self) -> None:
        if self.chunks is not None and self.chunks < 1:
            raise ConfigurationError(f"chunks must be 1 or more, or None for one a word, not {self.chunks}")

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the request."""
        tool = exchange.tool_for_json(self.tool) if self.structured else None
        usage = _counted(exchange, self.input_tokens, self.output_tokens, self.cached_tokens)
        await exchange.begin(self.headers, tool)
        for piece in self._pieces() if exchange.streams else [self.text]:
            if callable(self.pace):
                await self.pace()
            else:
                await asyncio.sleep(self.pace)
            await exchange.piece(piece)
        await exchange.finish(usage, self.finish_reason)

    def _pieces(self) -> list[str]:
        if self.chunks is None:
            return re.findall(r"\s*\S+|\s+\Z", self.text)
        ends = [len(self.text) * n // self.chunks for n in range(self.chunks + 1)]
        return [self.text[start:end] for start, end in pairwise(ends)]


class ModelStream:
    """The answer to one request, given by the test piece by piece; see `ModelServer.stream`.

    What is sent waits for the request. A request that asks for no stream gets all of it at the end.
    """

    def __init__(self) -> None:
        self._opened = asyncio.Event()
        self._over = asyncio.Event()
        self._dropped = False
        self._exchange: Exchange | None = None

    async def send(self, text: str) -> None:
        """Send a piece. Raises ConnectionError when the client has gone or the stream is over."""
        await (await self._live()).piece(text)

    async def end(
        self,
        *,
        input_tokens: int | None = 10,
        output_tokens: int | None = 5,
        cached_tokens: int = 0,
        finish_reason: FinishReason = "stop",
    ) -> None:
        """End the answer. The tokens are those of `ScriptedAnswer`. Raises ConnectionError as `send` does."""
        exchange = await self._live()
        await exchange.finish(_counted(exchange, input_tokens, output_tokens, cached_tokens), finish_reason)
        self._over.set()

    def drop(self) -> None:
        """Close the connection with the answer as it is."""
        self._dropped = True
        self._over.set()

    async def closed_by_client(self) -> None:
        """Returns once the client has closed its connection with the stream not yet over."""
        await (await self._open()).gone.wait()

    async def __call__(self, exchange: Exchange) -> None:
        """Serve the request until the stream is over."""
        await exchange.begin()
        self._exchange = exchange
        self._opened.set()
        await self._over.wait()
        if self._dropped:
            raise Dropped

    async def _open(self) -> Exchange:
        while self._exchange is None:
            await self._opened.wait()
        return self._exchange

    async def _live(self) -> Exchange:
        exchange = await self._open()
        if self._over.is_set():
            raise ConnectionResetError("the stream is over")
        if exchange.gone.is_set():
            raise ConnectionResetError("the client has closed its connection")
        return exchange


def _counted(exchange: Exchange, input_tokens: int | None, output_tokens: int | None, cached: int) -> Usage | None:
    """The usage of an answer, noted with its request."""
    if input_tokens is None or output_tokens is None:
        return None
    exchange.request.input_tokens = input_tokens
    exchange.request.output_tokens = output_tokens
    return Usage(input_tokens, output_tokens, cached)


async def whole(status: int, body: bytes, headers: Mapping[str, str], exchange: Exchange) -> None:
    """This response and nothing else."""
    await exchange.whole(status, body, headers)


async def nonsense(text: str, exchange: Exchange) -> None:
    """A response of status 200 with `text` where JSON belongs."""
    await exchange.malformed(text)


async def break_off(chunks: int, how: Callable[[], Awaitable[None]], exchange: Exchange) -> None:
    """So many chunks of a stream, and then what `how` does."""
    if chunks:
        await exchange.begin()
    for number in range(chunks):
        await exchange.piece(f"chunk {number + 1} ")
    await how()


async def for_ever() -> None:
    """Never returns."""
    await asyncio.Event().wait()


async def drop() -> None:
    """Close the connection."""
    raise Dropped
