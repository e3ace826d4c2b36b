"""Providers and gates that do as a test tells them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from penstock.ai import CallEnd, CallInfo, ModelAnswer, ModelErrorKind, ModelFailure, ModelRequest, Usage

Outcome = str | ModelAnswer[str] | ModelFailure | BaseException | Callable[[ModelRequest[Any]], Awaitable[Any]]


def failing(kind: ModelErrorKind, *, retryable: bool = True, after: float | None = None) -> ModelFailure:
    return ModelFailure(kind, f"it is {kind}", retryable=retryable, retry_after_s=after)


@dataclass
class FakeProvider:
    """Gives its outcomes one by one, the last for ever; keeps the requests."""

    outcomes: list[Outcome]
    name: str = "a"
    model: str = "m"
    account: str = ""
    offline: bool = False
    usage: Usage = field(default_factory=Usage)
    requests: list[ModelRequest[Any]] = field(default_factory=list)
    closed: bool = False

    async def call(self, request: ModelRequest[Any], *, on_text: Any = None, on_usage: Any = None) -> Any:
        self.requests.append(request)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if callable(outcome):
            outcome = await outcome(request)
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, str):
            if on_text is not None:
                for piece in outcome.split("|"):
                    on_text(piece)
            if on_usage is not None:
                on_usage(self.usage)
            outcome = outcome.replace("|", "")
            return ModelAnswer(outcome, outcome, self.name, self.model, usage=self.usage, finish_reason="stop")
        return outcome

    async def close(self) -> None:
        self.closed = True


def provider(*outcomes: Outcome, name: str = "a", usage: Usage | None = None) -> FakeProvider:
    return FakeProvider(list(outcomes), name, usage=usage or Usage())


@dataclass
class DeafProvider(FakeProvider):
    """Swallows being cancelled (once, so that a test that fails can end), and answers when it is let."""

    let: asyncio.Event = field(default_factory=asyncio.Event)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    was_cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, request: ModelRequest[Any], *, on_text: Any = None, on_usage: Any = None) -> Any:
        if on_usage is not None:
            on_usage(Usage(7))
        self.called.set()
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.was_cancelled.set()
            await self.let.wait()
        return await super().call(request, on_text=on_text, on_usage=on_usage)


class NotingGate:
    """Keeps what it was told, in order. `leaving` is called when a call is left."""

    def __init__(self, leaving: Callable[[], object] = lambda: None) -> None:
        self.leaving = leaving
        self.infos: list[CallInfo] = []
        self.ends: list[CallEnd] = []
        self.late = asyncio.Event()
        self.inside = 0

    @asynccontextmanager
    async def call(self, info: CallInfo) -> AsyncIterator["NotingGate"]:
        self.infos.append(info)
        self.inside += 1
        try:
            yield self
        finally:
            self.inside -= 1
            self.leaving()

    def settled(self, end: CallEnd) -> None:
        self.ends.append(end)
        if end.late:
            self.late.set()
