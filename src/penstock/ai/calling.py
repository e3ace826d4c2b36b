"""One real call: let through by the gate, cut off in time, settled whatever becomes of it."""

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext

from penstock.ai.answers import NO_USAGE, ModelAnswer, ModelFailure, Try, Usage
from penstock.ai.deadline import AdaptiveTimeout
from penstock.ai.detached import detached
from penstock.ai.errors import ModelErrorKind
from penstock.ai.gate import CallEnd, CallInfo, CallOutcome, Gate, GatedCall, Purpose
from penstock.ai.port import OnCall, OnText, Provider
from penstock.ai.request import AnyRequest
from penstock.domain.calls import current_scope

logger = logging.getLogger(__name__)

Ended = ModelAnswer[str] | ModelFailure


class Caller:
    """Makes the real calls of one request, and keeps what became of them in `tries`."""

    def __init__(
        self,
        gate: Gate,
        deadline: AdaptiveTimeout | None = None,
        on_text: OnText | None = None,
        on_call: OnCall | None = None,
    ) -> None:
        self._gate = gate
        self._deadline = deadline
        self._on_text = on_text
        self._on_call = on_call
        self.tries: list[Try] = []

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return self._deadline is not None and self._deadline.timed_out

    def bounded(self) -> AbstractAsyncContextManager[None]:
        """Inside it waits end with the deadline. Raises TimeoutError then."""
        return nullcontext() if self._deadline is None else self._deadline.bounding()

    async def call(self, provider: Provider, request: AnyRequest, purpose: Purpose) -> Ended:
        """Call a provider once. Raises TimeoutError when the deadline has passed, and what gate and listeners raise."""
        info = CallInfo(
            provider.name,
            provider.model,
            provider.account,
            provider.offline,
            len(self.tries) + 1,
            purpose,
            request,
            current_scope(),
        )
        # The gate is left outside of the bounds: what it writes then is written also when the deadline has passed.
        async with AsyncExitStack() as gate:
            async with self.bounded():
                gated = await gate.enter_async_context(self._gate.call(info))
            if self._on_call is not None:
                self._on_call(info)
            call = _Call(provider, request, gated, self._on_text)
            try:
                async with self.bounded():
                    outcome = await call.outcome()
            except asyncio.CancelledError:
                call.settle("cancelled")
                raise
            except TimeoutError:
                self._settle_late(call, call.usage)
                raise
            if call.listener_error is not None:
                call.settle("cancelled", outcome)
                raise call.listener_error
            if self.is_late:
                # It came, but after the deadline: a clock that was moved, or a loop that was held up.
                self._settle_late(call, outcome.usage)
                raise TimeoutError
            kind = outcome.kind if isinstance(outcome, ModelFailure) else None
            call.settle(kind or "answered", outcome)
            self.tries.append(call.as_try(kind, outcome.usage))
        return outcome

    def _settle_late(self, call: "_Call", usage: Usage) -> None:
        call.usage = usage
        call.settle("timeout")
        self.tries.append(call.as_try("timeout", usage))


class _Call:
    """A call on its way. `usage` is what is known so far."""

    def __init__(self, provider: Provider, request: AnyRequest, gated: GatedCall, on_text: OnText | None) -> None:
        self._provider = provider
        self._request = request
        self._gated = gated
        self._on_text = on_text
        self._began = time.monotonic()
        self._is_over = False
        self.usage = NO_USAGE
        self.listener_error: Exception | None = None

    async def outcome(self) -> Ended:
        """What the provider says, or that its time (`timeout_s`) is over."""
        try:
            async with asyncio.timeout(self._request.timeout_s):
                return await detached(self._said(), self._came_late)
        except TimeoutError:
            message = f"{self._name}: no answer within {self._request.timeout_s:g} s"
            return self._failure("timeout", message, self.usage)
        finally:
            self._is_over = True

    def settle(self, how: CallOutcome, outcome: Ended | None = None) -> None:
        """Tell the gate how it ended."""
        if outcome is None:
            self._gated.settled(CallEnd(how, self._latency_s, self.usage))
            return
        after = outcome.retry_after_s if isinstance(outcome, ModelFailure) else None
        self._gated.settled(CallEnd(how, self._latency_s, outcome.usage, outcome.limits, after))

    def as_try(self, kind: ModelErrorKind | None, usage: Usage) -> Try:
        """For the record."""
        return Try(self._provider.name, self._provider.model, kind, self._latency_s, usage)

    async def _said(self) -> Ended:
        try:
            return await self._provider.call(
                self._request, on_text=None if self._on_text is None else self._hear, on_usage=self._used
            )
        except Exception as error:
            if self.listener_error is None:
                logger.warning("%s raised instead of answering", self._name, exc_info=True)
            return self._failure("unknown", f"{self._name}: {type(error).__name__}: {error}", self.usage)

    def _hear(self, piece: str) -> None:
        if self._is_over or self._on_text is None or self.listener_error is not None:
            return
        try:
            self._on_text(piece)
        except Exception as error:
            self.listener_error = error
            raise

    def _used(self, usage: Usage) -> None:
        if not self._is_over:
            self.usage = usage

    def _came_late(self, outcome: Ended) -> None:
        how: CallOutcome = outcome.kind if isinstance(outcome, ModelFailure) else "answered"
        self._gated.settled(CallEnd(how, self._latency_s, outcome.usage, outcome.limits, late=True))

    def _failure(self, kind: ModelErrorKind, message: str, usage: Usage) -> ModelFailure:
        return ModelFailure(
            kind, message, retryable=True, provider=self._provider.name, model=self._provider.model, usage=usage
        )

    @property
    def _name(self) -> str:
        return f"{self._provider.name} ({self._provider.model})"

    @property
    def _latency_s(self) -> float:
        return time.monotonic() - self._began
