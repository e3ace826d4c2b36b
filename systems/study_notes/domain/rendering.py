"""From a stored lesson and its visuals to the contents of a note."""

from collections.abc import Sequence
from dataclasses import dataclass

from systems.study_notes.domain.html import to_html
from systems.study_notes.domain.hydration import hydrate
from systems.study_notes.domain.labels import labels_for
from systems.study_notes.domain.layout import lay_out
from systems.study_notes.domain.markdown import to_markdown
from systems.study_notes.domain.records import Visual
from systems.study_notes.domain.structure import LessonStructure


@dataclass(frozen=True, slots=True)
class RenderedNote:
    """The same note twice."""

    markdown: str
    html: str


def render(title: str, lesson: LessonStructure, visuals: Sequence[Visual], language_code: str) -> RenderedNote:
    """The note under `title`, with finished pictures in their places and a reason where one is missing."""
    blocks = hydrate(lesson.structure, {visual.placeholder_id: visual for visual in visuals})
    parts = lay_out(title, lesson.summary, blocks, labels_for(language_code))
    return RenderedNote(to_markdown(parts), to_html(parts))
