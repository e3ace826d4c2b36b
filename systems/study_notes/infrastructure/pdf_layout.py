"""From the printed lines of a PDF to running text: headings, paragraphs and list items, hyphenation healed.

A PDF knows no paragraphs, only letters at places. What is used here: the height of the letters (headings are taller
than the body), the distance between base lines, the indent of a first line, and how the line before ended.
"""

import itertools
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from systems.study_notes.infrastructure.plain_text import not_a_heading

# pdfium puts this sign where a word was broken by a hyphen at the end of a line, and leaves the line break out.
BROKEN_WORD = "\ufffe"
_HEADING_RATIO = 1.15
_HEADING_MAX_CHARS = 160
_HEADING_LEVELS = 3
_GAP_RATIO = 1.3
_INDENT_RATIO = 0.8
_APART_RATIO = 1.6
_RUNNING_RATIO = 1.3
_MIN_REPEATS = 3
# An entry of a table of contents or an index: a row of dots and a page number.
_LEADER = re.compile(r"(?:\.\s?){5,}\s*(?:\d+|[ivxlc]+)?$")
_BULLET = re.compile(r"^[\u2022\u25aa\u25e6\u25cf\u2023\u00b7\u2043*-]\s+")
_NUMBERED = re.compile(r"^\(?\d{1,3}[.)]\s+\S")
_ENDS_SENTENCE = re.compile(r"[.!?:;\u2026\u3002\u0964][\"'\u201d\u2019)\]]*$")
_HYPHEN_AT_END = re.compile(r"[^\W\d_]-$")
_BROKEN = re.compile(rf"([^\W\d_]+){BROKEN_WORD}([^\W\d_]+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line. Lengths in points; `y` of the base line grows upwards, `x` is the left edge."""

    text: str
    height: float
    x: float
    y: float


def flowing_text(pages: Sequence[Sequence[Line]]) -> str:
    """The text of all pages as Markdown-like text: `#` headings, `-` list items, blank lines between paragraphs.

    Page numbers, lines repeated at the top or bottom of several pages, and tables of contents are left out. Empty
    when there are no words.
    """
    kept = _without_running_lines(pages)
    lines = [line for page in kept for line in page]
    if not lines:
        return ""
    body = _body_height(lines)
    levels = _heading_levels(lines, body)
    pitch = _usual_pitch(kept)
    blocks: list[str] = []
    previous: Line | None = None
    for page in kept:
        for index, line in enumerate(page):
            if previous is not None and not _starts_block(previous, line, pitch, levels, new_page=index == 0):
                blocks[-1] = _joined(blocks[-1], line.text)
            else:
                blocks.append(_opening(line, levels))
            previous = line
    return _heal_broken_words("\n\n".join(blocks))


def _opening(line: Line, levels: dict[float, int]) -> str:
    level = levels.get(_rounded(line.height))
    if level is not None:
        return f"{'#' * level} {line.text}"
    return _BULLET.sub("- ", not_a_heading(line.text))


def _starts_block(before: Line, line: Line, pitch: float, levels: dict[float, int], *, new_page: bool) -> bool:
    if _is_item(line.text):
        return True
    if levels.get(_rounded(before.height)) != levels.get(_rounded(line.height)):
        return True
    fall = before.y - line.y
    if new_page or fall <= 0:  # another page or column: the paragraph goes on only when it plainly does
        return bool(_ENDS_SENTENCE.search(before.text)) or not line.text[:1].islower()
    if _rounded(line.height) in levels:
        return fall > 2 * line.height
    indented = line.x - before.x > _INDENT_RATIO * line.height and not _is_item(before.text)
    return fall > _GAP_RATIO * pitch or (indented and bool(_ENDS_SENTENCE.search(before.text)))


def _is_item(text: str) -> bool:
    return bool(_BULLET.match(text) or _NUMBERED.match(text))


def _joined(start: str, rest: str) -> str:
    if _HYPHEN_AT_END.search(start) and rest[:1].islower():
        return start[:-1] + BROKEN_WORD + rest
    return f"{start} {rest}"


def _heal_broken_words(text: str) -> str:
    """Drops the hyphen of a broken word, unless the document elsewhere writes the word with one and never without."""
    plain = text.replace(BROKEN_WORD, " ").lower()
    words = set(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", plain))

    def healed(match: re.Match[str]) -> str:
        left, right = match.groups()
        hyphenated, joined = f"{left}-{right}".lower(), (left + right).lower()
        return f"{left}-{right}" if hyphenated in words and joined not in words else left + right

    return _BROKEN.sub(healed, text).replace(BROKEN_WORD, "-")


def _body_height(lines: Iterable[Line]) -> float:
    weights: Counter[float] = Counter()
    for line in lines:
        weights[_rounded(line.height)] += len(line.text)
    return min(weights, key=lambda height: (-weights[height], height), default=0.0)


def _heading_levels(lines: Iterable[Line], body: float) -> dict[float, int]:
    tall = {
        _rounded(line.height)
        for line in lines
        if line.height >= _HEADING_RATIO * body and len(line.text) <= _HEADING_MAX_CHARS
    }
    return {height: min(rank, _HEADING_LEVELS) for rank, height in enumerate(sorted(tall, reverse=True), start=1)}


def _usual_pitch(pages: Sequence[Sequence[Line]]) -> float:
    falls = [before.y - line.y for page in pages for before, line in itertools.pairwise(page) if before.y > line.y]
    # The lower quarter: gaps between paragraphs only ever make a distance larger.
    return statistics.quantiles(falls, n=4)[0] if len(falls) > 1 else (falls[0] if falls else 0.0)


def _without_running_lines(pages: Sequence[Sequence[Line]]) -> list[list[Line]]:
    body = _body_height(line for page in pages for line in page)
    edges = [_edges(page, body) for page in pages]
    counts = Counter(key for lines in edges for key in {_running_key(line) for line in lines})
    return [
        [line for line in page if not (_LEADER.search(line.text) or (line in apart and _is_running(line, counts)))]
        for page, apart in zip(pages, edges, strict=True)
    ]


def _is_running(line: Line, counts: Counter[str]) -> bool:
    return line.text.strip("-\u2013 ").isdigit() or counts[_running_key(line)] >= _MIN_REPEATS


def _edges(page: Sequence[Line], body: float) -> list[Line]:
    """The highest and the lowest line where they stand apart from the rest and are not as tall as a title."""
    ordered = sorted(page, key=lambda line: line.y)
    pairs = [(ordered[0], ordered[1]), (ordered[-1], ordered[-2])] if len(ordered) > 1 else []
    return [
        line
        for line, inner in pairs
        if line.height <= _RUNNING_RATIO * body and abs(line.y - inner.y) > _APART_RATIO * line.height
    ]


def _running_key(line: Line) -> str:
    # The page number at either end is what differs from page to page.
    return re.sub(r"^\d+\b|\b\d+$", "0", line.text)


def _rounded(height: float) -> float:
    return round(height * 2) / 2
