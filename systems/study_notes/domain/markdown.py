"""A note as Markdown (CommonMark). Plain texts stay plain: no sign in them acts as markup or HTML."""

import re
from collections.abc import Sequence

from systems.study_notes.domain.hydration import VisualBlock
from systems.study_notes.domain.layout import Box, Bullets, Code, Heading, Paragraph, Part
from systems.study_notes.domain.text import collapse

# Escaped wherever they stand: emphasis, code, links, headings, tables, strikethrough.
_SIGNS = re.compile(r"([\\`*_\[\]#|~])")
# Escaped at the start of a line: list bullets, rules and underlines of headings, definition lists, numbered lists.
_LINE_START = re.compile(r"^([-+=:])")
_NUMBERED = re.compile(r"^(\d+)([.)])")
_BLANK_LINES = re.compile(r"\n\s*\n")
_BACKTICKS = re.compile(r"`+")
_LANGUAGE = re.compile(r"[A-Za-z0-9+#._-]{1,30}")
_ENTITY = re.compile(r"&(?=#?\w+;)")


def to_markdown(parts: Sequence[Part]) -> str:
    """The parts as Markdown, ending in one line end."""
    return "\n\n".join(_part(part) for part in parts) + "\n"


def escape(text: str) -> str:
    """Plain text as Markdown that shows just this text. Lines stay lines; white space around them is dropped."""
    return "\n".join(_line(line) for line in text.split("\n"))


def code_language(language: str | None) -> str:
    """The name of a programming language when it may stand behind a fence or in a class, else nothing."""
    return language if language and _LANGUAGE.fullmatch(language) else ""


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, which blank lines part; blank ones are left out."""
    return [paragraph for piece in _BLANK_LINES.split(text) if (paragraph := piece.strip())]


def _line(line: str) -> str:
    entities = line.strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _SIGNS.sub(r"\\\1", entities)
    return _NUMBERED.sub(r"\1\\\2", _LINE_START.sub(r"\\\1", text))


def _part(part: Part) -> str:
    if isinstance(part, Heading):
        return f"{'#' * part.level} {_line(collapse(part.text))}"
    if isinstance(part, Paragraph):
        return _paragraph(part)
    if isinstance(part, Bullets):
        return "\n".join(_bullet(item) for item in part.items)
    if isinstance(part, Code):
        return _fenced(part)
    if isinstance(part, Box):
        return _box(part)
    return _figure(part.label, part.visual)


def _paragraph(part: Paragraph) -> str:
    pieces = [escape(piece) for piece in paragraphs(part.text)]
    if part.lead:
        lead = f"**{_line(collapse(part.lead))}**"
        pieces[:1] = [f"{lead} {pieces[0]}" if pieces else lead]
    return "\n\n".join(pieces)


def _bullet(item: str) -> str:
    # Lines and paragraphs after the first are indented, or they would leave the list.
    return "- " + "\n\n".join(escape(piece) for piece in paragraphs(item)).replace("\n", "\n  ")


def _fenced(part: Code) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(part.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{code_language(part.language)}\n{part.text}\n{fence}"


def _box(box: Box) -> str:
    inner = to_markdown(box.parts).rstrip("\n")
    return "\n".join(f"> {line}".rstrip() for line in inner.split("\n")) if box.set_apart else inner


def _figure(label: str, visual: VisualBlock) -> str:
    picture = f"![{_line(collapse(visual.alt_text))}]({_address(visual.image_url)})"
    credit = _credit(visual)
    return f"{picture}\n\n*{label}: {credit}*" if credit else picture


def _credit(visual: VisualBlock) -> str:
    title = _line(collapse(visual.source_title or visual.source_url or ""))
    if visual.source_url:
        title = f"[{title}]({_address(visual.source_url)})"
    return ", ".join(part for part in (title, _line(collapse(visual.provider or ""))) if part)


def _address(url: str) -> str:
    # Addresses are ASCII without spaces or angle brackets (see `links`); brackets would end the link, and what looks
    # like an entity would be decoded.
    return _ENTITY.sub("&amp;", url.replace("(", "%28").replace(")", "%29"))
