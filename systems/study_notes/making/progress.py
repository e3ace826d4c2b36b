"""Showing a run while it goes on: a live table on a terminal, else a line for each change."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from systems.study_notes.making.snapshot import KindState, Snapshot

_STYLES = {"done": "green", "running": "cyan", "waiting": "dim", "failed": "red"}
_SIGNS = {"done": "✓", "running": "▸", "waiting": "·", "failed": "✗"}


class Display(Protocol):
    """Shows snapshots between its beginning and its end."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, snapshot: Snapshot) -> None:
        """Show the run as it is now."""
        ...


def display_on(console: Console) -> Display:
    """The display that suits the console."""
    return LiveTable(console) if console.is_terminal else Lines(console)


class LiveTable:
    """A table that is drawn over itself."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=20)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """See `Display`."""
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for kind in snapshot.kinds:
            style = _STYLES[kind.word]
            count = f"{kind.ended}/{kind.total}" if kind.total > 1 else ""
            seconds = f"{kind.seconds:.2f} s" if kind.ended else ""
            table.add_row(
                Text(f"{_SIGNS[kind.word]} {kind.label}", style), Text(kind.word, style), count, seconds, _retries(kind)
            )
        bar = Table.grid(padding=(0, 1))
        bar.add_row(ProgressBar(total=100, completed=snapshot.percent, width=40), f"{snapshot.percent} %")
        self._live.update(Group(table, bar))


class Lines:
    """For logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, str] = {}
        self._percent = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, snapshot: Snapshot) -> None:
        """See `Display`."""
        for kind in snapshot.kinds:
            count = f" {kind.ended}/{kind.total}" if kind.total > 1 else ""
            line = f"{kind.label}: {kind.word}{count}{_retries(kind)}"
            if kind.word != "waiting" and self._told.get(kind.kind) != line:
                self._told[kind.kind] = line
                self._say(snapshot, line)
        # The last job may have been told of before its source had ended.
        if snapshot.is_over and self._percent != snapshot.percent:
            self._say(snapshot, snapshot.status.value)

    def _say(self, snapshot: Snapshot, line: str) -> None:
        self._percent = snapshot.percent
        self._console.print(f"{snapshot.percent:3d} %  {line}", highlight=False, markup=False)


def _retries(kind: KindState) -> str:
    return f" ({kind.retries} retried)" if kind.retries else ""
