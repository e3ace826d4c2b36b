"""What commands print: JSON for programs, tables for people."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise, takewhile
from typing import Any

import orjson
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 200
_SHORT_ID = 18
"""The least digits of an id shown: time in ms and the first random bits of a UUIDv7."""

_COLOURS = {
    "completed": "green", "running": "cyan", "ready": "blue", "scheduled": "blue", "blocked": "blue", "pending": "blue",
    "failed": "red", "cancelled": "yellow", "ok": "green", "warn": "yellow", "fail": "red",
}  # fmt: skip


def print_json(value: Any) -> None:
    """One JSON document; dataclasses as objects, times as ISO 8601."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())


def console() -> Console:
    """Standard output as it is now; wide when it is no terminal, so that nothing is cut on its way into a file."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE, highlight=False, emoji=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """A table as wide as the terminal; `empty` instead when there are no rows. The first column is never cut."""
    if not rows:
        typer.echo(empty)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        table.add_column(name, no_wrap=index == 0, overflow="ellipsis" if index == 0 else "fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    console().print(table)


def print_facts(facts: Sequence[tuple[str, Any]]) -> None:
    """Names and values, one a line; those without a value are left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        if value not in (None, "", (), [], {}):
            table.add_row(name, cell(value))
    console().print(table)


def print_text(text: str, *, style: str = "") -> None:
    """Text as it is: nothing in it is markup."""
    console().print(Text(text, style=style))


def cell(value: Any) -> Text:
    """A value as people read it."""
    if isinstance(value, Text):
        return value
    if isinstance(value, datetime):
        return Text(value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"))
    if isinstance(value, float):
        return Text(f"{value:g}")
    if isinstance(value, list | tuple):
        return Text(", ".join(map(str, value)))
    text = "" if value is None else str(value)
    return Text(text, style=_COLOURS.get(text, ""))


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Each id cut to what tells it from the others, with digits to spare: any beginning is accepted as an id."""
    ordered = sorted(set(ids))
    length = _SHORT_ID
    for one, other in pairwise(ordered):
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
        length = max(length, shared + 4)
    return {id_: id_[:length].rstrip("-") for id_ in ordered}


def seconds(value: float | None) -> str:
    """A duration in the unit that suits it."""
    if value is None:
        return ""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    minutes = int(value // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
