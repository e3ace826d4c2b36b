"""Live events of one source, by server-sent events; the id of each is its position in the log."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from systems.common.http.errors import NothingMore
from systems.common.http.identity import UserNumber
from systems.common.http.live_events import Story, position
from systems.study_notes.domain.errors import NotFound
from systems.study_notes.domain.events import TERMINAL_EVENTS
from systems.study_notes.http.services import Services
from systems.study_notes.http.source_routes import SourceId, With

router = APIRouter(prefix="/api/sources", tags=["sources"])

After = Annotated[int, Depends(position)]


async def story(source_id: SourceId, user: UserNumber, use: With, after: After) -> Story:
    """What is told of the source. Raises `NotFound`, and `NothingMore` when it has ended and everything was told."""
    async with use.reads() as uow:
        source = await uow.sources.get(source_id)
    if source is None or source.user_id != user:
        raise NotFound("source")
    found = _story_of(use, source_id)
    if source.status.is_terminal and not await found.goes_on(after):
        raise NothingMore
    return found


@router.get("/{source_id}/events", response_class=EventSourceResponse)
async def source_events(after: After, told: Annotated[Story, Depends(story)]) -> AsyncIterator[ServerSentEvent]:
    """What has happened to the source and what happens to it, up to its end."""
    async for event in told.told(after):
        yield ServerSentEvent(data=event.data, event=event.type, id=str(event.position))


def _story_of(use: Services, source_id: int) -> Story:
    return Story(use.engine, use.stream, str(source_id), lambda event: event.type in TERMINAL_EVENTS)
