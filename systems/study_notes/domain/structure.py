"""The lesson structure: a lesson as the model answered it, after repair, as it is stored (snake_case)."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class ContentType(StrEnum):
    """Kinds of blocks. `visual` and `placeholder` blocks are made by assembly, see `hydration`."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST = "list"
    CODE_BLOCK = "code_block"
    DEFINITION = "definition"
    KEY_TAKEAWAY_BOX = "key_takeaway_box"
    NOTE_BOX = "note_box"
    HIGHLIGHT_BOX = "highlight_box"
    QA = "qa"
    EXPLANATION = "explanation"
    EXAMPLE = "example"
    CONCLUSION = "conclusion"
    VISUAL_PLACEHOLDER = "visual_placeholder"


class Model(BaseModel):
    """Frozen; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Block(Model):
    """One piece of a lesson. All texts are plain text; which of them are set depends on the kind. `level` is 1-6."""

    content_type: ContentType
    title: str | None = None
    content: str | None = None
    level: int | None = None
    section_summary: str | None = None
    key_points: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    question: str | None = None
    answer: str | None = None
    term: str | None = None
    definition: str | None = None
    language: str | None = None
    placeholder_id: str | None = None
    sub_structure: tuple["Block", ...] = ()


class VisualOpportunity(Model):
    """A picture the model would like, joined to its placeholder by the id."""

    placeholder_id: str
    concept: str
    description: str
    search_query: str


class LessonStructure(Model):
    """A lesson. `title` and `summary` are empty when the model gave none."""

    title: str = ""
    summary: str = ""
    structure: tuple[Block, ...]
    visual_opportunities: tuple[VisualOpportunity, ...] = ()

    def blocks(self) -> Iterator[Block]:
        """All blocks in reading order."""
        return walk(self.structure)

    def as_json(self) -> dict[str, object]:
        """For storing: snake_case, without absent fields."""
        return self.model_dump(mode="json", exclude_defaults=True)


def walk(blocks: Sequence[Block]) -> Iterator[Block]:
    """`blocks` and all below them in reading order."""
    for block in blocks:
        yield block
        yield from walk(block.sub_structure)


def merge(parts: Sequence[LessonStructure]) -> LessonStructure:
    """One lesson out of the lessons of consecutive pieces of a text (at least one).

    The first title there is, the summaries joined, all blocks in order, and each wanted picture once.
    """
    opportunities = {wanted.placeholder_id: wanted for part in reversed(parts) for wanted in part.visual_opportunities}
    return LessonStructure(
        title=next((part.title for part in parts if part.title), ""),
        summary="\n\n".join(part.summary for part in parts if part.summary),
        structure=tuple(block for part in parts for block in part.structure),
        visual_opportunities=tuple(opportunities.values()),
    )


def title_of(lesson: LessonStructure, filename: str | None) -> str:
    """The title of a lesson whose learner gave none: the model's, else its first heading, else the file's name."""
    headings = (block.content for block in lesson.blocks() if block.content_type is ContentType.HEADING)
    return lesson.title or next((text for text in headings if text), None) or filename or "Untitled"
