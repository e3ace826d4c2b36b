"""The figures as a chart: for each store, each rate as a bar beside its floor, in an SVG that suits light and dark."""

from collections.abc import Sequence
from html import escape

from penstock.bench.report import Figure, Report, StoreReport

_WIDTH = 860
_BARS_AT = 300
_BARS = 400
_ROW = 40
_BAR = 13
_HEAD = 66
_TITLE = 40
_LEGEND_ROW = 22
_STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .title { font-size: 17px; font-weight: 600 }
  .store { font-size: 14px; font-weight: 600 }
  .quiet { fill: #59636e; font-size: 12px }
  .engine { fill: #0b7285 }
  .floor { fill: #ced4da }
  .line { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .quiet { fill: #9198a1 }
    .engine { fill: #3bc9db }
    .floor { fill: #495057 }
    .line { stroke: #3d444d }
  }"""


def chart(report: Report) -> str:
    """The SVG. The bars of a pair share a scale, on which the longer one is full."""
    parts: list[str] = []
    y = _HEAD
    for store in report.stores:
        rows = _rows(store)
        if rows:
            parts += _store(store, rows, y)
            y += _TITLE + _ROW * len(rows)
    height = y + 8
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}" '
        f'role="img" aria-label="Penstock beside the barest SQL by hand">\n<style>{_STYLE}\n</style>'
    )
    return "\n".join([head, *_legend(report), *parts, "</svg>", ""])


def _rows(store: StoreReport) -> Sequence[Figure]:
    return [figure for figure in store.figures if figure.charted and figure.other is not None]


def _legend(report: Report) -> list[str]:
    where = f"{report.processors} processors, Python {report.python}; jobs a second, medians of {report.sizes.repeats}"
    x, y = _BARS_AT, _HEAD - _LEGEND_ROW
    return [
        _text(0, 20, "Penstock beside the barest SQL written by hand", "title"),
        _text(0, y + 1, where, "quiet"),
        _bar(x + 180, y - 10, 12, "engine"),
        _text(x + 198, y, "Penstock"),
        _bar(x + 280, y - 10, 12, "floor"),
        _text(x + 298, y, "by hand"),
    ]


def _store(store: StoreReport, rows: Sequence[Figure], y: int) -> list[str]:
    found = [
        f'<line class="line" x1="0" x2="{_WIDTH}" y1="{y - 6}" y2="{y - 6}"/>',
        _text(0, y + 18, store.place, "store"),
    ]
    for index, figure in enumerate(rows):
        found += _pair(figure, y + _TITLE + _ROW * index - 6)
    return found


def _pair(figure: Figure, y: int) -> list[str]:
    if figure.other is None:
        return []
    most = max(figure.engine.median, figure.other.median)
    engine, other = (round(value / most * _BARS) for value in (figure.engine.median, figure.other.median))
    return [
        _text(0, y + 12, figure.name),
        _text(0, y + 27, figure.beside, "quiet"),
        _bar(_BARS_AT, y, engine, "engine"),
        _text(_BARS_AT + 6 + engine, y + 11, f"{figure.engine.median:,.0f} · {figure.ratio or 0:.2f} x"),
        _bar(_BARS_AT, y + _BAR + 2, other, "floor"),
        _text(_BARS_AT + 6 + other, y + _BAR + 13, f"{figure.other.median:,.0f}", "quiet"),
    ]


def _text(x: int, y: int, text: str, css: str = "") -> str:
    return f'<text x="{x}" y="{y}"{f" class={css!r}" if css else ""}>{escape(text)}</text>'


def _bar(x: int, y: int, width: int, css: str) -> str:
    return f'<rect class="{css}" x="{x}" y="{y}" width="{max(1, width)}" height="{_BAR}" rx="2"/>'
