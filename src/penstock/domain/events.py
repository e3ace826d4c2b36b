"""The base of events: immutable facts in the log."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from penstock.domain.job import checked_name
from penstock.errors import ConfigurationError


class Event(BaseModel):
    """A fact. `class NoteAssembled(Event, type="note.assembled", stream="study_notes"): …`

    Immutable; unknown fields are ignored on reading, so that a newer writer does not break an older reader.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    event_type: ClassVar[str] = ""
    event_stream: ClassVar[str] = "default"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, *, type: str | None = None, stream: str | None = None, **more: Any) -> None:
        if more:
            raise ConfigurationError(f"event {cls.__name__}: unknown option {min(more)!r}; known: type, stream")
        if type is not None:
            cls.event_type = checked_name("type", type)
        if stream is not None:
            cls.event_stream = checked_name("stream", stream)
        if not cls.event_type:
            raise ConfigurationError(f'event {cls.__name__} needs a type: class {cls.__name__}(Event, type="…")')

    @classmethod
    def from_data(cls, data: bytes | str) -> Self:
        """The event of its stored JSON. Raises pydantic.ValidationError when a required field is missing."""
        return cls.model_validate_json(data)
