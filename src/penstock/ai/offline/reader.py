"""Reading a text, Markdown or plain, into its elements."""

import re
from collections.abc import Sequence
from statistics import median

from penstock.ai.offline.elements import Code, Element, Heading, Listing, Paragraph, Quote, Table
from penstock.ai.offline.headings import atx_heading, is_title_like, numbered_heading, underline_level
from penstock.ai.offline.markup import plain_text

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$")
_BULLET = re.compile(r"^\s*(?:[-*+•▪◦‣·]|\(?(?:\d{1,3}|[a-z])[.)])\s+(\S.*)$")
_RULE = re.compile(r"^ {0,3}([-*_=])(?:\s*\1){2,}\s*$")
_TABLE_LINE = re.compile(r"^\s*\|.*\|\s*$")
_TABLE_RULE = re.compile(r"^[\s|:-]+$")
_QUOTE = re.compile(r"^ {0,3}>\s?")
_FRONT_MATTER = re.compile(r"\A---\n(?:[\w-]+:.*\n|[ \t-].*\n)+---\n")
_COMMENT = re.compile(r"<!--.{0,2000}?-->", re.DOTALL)
_NO_LETTERS = re.compile(r"^[\W\d_]*$")

_UNWRAPPED_LINE = 100
_BODY_LINE = 40
_TIGHT_TITLE_WORDS = 7
_TITLE_LEVEL = 2


def parse_elements(text: str) -> list[Element]:
    """The elements of `text` in order, as plain text.

    Where the text has Markdown headings only these count; in plain text numbered and title-like lines do. Front
    matter, comments, rules and lines without any letter are left out.
    """
    source = _COMMENT.sub("", _FRONT_MATTER.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    lines = source.replace("\f", "\n\n").expandtabs(4).split("\n")
    if _is_one_paragraph_a_line(lines):
        lines = [part for line in lines for part in (line, "")]
    return _Reader(lines).read()


def _is_one_paragraph_a_line(lines: Sequence[str]) -> bool:
    filled = [line for line in lines if line.strip()]
    return len(filled) > 1 and len(filled) == len(lines) and median(map(len, filled)) > _UNWRAPPED_LINE


class _Reader:
    """One pass over the lines; every `_read_…` takes what it recognises and moves on."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._elements: list[Element] = []
        self._markdown = _has_markdown_headings(lines)

    def read(self) -> list[Element]:
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip() or (_RULE.match(line) and not _BULLET.match(line)):
                self._at += 1
            elif not (
                self._read_code(line)
                or self._read_heading(line)
                or self._read_table(line)
                or self._read_quote(line)
                or self._read_list(line)
            ):
                self._read_paragraph()
        return self._elements

    def _line(self, ahead: int) -> str:
        at = self._at + ahead
        return self._lines[at] if 0 <= at < len(self._lines) else ""

    def _add(self, element: Element, lines: int) -> bool:
        self._elements.append(element)
        self._at += lines
        return True

    def _read_code(self, line: str) -> bool:
        fence = _FENCE.match(line)
        if fence is None:
            return False
        end = self._at + 1
        while end < len(self._lines) and not self._lines[end].strip().startswith(fence.group(1)):
            end += 1
        code = "\n".join(self._lines[self._at + 1 : end])
        self._at = end + 1
        if code.strip():
            self._elements.append(Code(code, fence.group(2) or None))
        return True

    def _read_heading(self, line: str) -> bool:
        atx = atx_heading(line)
        if atx is not None:
            return self._add(Heading(atx[0], plain_text(atx[1])), 1)
        level = underline_level(self._line(1))
        if level is not None and not _BULLET.match(line) and not _TABLE_LINE.match(line):
            return self._add(Heading(level, plain_text(line)), 2)
        if self._markdown or self._line(-1).strip() or not self._stands_alone(line):
            return False
        numbered = numbered_heading(line)
        if numbered is not None:
            return self._add(Heading(numbered[0], plain_text(numbered[1])), 1)
        if is_title_like(line) and not line.strip().endswith("?") and not _BULLET.match(line):
            level = 1 if line.strip().isupper() else _TITLE_LEVEL
            return self._add(Heading(level, plain_text(line)), 1)
        return False

    def _stands_alone(self, line: str) -> bool:
        """Whether what follows is a body: after a blank line, or at once when the line is very short."""
        below = self._line(1)
        if below.strip():
            return (
                len(below) >= _BODY_LINE and below.strip()[0].isupper() and len(line.split()) <= _TIGHT_TITLE_WORDS
            ) and not _BULLET.match(line)
        following = [later for later in self._lines[self._at + 1 : self._at + 12] if later.strip()]
        numbered = _BULLET.match(line) is not None
        # A title may have its first heading below it; more lines of that shape are a list or a poem.
        return any(not (numbered if _BULLET.match(later) else is_title_like(later)) for later in following[:3])

    def _read_table(self, line: str) -> bool:
        if not _TABLE_LINE.match(line):
            return False
        rows = []
        while _TABLE_LINE.match(self._line(0)):
            row = self._line(0).strip().strip("|")
            self._at += 1
            if not _TABLE_RULE.match(row):
                rows.append(" | ".join(plain_text(cell) for cell in row.split("|")))
        if rows:
            self._elements.append(Table(tuple(rows)))
        return True

    def _read_quote(self, line: str) -> bool:
        if not _QUOTE.match(line):
            return False
        paragraphs: list[list[str]] = [[]]
        while _QUOTE.match(self._line(0)):
            inner = _QUOTE.sub("", self._line(0))
            self._at += 1
            if inner.strip():
                paragraphs[-1].append(inner)
            else:
                paragraphs.append([])
        texts = (plain_text(" ".join(lines)) for lines in paragraphs)
        self._elements.extend(Quote(text) for text in texts if not _NO_LETTERS.match(text))
        return True

    def _read_list(self, line: str) -> bool:
        if not _BULLET.match(line):
            return False
        items: list[list[str]] = []
        while self._at < len(self._lines):
            current = self._line(0)
            bullet = _BULLET.match(current)
            if bullet:
                items.append([bullet.group(1)])
            elif current.strip() and (self._line(-1).strip() or current.startswith("  ")) and not self._interrupts():
                items[-1].append(current)
            elif current.strip() or not (_BULLET.match(self._line(1)) or self._line(1).startswith("  ")):
                break
            self._at += 1
        texts = (plain_text(" ".join(item)) for item in items)
        kept = tuple(text for text in texts if text)
        if kept:
            self._elements.append(Listing(kept))
        return True

    def _read_paragraph(self) -> None:
        start = self._at
        self._at += 1
        while self._line(0).strip() and not self._interrupts():
            self._at += 1
        text = plain_text(" ".join(self._lines[start : self._at]))
        if not _NO_LETTERS.match(text):
            self._elements.append(Paragraph(text))

    def _interrupts(self) -> bool:
        """Whether the present line ends a paragraph although no blank line stands before it."""
        line = self._line(0)
        return bool(
            atx_heading(line)
            or _FENCE.match(line)
            or _QUOTE.match(line)
            or _TABLE_LINE.match(line)
            or (_BULLET.match(line) and not line.strip()[0].isalnum())
            or (_RULE.match(line) and not _BULLET.match(line))
        )


def _has_markdown_headings(lines: Sequence[str]) -> bool:
    fenced = False
    for at, line in enumerate(lines):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and line.strip() and (atx_heading(line) or (at and _is_underlined(lines, at))):
            return True
    return False


def _is_underlined(lines: Sequence[str], at: int) -> bool:
    return underline_level(lines[at]) is not None and is_title_like(lines[at - 1])
