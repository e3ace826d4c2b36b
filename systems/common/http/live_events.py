"""Events of one subject as server-sent events; the id of each is its position in the log."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header

from penstock import Penstock
from penstock.events import LoggedEvent
from systems.common.http.identity import MAX_ID


async def position(last_event_id: Annotated[str | None, Header()] = None) -> int:
    """The position after which to tell: that of `Last-Event-ID`. A client that sends what is no position of ours hears
    everything."""
    text = (last_event_id or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ID else 0


def _everything(event: LoggedEvent) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Story:
    """What the log tells of `subject` in `stream`, as far as `takes` takes it; `is_end` says which events may be the
    last one."""

    engine: Penstock
    stream: str
    subject: str
    is_end: Callable[[LoggedEvent], bool]
    takes: Callable[[LoggedEvent], bool] = _everything

    async def goes_on(self, after: int) -> bool:
        """Whether something is told after that position."""
        while events := await self.engine.events.read(after, stream=self.stream, subject=self.subject):
            if any(map(self.takes, events)):
                return True
            after = events[-1].position
        return False

    async def told(self, after: int) -> AsyncIterator[LoggedEvent]:
        """What has happened and what happens, up to an end after which nothing more is told."""
        following = self.engine.events.follow(after, stream=self.stream, subject=self.subject)
        # Closed here and now, it lets go of its wake-ups.
        async with aclosing(following) as events:
            async for event in events:
                if not self.takes(event):
                    continue
                yield event
                # An end that was followed by a retry is not the end of the story.
                if self.is_end(event) and not await self.goes_on(event.position):
                    return
