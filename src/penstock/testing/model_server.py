"""A model server for tests: it speaks OpenAI's wire on this machine, and answers what a test has scripted.

    async with ModelServer() as server:
        server.fail(429, retry_after=2)
        server.answer("Paris.", input_tokens=12, output_tokens=2)
        assert await ask(server.base_url, "What is the capital of France?") == "Paris."
        assert server.calls == 2

As a process of its own, for tests with many workers: `python -m penstock.testing.model_server --answer TEXT`. It writes
one line of JSON with its `base_url`, serves until SIGTERM, and tells what it received at `GET /_calls` (beside /v1).
"""

import argparse
import asyncio
import json
import signal
import sys
from contextlib import suppress
from types import TracebackType
from typing import Self

from penstock.errors import ConfigurationError
from penstock.testing.model_calls import Busiest, Call, busiest, call_of
from penstock.testing.model_errors import error_body
from penstock.testing.model_http import Connection, ReceivedRequest, Refused
from penstock.testing.model_replies import ModelStream, ScriptedAnswer
from penstock.testing.model_script import ModelScript
from penstock.testing.model_wire import Exchange, Unscripted, models_body

__all__ = ["Busiest", "Call", "ModelServer", "ModelStream", "ScriptedAnswer", "busiest"]

_CHAT = "/v1/chat/completions"
_METHODS = {_CHAT: "POST", "/v1/models": "GET", "/_calls": "GET"}


class ModelServer(ModelScript):
    """A server of chat completions on 127.0.0.1, in the running loop, open as an async context manager.

    What is scripted is used up in order: each by `times` requests, and only by those of which `when` is true. When
    nothing is left for a request, `default` answers it (a `ScriptedAnswer`); without one it is an error of status 500.

    port: 0 for any that is free. Leaving the context closes all connections, and raises what a `when` or `pace` raised.
    """

    def __init__(self, *, port: int = 0) -> None:
        super().__init__()
        self.requests: list[ReceivedRequest] = []
        """Those for chat completions, as they came; not those that are malformed."""
        self.most_open = 0
        """The most requests that were answered at one time."""
        self._port = port
        self._listener: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._exchanges: set[Exchange] = set()
        self._errors: list[BaseException] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        conversations = list(self._conversations)
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        if self._errors:
            raise self._errors[0]

    @property
    def base_url(self) -> str:
        """Of OpenAI's API, as clients take it: http://127.0.0.1:PORT/v1. Raises ConfigurationError unless open."""
        if self._listener is None:
            raise ConfigurationError("a ModelServer has a base_url only while it is open: async with ModelServer()")
        return f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}/v1"

    @property
    def calls(self) -> int:
        """How many chat completions were asked for."""
        return len(self.requests)

    @property
    def open(self) -> int:
        """How many requests are being answered now."""
        return len(self._exchanges)

    async def until_calls(self, number: int) -> None:
        """Returns once there are at least so many calls."""
        while self.calls < number:
            await self._changed.wait()

    async def until_open(self, number: int) -> None:
        """Returns once exactly so many requests are being answered."""
        while self.open != number:
            await self._changed.wait()

    def rate(self, window_s: float) -> Busiest:
        """The most requests and tokens that came in any window of this many seconds."""
        return busiest((call_of(request) for request in self.requests), window_s)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._listener is None:
            writer.transport.abort()
            return
        conversation = asyncio.create_task(self._converse(Connection(reader, writer)))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversed)

    def _conversed(self, conversation: asyncio.Task[None]) -> None:
        self._conversations.discard(conversation)
        if not conversation.cancelled() and (error := conversation.exception()) is not None:
            self._errors.append(error)

    async def _converse(self, connection: Connection) -> None:
        """Answer what comes on a connection until either side closes it."""
        try:
            with suppress(ConnectionError):
                try:
                    while not connection.last and (request := await connection.receive()) is not None:
                        await self._respond(connection, request)
                except Refused as refusal:
                    await connection.refuse(refusal)
            await connection.close()
        finally:
            connection.abort()

    async def _respond(self, connection: Connection, request: ReceivedRequest) -> None:
        method = _METHODS.get(request.path)
        if method is None:
            raise Refused(404, f"there is no {request.path} here, only {', '.join(_METHODS)}")
        if method != request.method:
            raise Refused(405, f"{request.path} takes {method}, not {request.method}")
        if request.path == _CHAT:
            exchange = Exchange(connection, request, f"chatcmpl-{self.calls + 1}", self._answered)
            await self._complete(connection, exchange)
        elif request.path == "/_calls":
            calls = [call_of(one)._asdict() for one in self.requests]
            told = {"calls": calls, "open": self.open, "most_open": self.most_open}
            await connection.whole(200, json.dumps(told).encode())
        else:
            await connection.whole(200, models_body())

    async def _complete(self, connection: Connection, exchange: Exchange) -> None:
        """Answer a call for as long as the client is there. Raises ConnectionError when it goes before the end."""
        self.requests.append(exchange.request)
        self._exchanges.add(exchange)
        self.most_open = max(self.most_open, self.open)
        self._tell()
        answering = asyncio.create_task(self._answer(exchange))
        leaving = asyncio.create_task(connection.until_gone())
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise ConnectionResetError("the client has closed its connection")
            await answering
        except (BrokenPipeError, ConnectionResetError):
            # In this order: whoever waits for the client to go may then look at what is open.
            self._answered(exchange)
            exchange.gone.set()
            raise
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            self._answered(exchange)

    async def _answer(self, exchange: Exchange) -> None:
        try:
            await self._next(exchange.request, self.calls)(exchange)
        except Unscripted as error:
            # OpenAI's clients try again after a 500, unless told not to.
            await exchange.whole(500, error_body(str(error), "script_error"), {"x-should-retry": "false"})

    def _answered(self, exchange: Exchange) -> None:
        self._exchanges.discard(exchange)
        self._tell()

    def _tell(self) -> None:
        """Wake all who wait for a change."""
        self._changed.set()
        self._changed.clear()


async def _serve(options: argparse.Namespace) -> None:
    """Be a server until told to stop."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with ModelServer(port=options.port) as server:
        server.default = ScriptedAnswer(
            options.answer, input_tokens=options.input_tokens, output_tokens=options.output_tokens,
            pace=options.delay_ms / 1_000, chunks=1,
        )  # fmt: skip
        sys.stdout.write(json.dumps({"base_url": server.base_url}) + "\n")
        sys.stdout.flush()
        await stopping.wait()


def main() -> None:
    """The process form."""
    parser = argparse.ArgumentParser(prog="python -m penstock.testing.model_server")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0: any that is free")
    parser.add_argument("--answer", required=True, metavar="TEXT", help="what every call is answered")
    parser.add_argument("--delay-ms", type=int, default=0, metavar="N", help="time before an answer")
    parser.add_argument("--input-tokens", type=int, default=10, metavar="N", help="usage of an answer")
    parser.add_argument("--output-tokens", type=int, default=5, metavar="N", help="usage of an answer")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
