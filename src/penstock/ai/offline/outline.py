"""The tree of a document: title, opening text, sections within sections."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from penstock.ai.offline.elements import Body, Code, Element, Heading, Listing, Paragraph, Quote, Table
from penstock.ai.offline.reader import parse_elements
from penstock.ai.offline.sentences import split_sentences


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what stands directly under it, and its subsections."""

    heading: str
    body: tuple[Body, ...]
    children: tuple["Section", ...] = ()

    def walk(self) -> Iterator["Section"]:
        """This section and all below it, in reading order."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Document:
    """A whole text. `title` is None when the text has no heading that stands for all of it."""

    title: str | None
    preamble: tuple[Body, ...]
    sections: tuple[Section, ...]

    def walk(self) -> Iterator[Section]:
        """All sections of all depths, in reading order."""
        for section in self.sections:
            yield from section.walk()


def parse_document(text: str) -> Document:
    """The outline of `text`.

    A first heading that stands alone on the highest level, or before everything else, is the title. Levels that the
    text skips are closed up, so that the depth in the tree is what counts.
    """
    elements = parse_elements(text)
    title: str | None = None
    if elements and isinstance(elements[0], Heading) and _is_title(elements):
        title = elements[0].text
        elements = elements[1:]
    first = next((at for at, element in enumerate(elements) if isinstance(element, Heading)), len(elements))
    return Document(title, _bodies(elements[:first]), _nest(elements[first:]))


def body_texts(body: Sequence[Body]) -> list[str]:
    """All prose in `body`, one text for each paragraph, quotation, list item or table row; no code."""
    texts: list[str] = []
    for element in body:
        if isinstance(element, Paragraph | Quote):
            texts.append(element.text)
        elif isinstance(element, Listing):
            texts.extend(element.items)
        elif isinstance(element, Table):
            texts.extend(element.rows)
    return texts


def body_sentences(body: Sequence[Body]) -> list[str]:
    """The sentences of the paragraphs and quotations in `body`."""
    return [
        sentence
        for element in body
        if isinstance(element, Paragraph | Quote)
        for sentence in split_sentences(element.text)
    ]


def _is_title(elements: Sequence[Element]) -> bool:
    first, *rest = elements
    levels = [element.level for element in rest if isinstance(element, Heading)]
    if not isinstance(first, Heading) or not rest:
        return False
    headed_at_once = isinstance(rest[0], Heading) and rest[0].level <= first.level
    return not levels or first.level < min(levels) or headed_at_once


def _nest(elements: Sequence[Element]) -> tuple[Section, ...]:
    """Sections from a run of elements that begins with a heading."""
    starts: list[int] = []
    level = 0
    for at, element in enumerate(elements):
        if isinstance(element, Heading) and (not starts or element.level <= level):
            starts.append(at)
            level = element.level
    return tuple(_section(elements[start:end]) for start, end in pairwise([*starts, len(elements)]))


def _section(elements: Sequence[Element]) -> Section:
    heading, *inner = elements
    first = next((at for at, element in enumerate(inner) if isinstance(element, Heading)), len(inner))
    name = heading.text if isinstance(heading, Heading) else ""
    return Section(name, _bodies(inner[:first]), _nest(inner[first:]))


def _bodies(elements: Sequence[Element]) -> tuple[Body, ...]:
    return tuple(element for element in elements if isinstance(element, Paragraph | Listing | Code | Quote | Table))
