"""The places in a lesson where pictures belong, and which picture belongs where."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from systems.study_notes.domain.structure import Block, ContentType, LessonStructure, VisualOpportunity
from systems.study_notes.domain.text import collapse

_MARKER = re.compile(r"\[VISUAL::([^\]]*)\]")
_ID_DIGITS = 16
_TEXT_FIELDS = ("title", "content", "section_summary", "question", "answer", "term", "definition")
_LIST_FIELDS = ("key_points", "items")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A wanted picture. Equal descriptions have the same id and are one picture."""

    placeholder_id: str
    concept: str
    description: str
    search_query: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A visual opportunity as the model wrote it: any part may be missing, ids may repeat."""

    placeholder_id: str | None
    concept: str | None
    description: str | None
    search_query: str | None


def placeholder_id(description: str) -> str:
    """The stored id: the first 16 hex digits of the SHA-256 of the description, spaces collapsed, case-folded."""
    return hashlib.sha256(collapse(description).casefold().encode()).hexdigest()[:_ID_DIGITS]


def collect(lesson: LessonStructure) -> list[Placeholder]:
    """All wanted pictures in reading order, each once; places without a description want none."""
    known = {wanted.placeholder_id: wanted for wanted in lesson.visual_opportunities}
    found: dict[str, Placeholder] = {}
    for block in lesson.blocks():
        for description in _descriptions(block, known):
            key = placeholder_id(description)
            wanted = known.get(key) or _opportunity(description)
            found.setdefault(key, Placeholder(key, wanted.concept, wanted.description, wanted.search_query))
    return list(found.values())


def _descriptions(block: Block, known: Mapping[str, VisualOpportunity]) -> Iterator[str]:
    wanted = known.get(block.placeholder_id) if block.placeholder_id else None
    if wanted is not None:
        yield wanted.description
    yield from (description for description in markers(block) if description)


def unwrapped(text: str | None) -> str | None:
    """A placeholder's own text, which models also write as a marker, without the marker's signs."""
    return (_MARKER.sub(r"\1", text).strip() or None) if text else None


def markers(block: Block) -> list[str]:
    """Descriptions of the `[VISUAL::description]` markers in the block's texts, in order; empty ones included."""
    return [collapse(found) for text in _texts(block) for found in _MARKER.findall(text)]


def without_markers(block: Block) -> Block:
    """The block with the markers taken out of its texts; texts that held nothing else are absent."""
    if not markers(block):
        return block
    texts = {name: _stripped(getattr(block, name)) or None for name in _searched(block)}
    lists = {name: tuple(kept for text in getattr(block, name) if (kept := _stripped(text))) for name in _LIST_FIELDS}
    return block.model_copy(update=texts | lists)


def _searched(block: Block) -> Sequence[str]:
    # Code is shown letter by letter: what looks like a marker in it is part of the program.
    is_code = block.content_type is ContentType.CODE_BLOCK
    return [name for name in _TEXT_FIELDS if not (is_code and name == "content")]


def _texts(block: Block) -> Iterator[str]:
    yield from (text for name in _searched(block) if (text := getattr(block, name)))
    for name in _LIST_FIELDS:
        yield from getattr(block, name)


def _stripped(text: str | None) -> str:
    return re.sub(r"[ \t]{2,}", " ", _MARKER.sub("", text)).strip() if text else ""


class Resolver:
    """Joins the placeholders of ONE answer with its wishes, before answers are merged: the model's own ids mean
    something within one answer only.

    Where several wishes share an id, the first placeholder with that id gets the first of them, and so on; the last
    one serves all that follow.
    """

    def __init__(self, wishes: Sequence[Wish]) -> None:
        self._by_id: dict[str, list[Wish]] = defaultdict(list)
        self._resolved: dict[str, VisualOpportunity] = {}
        for wish in wishes:
            if wish.placeholder_id is not None:
                self._by_id[wish.placeholder_id].append(wish)
            if wish.description:
                # Also without a placeholder: a marker with this description takes its search words from here.
                self._remember(wish.description, wish)

    def stored_id(self, model_id: str | None, content: str | None) -> str | None:
        """The stored id of the next placeholder block with this id and content, None when nothing describes it."""
        wish = self._next(model_id)
        description = (wish.description if wish else None) or content
        return self._remember(description, wish) if description else None

    def opportunities(self) -> tuple[VisualOpportunity, ...]:
        """All described wishes, each once, under their stored ids."""
        return tuple(self._resolved.values())

    def _next(self, model_id: str | None) -> Wish | None:
        wishes = self._by_id.get(model_id, []) if model_id else []
        return (wishes.pop(0) if len(wishes) > 1 else wishes[0]) if wishes else None

    def _remember(self, description: str, wish: Wish | None) -> str:
        text = collapse(description)
        key = placeholder_id(text)
        if key not in self._resolved:
            self._resolved[key] = _opportunity(
                text, concept=wish.concept if wish else None, search_query=wish.search_query if wish else None
            )
        return key


def _opportunity(description: str, concept: str | None = None, search_query: str | None = None) -> VisualOpportunity:
    return VisualOpportunity(
        placeholder_id=placeholder_id(description),
        concept=concept or description,
        description=description,
        search_query=search_query or description,
    )
