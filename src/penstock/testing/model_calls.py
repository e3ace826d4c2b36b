"""What counts of the calls that a model server received, and the most that came in any window of time."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from penstock.testing.model_http import ReceivedRequest


class Call(NamedTuple):
    """What counts of a call: when it came (seconds), and the tokens of its answer."""

    received_at: float
    input_tokens: int
    output_tokens: int


class Busiest(NamedTuple):
    """The most of each that came in any window; not all in the same one. `tokens` are input and output together."""

    requests: int
    tokens: int
    input_tokens: int
    output_tokens: int


def busiest(calls: Iterable[Call], window_s: float) -> Busiest:
    """The most that came in any window of this many seconds; calls that far apart are never in one window."""
    most = Busiest(0, 0, 0, 0)
    window: deque[Call] = deque()
    inputs = outputs = 0
    for call in sorted(calls):
        window.append(call)
        inputs += call.input_tokens
        outputs += call.output_tokens
        while call.received_at - window[0].received_at >= window_s:
            old = window.popleft()
            inputs -= old.input_tokens
            outputs -= old.output_tokens
        most = Busiest(*map(max, most, (len(window), inputs + outputs, inputs, outputs)))
    return most


def call_of(request: ReceivedRequest) -> Call:
    """What counts of this request."""
    return Call(request.received_at, request.input_tokens, request.output_tokens)
