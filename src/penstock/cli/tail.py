"""`penstock jobs tail`."""

from dataclasses import asdict
from typing import Annotated

import orjson
import typer

from penstock.app import Penstock
from penstock.cli.group import complain
from penstock.cli.session import run
from penstock.errors import NotFound
from penstock.operations import StreamPiece

INTERRUPTED = 130

# What a terminal would obey stays out of it; a model may have been told to write it.
_OBEYED = {code: "�" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


def tail(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A job's id, or enough of its beginning.")],
    stream: Annotated[
        str | None, typer.Option("--stream", metavar="NAME", help="Only this stream; else all, with their names.")
    ] = None,
    offset: Annotated[
        int, typer.Option("--from", metavar="OFFSET", help="Begin after so many characters (with --stream).")
    ] = 0,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", help="The version that OFFSET is of: begin anew when there is another."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", help="Go on until the job has ended, or print what is there.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Each piece as JSON, one a line.")] = False,
) -> None:
    """Print what a job's handler streams, while it comes. Says so when a later attempt begins anew."""
    show = _show_json if as_json else _Text(are_named=stream is None)

    async def work(engine: Penstock) -> None:
        id_ = await engine.jobs.resolve(job_id)
        is_there = False
        async for piece in engine.tail(id_, stream, offset=offset, version=version, follow=follow):
            is_there = True
            show(piece)
        if not is_there:
            await _say_why(engine, id_, stream)

    try:
        run(ctx, work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        if isinstance(show, _Text):
            show.end()


async def _say_why(engine: Penstock, job_id: str, stream: str | None) -> None:
    """Why nothing was printed. Raises NotFound for a stream that the job does not have."""
    names = [one.name for one in await engine.jobs.streams(job_id)]
    if stream is None:
        complain(f"job {job_id} has streamed nothing")
    elif stream not in names:
        known = ", ".join(map(repr, names)) or "none"
        raise NotFound(f"job {job_id} has no stream {stream!r}; its streams: {known}")


def _show_json(piece: StreamPiece) -> None:
    typer.echo(orjson.dumps(asdict(piece) | {"end": piece.end}).decode())


class _Text:
    """Text for people: as it comes, with a line of its own where another stream goes on or one begins anew."""

    def __init__(self, *, are_named: bool) -> None:
        self._named = are_named
        self._last: str | None = None
        self._is_inside = False

    def __call__(self, piece: StreamPiece) -> None:
        """Print a piece."""
        if piece.restarted:
            self._line(f"{piece.stream} begins anew: version {piece.version}, attempt {piece.attempt}")
        elif self._named and piece.stream != self._last:
            self._line(piece.stream)
        self._last = piece.stream
        if piece.text:
            typer.echo(piece.text.translate(_OBEYED), nl=False)
            self._is_inside = not piece.text.endswith("\n")
        if piece.cut:
            self._line(f"{piece.stream} is full: what came after is not kept")

    def end(self) -> None:
        """Leave the cursor at the beginning of a line."""
        if self._is_inside:
            typer.echo()
        self._is_inside = False

    def _line(self, text: str) -> None:
        self.end()
        typer.echo(f"── {text} ──")
