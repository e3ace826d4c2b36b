"""The picture drawn when no image provider is configured: a plain labelled SVG, the same for the same words."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from systems.study_notes.infrastructure.picture_motifs import Palette, motif

WIDTH, HEIGHT = 800, 450
LABEL = "offline picture"
_TITLE_X, _TITLE_WIDTH, _TITLE_LINES = 48, 430, 4
_PILL_HEIGHT, _PILL_FONT, _PILLS = 36, 17, 4
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORD = re.compile(r"[^\W\d_]{5,}")
# Hues kept apart and calm; the pair (hue, hue of the accent) is chosen by the words' hash.
_HUES = ((205, 28), (168, 342), (228, 44), (268, 160), (192, 12), (24, 200), (142, 262), (336, 190))


@dataclass(frozen=True, slots=True)
class _Title:
    lines: tuple[str, ...]
    size: int


def offline_picture(concept: str, description: str) -> str:
    """An SVG document of 800 x 450 with the concept as title, a drawing, words of the description, and the label
    "offline picture". Everything given is escaped; equal texts give equal bytes."""
    concept, description = _clean(concept), _clean(description)
    title = concept or description or LABEL
    digest = hashlib.sha256(f"{title}\n{description}".encode()).digest()
    hue, accent = _HUES[digest[0] % len(_HUES)]
    palette = Palette(
        paper=f"hsl({hue},42%,95%)",
        wash=f"hsl({hue},46%,86%)",
        main=f"hsl({hue},44%,42%)",
        dark=f"hsl({hue},50%,20%)",
        accent=f"hsl({accent},66%,55%)",
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" role="img" font-family="Georgia, \'DejaVu Serif\', serif">',
            f"<title>{escape(title)} ({LABEL})</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{palette.paper}"/>',
            f'<path d="M0 {HEIGHT}V352Q200 316 400 346T800 330V{HEIGHT}Z" fill="{palette.wash}"/>',
            f'<g transform="translate(640 176)">{motif(f"{title} {description}", digest[1], palette)}</g>',
            *_title(_fitted(title), palette),
            *_pills(_keywords(description, title), palette),
            _label(palette),
            "</svg>",
        ]
    )


def _title(title: _Title, palette: Palette) -> list[str]:
    leading = title.size * 1.22
    first = 176 - leading * (len(title.lines) - 1) / 2 + title.size * 0.35
    rule = first - title.size * 1.25
    return [
        f'<rect x="{_TITLE_X}" y="{rule:.0f}" width="64" height="6" rx="3" fill="{palette.accent}"/>',
        *(
            f'<text x="{_TITLE_X}" y="{first + leading * index:.0f}" font-size="{title.size}" font-weight="bold" '
            f'fill="{palette.dark}">{escape(line)}</text>'
            for index, line in enumerate(title.lines)
        ),
    ]


def _pills(words: Sequence[str], palette: Palette) -> list[str]:
    parts: list[str] = []
    x = float(_TITLE_X)
    for word in words:
        width = _width(word) * _PILL_FONT + 34
        if x + width > WIDTH - _TITLE_X:
            break
        parts.append(
            f'<rect x="{x:.0f}" y="352" width="{width:.0f}" height="{_PILL_HEIGHT}" rx="{_PILL_HEIGHT // 2}" '
            f'fill="{palette.paper}" stroke="{palette.main}" stroke-width="1.5"/>'
            f'<text x="{x + width / 2:.0f}" y="376" font-size="{_PILL_FONT}" text-anchor="middle" '
            f'fill="{palette.dark}">{escape(word)}</text>'
        )
        x += width + 12
    return parts


def _label(palette: Palette) -> str:
    return (
        f'<text x="{WIDTH - 24}" y="{HEIGHT - 18}" font-size="15" font-style="italic" text-anchor="end" '
        f'fill="{palette.main}">{LABEL}</text>'
    )


def _fitted(title: str) -> _Title:
    for size in (44, 38, 33, 28):
        lines = _wrapped(title, _TITLE_WIDTH / size)
        if len(lines) <= _TITLE_LINES:
            return _Title(tuple(lines), size)
    kept = lines[:_TITLE_LINES]
    return _Title((*kept[:-1], kept[-1].rstrip(" ,;:") + "\u2026"), size)


def _wrapped(text: str, limit: float) -> list[str]:
    """Lines no wider than `limit` ems; a word that alone is wider is cut."""
    lines = [""]
    for word in text.split():
        for piece in _cut(word, limit):
            joined = f"{lines[-1]} {piece}".strip()
            if _width(joined) <= limit:
                lines[-1] = joined
            else:
                lines.append(piece)
    return [line for line in lines if line]


def _cut(word: str, limit: float) -> list[str]:
    pieces, piece = [], ""
    for sign in word:
        if piece and _width(piece + sign) > limit:
            pieces.append(piece)
            piece = ""
        piece += sign
    return [*pieces, piece]


def _width(text: str) -> float:
    # Mean advance of a serif face in ems; wide East Asian signs fill their square.
    return sum(1.05 if unicodedata.east_asian_width(sign) in "WF" else 0.56 for sign in text)


def _keywords(description: str, title: str) -> list[str]:
    """The longest different words of the description that the title does not say, in the order they occur."""
    said = {word.casefold() for word in _WORD.findall(title)}
    words: dict[str, str] = {}
    for word in _WORD.findall(description):
        if len(word) <= 24 and word.casefold() not in said:
            words.setdefault(word.casefold(), word.lower())
    chosen = set(sorted(words, key=lambda word: (-len(word), word))[:_PILLS])
    return [text for key, text in words.items() if key in chosen]


def _clean(text: str) -> str:
    return " ".join(_NOT_XML.sub(" ", text).split())
