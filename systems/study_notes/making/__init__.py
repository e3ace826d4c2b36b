"""One file or link, made into study notes from the terminal, with its progress shown."""

from systems.study_notes.making.given import Unusable
from systems.study_notes.making.run import Made, make_note

__all__ = ["Made", "Unusable", "make_note"]
