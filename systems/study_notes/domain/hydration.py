"""A lesson with its pictures: every placeholder becomes a `visual` block, or a `placeholder` block with a reason."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from systems.study_notes.domain.lifecycle import VisualStatus
from systems.study_notes.domain.links import image_link, web_link
from systems.study_notes.domain.placeholders import markers, placeholder_id, without_markers
from systems.study_notes.domain.records import Visual
from systems.study_notes.domain.structure import Block, ContentType

_REASONS = {
    VisualStatus.NO_IMAGE_FOUND: "no picture was found",
    VisualStatus.FAILED: "the picture could not be fetched",
}
_NOT_MADE = "the picture was not made"
_NOT_DESCRIBED = "no description of the picture was given"
_BAD_ADDRESS = "the picture's address cannot be shown"


@dataclass(frozen=True, slots=True)
class VisualBlock:
    """A picture with its attribution; `image_url` and `source_url` may be shown as they are."""

    image_url: str
    alt_text: str
    source_title: str | None
    source_url: str | None
    provider: str | None


@dataclass(frozen=True, slots=True)
class PlaceholderBlock:
    """A picture that is missing, and why."""

    description: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A block of the lesson, free of markers, with the pictures its texts asked for and the blocks below it."""

    block: Block
    children: tuple["HydratedBlock", ...]


HydratedBlock = TextBlock | VisualBlock | PlaceholderBlock


def hydrate(blocks: Sequence[Block], visuals: Mapping[str, Visual]) -> tuple[HydratedBlock, ...]:
    """`blocks` with the pictures of `visuals` (by placeholder_id) in their places.

    The picture of a marker stands right after the texts of its block.
    """
    return tuple(hydrated for block in blocks for hydrated in _hydrated(block, visuals))


def _hydrated(block: Block, visuals: Mapping[str, Visual]) -> Iterator[HydratedBlock]:
    if block.content_type is ContentType.VISUAL_PLACEHOLDER:
        yield _picture(visuals.get(block.placeholder_id or ""), block.content, described=bool(block.placeholder_id))
        yield from hydrate(block.sub_structure, visuals)
        return
    pictures = tuple(_picture(visuals.get(placeholder_id(text)), text, described=bool(text)) for text in markers(block))
    yield TextBlock(without_markers(block), pictures + hydrate(block.sub_structure, visuals))


def _picture(visual: Visual | None, text: str | None, *, described: bool) -> VisualBlock | PlaceholderBlock:
    if visual is None:
        return PlaceholderBlock(text or None, _NOT_MADE if described else _NOT_DESCRIBED)
    if visual.status is not VisualStatus.COMPLETED:
        return PlaceholderBlock(visual.description, visual.error_message or _REASONS.get(visual.status, _NOT_MADE))
    address = image_link(visual.image_url)
    if address is None:
        return PlaceholderBlock(visual.description, _BAD_ADDRESS)
    return VisualBlock(
        image_url=address,
        alt_text=visual.alt_text or visual.description,
        source_title=visual.source_title,
        source_url=web_link(visual.source_url),
        provider=visual.provider,
    )
