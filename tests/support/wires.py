"""A local server that speaks the wire of some service, counts what it is asked, and fails on request."""

import re
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TypeVar

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.support.faults import Fault


@dataclass
class Wires(ABC):
    """The server. `faults` holds by path what is answered first, one after the other; `called_at` are seconds of a
    clock that only goes forward."""

    server: HTTPServer
    faults: defaultdict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list), kw_only=True)
    calls: Counter[str] = field(default_factory=Counter, kw_only=True)
    called_at: list[float] = field(default_factory=list, kw_only=True)
    in_flight: int = field(default=0, kw_only=True)
    most_in_flight: int = field(default=0, kw_only=True)
    lock: threading.Lock = field(default_factory=threading.Lock, kw_only=True)

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return self.server.url_for("").rstrip("/")

    def handle(self, request: Request) -> Response:
        """Any request."""
        with self.lock:
            self.calls[request.path] += 1
            self.called_at.append(time.monotonic())
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            fault = self.faults[request.path].pop(0) if self.faults[request.path] else None
        try:
            return fault(request) if fault is not None else self.answer(request)
        finally:
            with self.lock:
                self.in_flight -= 1

    @abstractmethod
    def answer(self, request: Request) -> Response:
        """What the service says when it is well."""


W = TypeVar("W", bound=Wires)


def wires_on(server: HTTPServer, kind: type[W]) -> W:
    """New wires on a server that answers requests side by side."""
    server.clear()
    wires = kind(server)
    server.expect_request(re.compile(".*")).respond_with_handler(wires.handle)
    return wires


def threaded_server() -> HTTPServer:
    """A server for wires; not started."""
    return HTTPServer(host="127.0.0.1", threaded=True)
