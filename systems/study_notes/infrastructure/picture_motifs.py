"""Drawings for offline pictures: each an SVG fragment within 110 units around its own origin."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """CSS colours of one picture, from the lightest to the darkest, and one that stands out."""

    paper: str
    wash: str
    main: str
    dark: str
    accent: str


def motif(words: str, choice: int, palette: Palette) -> str:
    """The drawing whose cue occurs in the words, else one chosen by the number. Holds nothing of the words."""
    text = words.casefold()
    for cues, draw in _CUED:
        if any(cue in text for cue in cues):
            return draw(palette)
    return _ANY[choice % len(_ANY)](palette)


def _point(radius: float, turn: float) -> tuple[float, float]:
    return radius * math.cos(math.tau * turn), radius * math.sin(math.tau * turn)


def _wheel(palette: Palette) -> str:
    """A wheel with spokes and paddles."""
    parts = [f'<circle r="78" fill="none" stroke="{palette.main}" stroke-width="9"/>']
    for index in range(12):
        turn = index * 360 / 12
        parts.append(
            f'<g transform="rotate({turn:.0f})"><path d="M0 0V-78" stroke="{palette.main}" stroke-width="4"/>'
            f'<rect x="-13" y="-108" width="26" height="28" rx="3" fill="{palette.dark}"/></g>'
        )
    parts.append(f'<circle r="17" fill="{palette.accent}"/>')
    return "".join(parts)


def _water(palette: Palette) -> str:
    """A drop over waves."""
    waves = "".join(
        f'<path d="M-108 {y}q18 -16 36 0t36 0t36 0t36 0t36 0t36 0" fill="none" stroke="{colour}" stroke-width="7" '
        f'stroke-linecap="round"/>'
        for y, colour in ((48, palette.main), (72, palette.main), (96, palette.dark))
    )
    drop = f'<path d="M0 -104C26 -62 46 -40 46 -10A46 46 0 0 1 -46 -10C-46 -40 -26 -62 0 -104Z" fill="{palette.main}"/>'
    shine = f'<path d="M-24 -8A24 24 0 0 0 -4 18" fill="none" stroke="{palette.paper}" stroke-width="6"/>'
    return drop + shine + waves


def _plant(palette: Palette) -> str:
    """A stem with leaves."""
    leaves = "".join(
        f'<path d="M0 {y}q{side * 30} -46 {side * 82} -40q{-side * 16} 48 {-side * 82} 40Z" fill="{colour}"/>'
        for y, side, colour in (
            (70, 1, palette.main),
            (34, -1, palette.dark),
            (-4, 1, palette.dark),
            (-36, -1, palette.main),
        )
    )
    stem = f'<path d="M0 108V-70" stroke="{palette.dark}" stroke-width="7"/>'
    return f'{stem}{leaves}<circle cy="-82" r="20" fill="{palette.accent}"/>'


def _bars(palette: Palette) -> str:
    """Rising bars with a line above."""
    heights = (48, 82, 70, 118, 150)
    bars = "".join(
        f'<rect x="{-104 + 44 * index}" y="{96 - height}" width="32" height="{height}" rx="4" '
        f'fill="{palette.accent if index == 4 else palette.main}"/>'
        for index, height in enumerate(heights)
    )
    return f'{bars}<path d="M-108 100H112" stroke="{palette.dark}" stroke-width="5" stroke-linecap="round"/>'


def _network(palette: Palette) -> str:
    """A centre tied to six places around it."""
    places = [_point(88, index / 6 + 0.04) for index in range(6)]
    edges = "".join(f'<path d="M0 0L{x:.0f} {y:.0f}" stroke="{palette.main}" stroke-width="4"/>' for x, y in places)
    dots = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{16 + 5 * (index % 2)}" fill="{palette.main}"/>'
        for index, (x, y) in enumerate(places)
    )
    return f'{edges}{dots}<circle r="32" fill="{palette.accent}"/>'


def _orbits(palette: Palette) -> str:
    """A centre with three orbits."""
    rings = "".join(
        f'<ellipse rx="104" ry="40" fill="none" stroke="{palette.main}" stroke-width="4" transform="rotate({turn})"/>'
        for turn in (0, 60, 120)
    )
    return f'{rings}<circle r="22" fill="{palette.accent}"/><circle cx="104" r="11" fill="{palette.dark}"/>'


def _book(palette: Palette) -> str:
    """An open book."""
    page = "M0 -62Q{a} -92 {b} -70V74Q{a} 54 0 82Z"
    lines = "".join(
        f'<path d="M{side * 22} {y}q{side * 30} -16 {side * 62} -6" fill="none" stroke="{palette.paper}" '
        'stroke-width="4"/>'
        for side in (-1, 1)
        for y in (-30, 0, 30)
    )
    left, right = page.format(a=-52, b=-104), page.format(a=52, b=104)
    return f'<path d="{left}" fill="{palette.main}"/><path d="{right}" fill="{palette.dark}"/>{lines}'


def _time(palette: Palette) -> str:
    """A clock face."""
    marks = "".join(
        f'<path d="M0 -88V-74" stroke="{palette.dark}" stroke-width="5" transform="rotate({index * 30})"/>'
        for index in range(12)
    )
    return (
        f'<circle r="98" fill="{palette.paper}" stroke="{palette.main}" stroke-width="9"/>{marks}'
        f'<path d="M0 0V-60M0 0L40 22" stroke="{palette.dark}" stroke-width="8" stroke-linecap="round"/>'
        f'<circle r="9" fill="{palette.accent}"/>'
    )


def _hills(palette: Palette) -> str:
    """A sun behind two hills."""
    return (
        f'<circle cx="34" cy="-44" r="42" fill="{palette.accent}"/>'
        f'<path d="M-110 96L-34 -50L44 96Z" fill="{palette.main}"/>'
        f'<path d="M-36 96L46 -8L112 96Z" fill="{palette.dark}"/>'
    )


_Draw = Callable[[Palette], str]
_CUED: tuple[tuple[tuple[str, ...], _Draw], ...] = (
    (("wheel", "mill", "gear", "engine", "machine", "turbine", "rueda", "molino", "roue", "moulin"), _wheel),
    (("water", "river", "ocean", "rain", "sea ", "flow", "agua", "eau ", "wasser"), _water),
    (("plant", "leaf", "tree", "forest", "garden", "growth", "photosynth", "planta"), _plant),
    (("percent", "statistic", "market", "price", "econom", "growth rate", "data", "chart"), _bars),
    (("atom", "planet", "electron", "orbit", "solar", "physics"), _orbits),
    (("network", "system", "graph", "connect", "cell", "brain"), _network),
    (("history", "century", "clock", "date", "timeline", "siglo"), _time),
    (("mountain", "valley", "landscape", "earth", "climate"), _hills),
    (("book", "language", "read", "text", "write", "poem"), _book),
)
_ANY: tuple[_Draw, ...] = (_network, _orbits, _book, _bars, _hills, _time)
