"""Study notes: a document, picture, recording or video becomes a note with pictures, a quiz and flashcards."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from systems.study_notes.wiring import StudyNotes, build

__all__ = ["StudyNotes", "build"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for (PEP 562): whoever imports a module of the domain gets no web framework with it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("systems.study_notes.wiring"), name)
