"""What the routes work with; `wiring.py` fills it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request

from penstock import Penstock
from systems.study_notes.application.cancel_delete import Stopped
from systems.study_notes.application.inputs import Input
from systems.study_notes.application.library import Library
from systems.study_notes.application.ports import Clock
from systems.study_notes.application.repositories import ReadUnits
from systems.study_notes.application.retry_source import Retried
from systems.study_notes.application.source_status import ShowSourceStatus
from systems.study_notes.application.submit_source import Submitted


class Intake(Protocol):
    """Starts and stops work. All raise the system's errors (`domain/errors.py`)."""

    async def submit(self, given: Input) -> Submitted: ...

    async def retry(self, user_id: int, source_id: int) -> Retried: ...

    async def cancel(self, user_id: int, source_id: int) -> Stopped: ...

    async def delete(self, user_id: int, source_id: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Services:
    """`draw` makes the offline picture (SVG) of a concept and a description; `stream` names the log's stream."""

    intake: Intake
    library: Library
    reads: ReadUnits
    status: ShowSourceStatus
    engine: Penstock
    draw: Callable[[str, str], str]
    clock: Clock
    queue: str
    stream: str
    build_id: str


def services(request: Request) -> Services:
    """The dependency by which routes get theirs."""
    found: Services = request.app.state.services
    return found
