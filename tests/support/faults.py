"""What a service can answer instead of an answer. Each is a function from a request to a response."""

import json
import socket
import threading
from collections.abc import Callable

from werkzeug import Request, Response

Fault = Callable[[Request], Response]


def too_many(retry_after: str | None = None) -> Fault:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda _: _error(429, "Quota exceeded for quota metric 'Queries'.", headers)


def status(code: int, message: str = "Backend Error") -> Fault:
    return lambda _: _error(code, message)


def html(code: int = 200) -> Fault:
    page = "<!doctype html><title>Sign in</title><p>This network wants you to sign in."
    return lambda _: Response(page, code, content_type="text/html; charset=utf-8")


def body(content: bytes, content_type: str = "application/json") -> Fault:
    return lambda _: Response(content, 200, content_type=content_type)


def packed() -> Fault:
    return lambda _: Response(b"\x1f\x8b", 200, {"Content-Encoding": "gzip"}, content_type="application/json")


def huge(megabytes: int = 50) -> Fault:
    def pieces():
        yield b'{"items": ["'
        for _ in range(megabytes):
            yield b"x" * 1_000_000

    return lambda _: Response(pieces(), 200, content_type="application/json")


def redirect(to: str, code: int = 302) -> Fault:
    return lambda _: Response("", code, {"Location": to})


def cut(request: Request) -> Response:
    """The connection is closed before a byte was answered."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return Response("never seen")


def cut_in_the_middle(request: Request) -> Response:
    """The connection is closed after half of what was announced."""

    def half():
        yield b'{"items": ['
        request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)

    return Response(half(), 200, {"Content-Length": "1000"}, content_type="application/json")


def stall(until: threading.Event) -> Fault:
    """Nothing is answered until the event is set (or a minute is over)."""

    def answer(_: Request) -> Response:
        until.wait(60)
        return Response("{}", content_type="application/json")

    return answer


def _error(code: int, message: str, headers: dict[str, str] | None = None) -> Response:
    told = {"error": {"code": code, "message": message, "errors": [{"message": message}]}}
    return Response(json.dumps(told), code, headers, content_type="application/json; charset=UTF-8")
