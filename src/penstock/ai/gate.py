"""What stands around each real call: limits, budgets and the ledger are gates."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from penstock.ai.answers import NO_USAGE, Usage
from penstock.ai.errors import ModelErrorKind
from penstock.ai.headers import rates_in, retry_after_in
from penstock.ai.request import ModelRequest
from penstock.domain.calls import CallScope

Purpose = Literal["ask", "reask", "retry", "fallback"]
CallOutcome = ModelErrorKind | Literal["answered", "cancelled"]


@dataclass(frozen=True, slots=True)
class CallInfo:
    """A real call that is to be made: of whom, for whom, the how many-eth of its request (from 1), and what for."""

    provider: str
    model: str
    account: str
    offline: bool
    number: int
    purpose: Purpose
    request: ModelRequest[Any]
    scope: CallScope | None


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a real call ended. `answered` says that the provider answered; whether the answer fitted is not its matter.

    `usage` is what is known of the tokens, `limits` and `retry_after_s` (seconds) what the provider said of its limits.
    `late`: the answer came when nobody waited any more, after an end as `timeout` or `cancelled` had been told; only
    what it used still counts.
    """

    outcome: CallOutcome
    latency_s: float
    usage: Usage = NO_USAGE
    limits: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None
    late: bool = False

    @property
    def rates(self) -> Mapping[str, int]:
        """The rates a minute that the provider told: `requests`, `input_tokens`, `output_tokens`."""
        return rates_in(self.limits)

    def pause_s(self, now: datetime) -> float:
        """How long the provider wants no further call (seconds); 0 where it did not say."""
        said = self.retry_after_s if self.outcome == "rate_limit" else None
        return said or retry_after_in(self.limits, now) or 0.0


class GatedCall(Protocol):
    """A call that was let through."""

    def settled(self, end: CallEnd) -> None:
        """Told once before the gate is left, unless no call was made; once more, after it, when a late answer came."""
        ...


class Gate(Protocol):
    """Lets calls through.

    It may wait before it does; the wait ends with the request's deadline. What it raises on entering ends the request
    and reaches the caller as it is, so that a job can give its slot back. Leaving it may write.
    """

    def call(self, info: CallInfo) -> AbstractAsyncContextManager[GatedCall]:
        """Entered before a real call and left after it."""
        ...


class _Through:
    def settled(self, end: CallEnd) -> None:
        pass


class OpenGate:
    """Lets everything through and remembers nothing."""

    @asynccontextmanager
    async def call(self, info: CallInfo) -> AsyncIterator[GatedCall]:
        """Lets the call through."""
        yield _Through()
