"""A stub that speaks the wire of Stripe's billing meter events, with the faults a test asks for."""

import json
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

PATH = "/v1/billing/meter_events"
KEY = "sk_test_stub"

Fault = Callable[["StripeStub", Request], Response | None]
"""What is done to one request; None: it is answered as usual after all."""


@dataclass
class StripeStub:
    """Counts each identifier once, as Stripe does, and refuses it the second time."""

    server: HTTPServer
    counted: dict[str, dict[str, str]] = field(default_factory=dict)
    """Identifier -> the event's fields as they came."""
    requests: int = 0
    busiest: Counter[str] = field(default_factory=Counter)
    """Customer -> the most of its requests that were open at once."""
    faults: deque[Fault] = field(default_factory=deque)
    """One request each, in order."""
    refuse: set[str] = field(default_factory=set)
    """Customers that do not exist."""
    _open: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.server.expect_request(PATH, method="POST").respond_with_handler(self._handle)

    @property
    def url(self) -> str:
        return self.server.url_for("")

    def value_of(self, customer: str) -> int:
        """What a customer is billed for."""
        return sum(
            int(one["payload[value]"])
            for one in self.counted.values()
            if one["payload[stripe_customer_id]"] == customer
        )

    def _handle(self, request: Request) -> Response:
        customer = request.form["payload[stripe_customer_id]"]
        with self._lock:
            self.requests += 1
            self._open[customer] += 1
            self.busiest[customer] = max(self.busiest[customer], self._open[customer])
            fault = self.faults.popleft() if self.faults else None
        try:
            answer = fault(self, request) if fault is not None else None
            return answer if answer is not None else self.usual(request)
        finally:
            with self._lock:
                self._open[customer] -= 1

    def usual(self, request: Request) -> Response:
        """What Stripe does."""
        if request.authorization is None or request.authorization.token != KEY:
            return error(401, "Invalid API Key provided: sk_test_****")
        fields = {name: request.form[name] for name in request.form}
        if fields["payload[stripe_customer_id]"] in self.refuse:
            return error(400, "No such customer: 'cus_gone'", code="resource_missing")
        if not fields["payload[value]"].isdigit():
            return error(400, "The value must be a whole number")
        if abs(time.time() - int(fields["timestamp"])) > 35 * 86_400:
            return error(400, "The timestamp must be within the past 35 calendar days")
        with self._lock:
            if fields["identifier"] in self.counted:
                return error(400, f"An event already exists with identifier {fields['identifier']}.")
            self.counted[fields["identifier"]] = fields
        payload = {"value": fields["payload[value]"], "stripe_customer_id": fields["payload[stripe_customer_id]"]}
        body = {
            "object": "billing.meter_event", "created": int(time.time()), "event_name": fields["event_name"],
            "identifier": fields["identifier"], "livemode": False, "payload": payload,
            "timestamp": int(fields["timestamp"]),
        }  # fmt: skip
        return Response(json.dumps(body), content_type="application/json")


def error(status: int, message: str, *, code: str | None = None, **headers: str) -> Response:
    """An error as Stripe words them."""
    kind = {429: "rate_limit_error", 401: "invalid_request_error"}.get(
        status, "api_error" if status >= 500 else "invalid_request_error"
    )
    named = {} if code is None else {"code": code}
    body = json.dumps({"error": {"type": kind, "message": message, **named}})
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status, sent, content_type="application/json")


def status(number: int, *, retry_after: str | None = None) -> Fault:
    """Answer with an error; nothing is counted."""
    headers = {} if retry_after is None else {"Retry_After": retry_after}
    return lambda stub, request: error(number, f"scripted {number}", **headers)


def lost_answer(number: int) -> Fault:
    """Count the event, then answer with an error all the same."""

    def fault(stub: StripeStub, request: Request) -> Response:
        stub.usual(request)
        return error(number, "scripted after it was counted")

    return fault


def cut(*, counted: bool) -> Fault:
    """Cut the connection instead of answering, with the event counted or not."""

    def fault(stub: StripeStub, request: Request) -> Response:
        if counted:
            stub.usual(request)
        connection: socket.socket = request.environ["werkzeug.socket"]
        connection.shutdown(socket.SHUT_RDWR)
        return Response()

    return fault
