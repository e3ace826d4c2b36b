"""The only place that knows all parts of study notes."""

from systems.study_notes.wiring.system import StudyNotes, build

__all__ = ["StudyNotes", "build"]
