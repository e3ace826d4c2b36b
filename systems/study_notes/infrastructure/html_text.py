"""An HTML page reduced to its headings and text, written with the signs of Markdown. Nothing active is left."""

import re
from collections.abc import Iterator

import lxml.etree
import lxml.html
from lxml.html import HtmlElement

from systems.study_notes.infrastructure.plain_text import not_a_heading

_DROPPED = frozenset(
    {"script", "style", "noscript", "template", "head", "iframe", "object", "embed", "svg", "math", "canvas"}
    | {"audio", "video", "nav", "footer", "aside", "form", "button", "select", "textarea", "input", "dialog", "map"}
    | {"area", "link", "meta", "base"}
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    {"address", "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset"}
    | {"figcaption", "figure", "header", "hgroup", "html", "legend", "main", "p", "section", "summary"}
    | {"table", "tbody", "tfoot", "thead"}
)
_LISTS = frozenset({"ul", "ol", "menu", "dir"})


def html_to_text(html: str) -> str:
    """Markdown-like text: `#` headings, `-` and `1.` lists, fenced code, table rows as `a | b`; empty without words.

    Reads the page's `main` or only `article` when there is one; scripts, styles, forms, navigation and hidden parts
    are left out. A page without a first-level heading gets its title as one.
    """
    # The parser wants bytes: it refuses text that carries an encoding declaration of its own.
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        page = lxml.html.document_fromstring(html.encode("utf-8", "replace"), parser=parser)
    except lxml.etree.ParserError:  # nothing in it but comments or white space
        return ""
    blocks = list(_blocks(_main_part(page)))
    title = _inline(page.find(".//title")) if page.find(".//title") is not None else ""
    if blocks and title and not any(block.startswith("# ") for block in blocks):
        blocks.insert(0, f"# {title}")
    return "\n\n".join(blocks)


def _main_part(page: HtmlElement) -> HtmlElement:
    for tag in ("main", "article"):
        found = page.findall(f".//{tag}")
        if len(found) == 1 and (found[0].text_content() or "").strip():
            return found[0]
    return page


def _blocks(element: HtmlElement) -> Iterator[str]:
    """The blocks below an element in reading order; inline text between block elements is a block too."""
    loose: list[str] = [element.text or ""]
    for child in element:
        if not _is_shown(child):
            pass
        elif _is_block(child):
            yield from _paragraph(loose)
            loose = []
            yield from _block(child)
        elif _holds_block(child):
            yield from _paragraph(loose)
            loose = []
            yield from _blocks(child)
        else:
            loose.append(_inline_raw(child))
        loose.append(child.tail or "")
    yield from _paragraph(loose)


def _block(element: HtmlElement) -> Iterator[str]:
    tag = element.tag
    if tag in _HEADINGS:
        text = _inline(element)
        if text:
            yield f"{'#' * _HEADINGS[tag]} {text}"
    elif tag == "pre":
        yield from _code(element)
    elif tag in _LISTS:
        lines = list(_list_lines(element, depth=0))
        if lines:
            yield "\n".join(lines)
    elif tag == "tr":
        cells = [_inline(cell) for cell in element if cell.tag in ("td", "th")]
        if any(cells):
            yield " | ".join(cells)
    else:
        yield from _blocks(element)


def _code(element: HtmlElement) -> Iterator[str]:
    text = (element.text_content() or "").strip("\n").rstrip()
    if text:
        longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
        fence = "`" * max(3, longest + 1)
        yield f"{fence}\n{text}\n{fence}"


def _list_lines(element: HtmlElement, depth: int) -> Iterator[str]:
    number = 0
    for item in element:
        if not _is_shown(item):
            continue
        if item.tag in _LISTS:
            yield from _list_lines(item, depth + 1)
            continue
        number += 1
        text = _tidy("".join(_item_text(item)))
        if text:
            yield f"{'  ' * depth}{f'{number}.' if element.tag == 'ol' else '-'} {text}"
        for inner in item:
            if inner.tag in _LISTS and _is_shown(inner):
                yield from _list_lines(inner, depth + 1)


def _item_text(item: HtmlElement) -> Iterator[str]:
    yield item.text or ""
    for child in item:
        if _is_shown(child) and child.tag not in _LISTS:
            # Paragraphs inside one item are one line of it.
            yield f" {_inline_raw(child)} " if _is_block(child) else _inline_raw(child)
        yield child.tail or ""


def _paragraph(parts: list[str]) -> Iterator[str]:
    text = _tidy("".join(parts))
    if text:
        yield not_a_heading(text)


def _inline(element: HtmlElement) -> str:
    return _tidy(_inline_raw(element))


def _inline_raw(element: HtmlElement) -> str:
    if element.tag in ("br", "hr"):
        return " "
    parts = [element.text or ""]
    for child in element:
        if _is_shown(child):
            inner = _inline_raw(child)
            parts.append(f" {inner} " if _is_block(child) else inner)
        parts.append(child.tail or "")
    return "".join(parts)


def _is_block(element: HtmlElement) -> bool:
    return element.tag in _BLOCKS or element.tag in _HEADINGS or element.tag in _LISTS or element.tag in ("pre", "tr")


def _holds_block(element: HtmlElement) -> bool:
    return any(_is_block(inner) for inner in element.iterdescendants())


def _is_shown(element: HtmlElement) -> bool:
    if not isinstance(element.tag, str) or element.tag in _DROPPED:
        return False
    style = re.sub(r"\s", "", element.get("style") or "").lower()
    return "hidden" not in element.attrib and "display:none" not in style and element.get("aria-hidden") != "true"


def _tidy(text: str) -> str:
    return " ".join(text.split())
