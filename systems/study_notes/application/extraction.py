"""What all extractions end with: the text of a source, and what is known about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from systems.study_notes.application.ports import Clock
from systems.study_notes.application.progress import enter_stage
from systems.study_notes.application.repositories import ReadUnits, UnitOfWork
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.events import StageChanged
from systems.study_notes.domain.lifecycle import Stage
from systems.study_notes.domain.records import Source


@dataclass(frozen=True, slots=True)
class ExtractedText:
    """The text of a source; `known` is what its metadata keeps about it (JSON)."""

    source_id: int
    text: str
    known: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextStored:
    """`text` is what to process next."""

    text: str
    events: tuple[StageChanged, ...]


class StoreText:
    """The last step of every extraction; it may be done again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def store(self, uow: UnitOfWork, extracted: ExtractedText) -> TextStored | None:
        """Keep the text and go on to its analysis; None when the source is gone, cancelled or already past this."""
        now = self._clock.now()
        entered = await enter_stage(uow, extracted.source_id, Stage.ANALYZING_TEXT, now)
        if entered is None:
            return None
        await uow.sources.set_text(extracted.source_id, extracted.text, now)
        if extracted.known:
            metadata = {**await uow.sources.metadata(extracted.source_id), **extracted.known}
            await uow.sources.set_metadata(extracted.source_id, metadata, now)
        return TextStored(extracted.text, entered.events)


async def read_source(reads: ReadUnits, source_id: int) -> Source | None:
    """The source, None when it is gone."""
    async with reads() as uow:
        return await uow.sources.get(source_id)


def stored_file(source: Source) -> str:
    """The storage path of an upload. Raises `PermanentSourceError` when there is none."""
    if source.storage_path is None:
        raise PermanentSourceError("the uploaded file is missing")
    return source.storage_path
