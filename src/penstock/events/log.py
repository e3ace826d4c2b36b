"""Reading the log."""

import asyncio
import builtins
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from penstock import codec
from penstock.domain.events import Event
from penstock.domain.options import moment_of
from penstock.store.base import Store, Topics
from penstock.store.program import Topic
from penstock.store.programs.events import StoredEvent, log_head, number_events, read_events, unnumbered_events

E = TypeVar("E", bound=Event)

_POLL_S = 1.0
_BATCH = 500


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A fact at its position; `data` is what the event's fields were."""

    position: int
    stream: str
    type: str
    subject: str | None
    data: dict[str, Any]
    at: datetime

    @classmethod
    def of(cls, stored: StoredEvent) -> "LoggedEvent":
        """From a stored row."""
        return cls(
            stored.position, stored.stream, stored.type, stored.subject, codec.loads(stored.data), moment_of(stored.at)
        )

    def read_as(self, kind: "builtins.type[E]") -> E:
        """The typed event. Raises pydantic.ValidationError when the stored fields do not fit."""
        return kind.model_validate(self.data)


class EventLog:
    """Reads events by position: one order, no gap, also when transactions commit out of order."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def head(self) -> int:
        """The last position."""
        await self._number()
        return await self._store.read(log_head())

    async def read(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        subject: str | None = None,
        types: Sequence[str] | None = None,
        limit: int = _BATCH,
    ) -> list[LoggedEvent]:
        """Up to `limit` events after a position, filtered by stream, subject and types."""
        await self._number()
        found = await self._store.read(read_events(after, limit, stream=stream, subject=subject, types=types))
        return [LoggedEvent.of(event) for event in found]

    async def follow(
        self,
        after: int = 0,
        *,
        stream: str | None = None,
        subject: str | None = None,
        types: Sequence[str] | None = None,
    ) -> AsyncGenerator[LoggedEvent, None]:
        """Events after a position, then each new one as it comes, for ever; resume with the last position seen."""
        grown = asyncio.Event()

        def on_wake(topics: Topics) -> None:
            if not topics or Topic.LOG in topics:
                grown.set()

        subscription = self._store.subscribe(on_wake)
        try:
            while True:
                grown.clear()
                batch = await self.read(after, stream=stream, subject=subject, types=types)
                for event in batch:
                    yield event
                    after = event.position
                if len(batch) < _BATCH:
                    await _wait(grown)
        finally:
            subscription.close()

    async def _number(self) -> None:
        # Whoever reads first gives positions to what has committed since. Mostly there is nothing to do, which is found
        # by reading: readers do not wait for writers.
        while await self._store.read(unnumbered_events()):
            if await self._store.run(number_events(_BATCH), durable=False) < _BATCH:
                return


async def _wait(grown: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_POLL_S):
            await grown.wait()
    except TimeoutError:
        return
