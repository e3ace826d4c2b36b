"""Live events of one source, by server-sent events; the id of each is its position in the log."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from systems.study_notes.domain.errors import NotFound
from systems.study_notes.domain.events import TERMINAL_EVENTS
from systems.study_notes.http.errors import NothingMore
from systems.study_notes.http.identity import MAX_ID, UserId
from systems.study_notes.http.services import Services, services
from systems.study_notes.http.source_routes import SourceId, With

router = APIRouter(prefix="/api/sources", tags=["sources"])


async def position(
    source_id: SourceId, user: UserId, use: With, last_event_id: Annotated[str | None, Header()] = None
) -> int:
    """The position after which to tell: that of `Last-Event-ID`, else the beginning.

    Raises `NotFound`, and `NothingMore` when the source has ended and everything was told already.
    """
    async with use.reads() as uow:
        source = await uow.sources.get(source_id)
    if source is None or source.user_id != user:
        raise NotFound("source")
    after = _number(last_event_id)
    if source.status.is_terminal and not await _more(use, source_id, after):
        raise NothingMore
    return after


@router.get("/{source_id}/events", response_class=EventSourceResponse)
async def source_events(
    source_id: SourceId, after: Annotated[int, Depends(position)], use: Annotated[Services, Depends(services)]
) -> AsyncIterator[ServerSentEvent]:
    """What has happened to the source and what happens to it, up to its end."""
    following = use.engine.events.follow(after, stream=use.stream, subject=str(source_id))
    # Closed here and now, it lets go of its wake-ups.
    async with aclosing(following) as events:
        async for event in events:
            yield ServerSentEvent(data=event.data, event=event.type, id=str(event.position))
            # An end that was followed by a retry is not the end of the story.
            if event.type in TERMINAL_EVENTS and not await _more(use, source_id, event.position):
                return


async def _more(use: Services, source_id: int, after: int) -> bool:
    return bool(await use.engine.events.read(after, stream=use.stream, subject=str(source_id), limit=1))


def _number(last_event_id: str | None) -> int:
    """A client that sends what is no position of ours hears everything."""
    text = (last_event_id or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_ID else 0
