"""What a text is made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the highest."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text without line breaks."""

    text: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The items of a list; nested items follow their parents in one row."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A fenced code block, verbatim, with the language its fence names."""

    text: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Quote:
    """A block quotation."""

    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table, header first; each row's cells are joined by ` | `."""

    rows: tuple[str, ...]


Body = Paragraph | Listing | Code | Quote | Table
Element = Heading | Body
