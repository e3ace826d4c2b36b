"""Serving an application until a signal: first the open requests, then what else runs in the process."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import typer
import uvicorn

# Live event streams never end by themselves: at shutdown they are given this long.
_OPEN_REQUESTS_S = 3


class CannotListen(OSError):
    """The address is taken or not ours; the text says which."""


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would end the process before the worker has let its jobs finish."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn."""
        yield


def listener(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks one. Raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        # Before anybody is told of it: who connects at once is to wait, not to be refused.
        made.listen()
    except OSError as error:
        made.close()
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return made


async def serve(
    app: Any, made: socket.socket, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[int]], what: str
) -> int:
    """Serve `app` between `start` and `stop`, until SIGTERM or SIGINT (a second one drops open requests); the exit code
    that `stop` gives. `what` follows the address in the line on stderr that says where it listens."""
    server = _Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=_OPEN_REQUESTS_S))

    def on_signal() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await start()
    host, port = made.getsockname()[:2]
    typer.echo(f"listening on http://{host}:{port}{what}", err=True)
    try:
        await server.serve(sockets=[made])
    finally:
        code = await stop()
    return code
