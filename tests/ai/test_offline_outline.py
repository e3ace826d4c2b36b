"""Elements, headings, sections."""

from penstock.ai.offline import (
    Code,
    Document,
    Heading,
    Listing,
    Paragraph,
    Quote,
    Section,
    Table,
    body_texts,
    parse_document,
    parse_elements,
)

MARKDOWN = """---
author: nobody
---
# Title

Opening text
over two lines.

## First

- one
- two
  goes on

```python
# not a heading
```

> quoted

| a | b |
| - | - |
| 1 | 2 |

### Deeper

1. x
2. y

Second
------
Last *words*.
"""


def headings(document: Document) -> list[tuple[str, list[str]]]:
    return [(section.heading, [child.heading for child in section.children]) for section in document.sections]


def test_markdown_becomes_elements_in_order() -> None:
    assert parse_elements(MARKDOWN) == [
        Heading(1, "Title"),
        Paragraph("Opening text over two lines."),
        Heading(2, "First"),
        Listing(("one", "two goes on")),
        Code("# not a heading", "python"),
        Quote("quoted"),
        Table(("a | b", "1 | 2")),
        Heading(3, "Deeper"),
        Listing(("x", "y")),
        Heading(2, "Second"),
        Paragraph("Last words."),
    ]


def test_outline_has_title_opening_and_nested_sections() -> None:
    document = parse_document(MARKDOWN)
    assert document.title == "Title"
    assert body_texts(document.preamble) == ["Opening text over two lines."]
    assert headings(document) == [("First", ["Deeper"]), ("Second", [])]


def test_several_top_headings_are_sections_and_no_title() -> None:
    document = parse_document("# One\n\ntext\n\n## Sub\n\ntext\n\n# Two\n\ntext")
    assert document.title is None
    assert headings(document) == [("One", ["Sub"]), ("Two", [])]


def test_numbered_and_capital_headings_of_a_plain_text_nest_by_their_numbers() -> None:
    text = "1. Water\n\nWater flows down.\n\n1.1 Head\n\nHead is height.\n\n2. Wheels\n\nWheels turn."
    assert headings(parse_document(text)) == [("1. Water", ["1.1 Head"]), ("2. Wheels", [])]


def test_short_lines_that_stand_alone_are_headings() -> None:
    text = "The wheel\n\nA wheel turns all day long.\n\nThe stone\nA stone grinds the grain between the two faces."
    assert headings(parse_document(text)) == [("The wheel", []), ("The stone", [])]


def test_numbered_list_and_short_lines_in_a_row_are_no_headings() -> None:
    assert parse_document("1. Fetch water\n2. Turn wheel\n3. Grind grain").sections == ()
    assert parse_document("Roses red\n\nViolets blue\n\nSugar sweet\n\nAnd you").sections == ()


def test_one_paragraph_a_line_without_blank_lines_stays_paragraphs() -> None:
    line = (
        "This is a long line of running text that goes on and on, well past the width at which one wraps lines by hand."
    )
    assert parse_elements(f"{line}\n{line}") == [Paragraph(line), Paragraph(line)]


def test_sixty_thousand_headings_are_read() -> None:
    assert len(parse_document("# x\n\n" * 60_000).sections) in range(59_999, 60_001)


def test_sections_walk_in_reading_order() -> None:
    tree = Section("a", (), (Section("b", ()), Section("c", (), (Section("d", ()),))))
    assert [section.heading for section in tree.walk()] == ["a", "b", "c", "d"]
