"""A hydrated lesson laid out as a flat run of simple parts, which the Markdown and HTML renderers both write.

Every text a block has is shown, whatever its kind: nothing of a lesson can be lost between structure and note.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from systems.study_notes.domain.hydration import HydratedBlock, PlaceholderBlock, TextBlock, VisualBlock
from systems.study_notes.domain.labels import Labels
from systems.study_notes.domain.structure import Block, ContentType

# Kinds that are set apart from the running text; the labelled ones carry a word that says what they are.
_LABELLED = frozenset(
    {ContentType.KEY_TAKEAWAY_BOX, ContentType.NOTE_BOX, ContentType.HIGHLIGHT_BOX, ContentType.EXAMPLE}
)
_GROUPED = frozenset({ContentType.DEFINITION, ContentType.QA, ContentType.EXPLANATION, ContentType.CONCLUSION})


@dataclass(frozen=True, slots=True)
class Heading:
    """`level` 1 is the note's title; a lesson's own levels come below it, at most 6."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text after a `lead` in bold; either may be empty. Blank lines part paragraphs."""

    text: str
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """An unordered list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A listing, shown letter by letter."""

    text: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Box:
    """Parts that belong together. `kind` names the style; a `set_apart` box is framed in Markdown too."""

    kind: str
    parts: tuple["Part", ...]
    set_apart: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with its attribution; `label` precedes the attribution."""

    label: str
    visual: VisualBlock


Part = Heading | Paragraph | Bullets | Code | Box | Figure


def lay_out(title: str, summary: str, blocks: Sequence[HydratedBlock], labels: Labels) -> tuple[Part, ...]:
    """All parts of a note in reading order."""
    opening: list[Part] = [Heading(1, title)]
    if summary:
        opening.append(Paragraph(summary))
    return (*opening, *_parts(blocks, labels))


def _parts(blocks: Sequence[HydratedBlock], labels: Labels) -> Iterator[Part]:
    for block in blocks:
        if isinstance(block, TextBlock):
            yield from _boxed(block.block, labels)
            yield from _parts(block.children, labels)
        elif isinstance(block, VisualBlock):
            yield Figure(labels.picture_source, block)
        else:
            yield _missing(block, labels)


def _missing(block: PlaceholderBlock, labels: Labels) -> Box:
    told = Paragraph(block.description or "", lead=f"{labels.picture_missing}:")
    return Box("placeholder", (told, Paragraph(f"({block.reason})")), set_apart=True)


def _boxed(block: Block, labels: Labels) -> Iterator[Part]:
    parts = tuple(_own_parts(block, labels))
    if not parts:
        return
    kind = block.content_type
    if kind in _LABELLED:
        label = Paragraph("", lead=str(getattr(labels, kind.value)))
        yield Box(kind.value, (label, *parts), set_apart=True)
    elif kind in _GROUPED:
        yield Box(kind.value, parts, set_apart=False)
    else:
        yield from parts


def _own_parts(block: Block, labels: Labels) -> Iterator[Part]:
    yield from _main_text(block)
    if block.question:
        yield Paragraph("", lead=block.question)
    if block.answer:
        yield Paragraph(block.answer)
    if block.term or block.definition:
        yield Paragraph(block.definition or "", lead=f"{block.term}:" if block.term else "")
    if block.items:
        yield Bullets(block.items)
    if block.section_summary:
        yield Paragraph(block.section_summary)
    if block.key_points:
        yield Paragraph("", lead=labels.key_points)
        yield Bullets(block.key_points)


def _main_text(block: Block) -> Iterator[Part]:
    if block.content_type is ContentType.HEADING and block.content:
        yield Heading(min(6, (block.level or 1) + 1), block.content)
    if block.title:
        yield Paragraph("", lead=block.title)
    if not block.content or block.content_type is ContentType.HEADING:
        return
    if block.content_type is ContentType.CODE_BLOCK:
        yield Code(block.content, block.language)
    else:
        yield Paragraph(block.content)
