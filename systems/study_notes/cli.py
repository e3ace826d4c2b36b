"""The command line: serve, worker, make, demo."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from penstock import PenstockError
from systems.common.logs import configure_logs
from systems.common.serving import listener
from systems.common.serving import serve as serve_until_signal
from systems.study_notes.application.inputs import Wishes
from systems.study_notes.demo import BadFile, DemoFailed, run_demo
from systems.study_notes.making import Unusable, make_note
from systems.study_notes.wiring import StudyNotes, build

SAMPLE = Path(__file__).parent / "samples" / "water_mills.md"
DEMO_FOLDER = Path("data/demo")

EXIT_FAILED, EXIT_WRONG = 1, 2

app = typer.Typer(
    name="study_notes",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Study notes: a document, picture, recording or video becomes a note with pictures, a quiz and flashcards.",
)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; anything but loopback is open to the network.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: PORT, else 8002; 0 picks one.")] = None,
    worker: Annotated[bool, typer.Option("--worker", help="Also run the jobs, in this process.")] = False,
) -> None:
    """Serve the HTTP routes."""
    configure_logs()
    notes = _built()
    raise typer.Exit(_run(_serve(notes, host, notes.settings.port if port is None else port, worker=worker)))


@app.command()
def worker() -> None:
    """Run the jobs until SIGTERM or SIGINT; exit code 1 when some had to be given back."""
    configure_logs()
    raise typer.Exit(_run(_work(_built())))


@app.command(epilog="Examples: make lecture.pdf > lecture.md | make https://youtu.be/aqz-KE-bpKQ --language eng --json")
def make(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE_OR_URL",
            help="Text, Markdown, HTML, PDF, picture (PNG, JPEG, WebP), recording (mp3, wav, m4a, ogg, webm), or a "
            "link to a YouTube video.",
        ),
    ],
    language: Annotated[
        str | None, typer.Option(help="Of the note, ISO 639-3 such as eng or spa. Default: the source's own.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Default: found by the model.")] = None,
    user: Annotated[int, typer.Option(min=1, help="The learner's number.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print note, quiz and cards as JSON.")] = False,
) -> None:
    """Make a note of one source and print it as Markdown; progress goes to standard error.

    It is kept in DATABASE_URL. Exit code 1 when the source failed or lacks its study tools, 2 when it cannot be used.
    """
    configure_logs("error")
    raise typer.Exit(_run(_make(_built(), source, Wishes(user_id=user, title=title, language=language), as_json)))


@app.command()
def demo(
    file: Annotated[Path, typer.Argument(help="A text, Markdown, HTML or PDF file.")] = SAMPLE,
    folder: Annotated[Path, typer.Option(help="Where the results go.")] = DEMO_FOLDER,
) -> None:
    """Turn one document into study notes, offline, and show how."""
    configure_logs("error")
    try:
        code = _run(run_demo(file, folder))
    except BadFile as error:
        _stop(str(error), EXIT_WRONG)
    except DemoFailed as error:
        _stop(str(error), EXIT_FAILED)
    raise typer.Exit(code)


def main() -> None:
    """Run the program on `sys.argv`; never returns."""
    app(prog_name="python -m systems.study_notes")


def _built() -> StudyNotes:
    try:
        return build()
    except (PenstockError, ValueError) as error:
        _stop(str(error), EXIT_WRONG)


def _run(work: Coroutine[Any, Any, int]) -> int:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        return 130
    except (PenstockError, SQLAlchemyError, OSError) as error:
        _stop(str(error).partition("\n")[0], EXIT_FAILED)


def _stop(reason: str, code: int) -> NoReturn:
    typer.echo(f"study_notes: {reason}", err=True)
    raise typer.Exit(code)


async def _make(notes: StudyNotes, source: str, wishes: Wishes, as_json: bool) -> int:
    try:
        made = await make_note(notes, source, wishes, Console(stderr=True, soft_wrap=True))
    except Unusable as error:
        _stop(str(error), EXIT_WRONG)
    typer.echo(made.as_json() if as_json else made.as_markdown(), nl=False)
    if made.problem is None:
        return 0
    _stop(f"{source}: {made.problem}", EXIT_FAILED)


async def _work(notes: StudyNotes) -> int:
    await notes.open()
    try:
        return await notes.worker().run()
    finally:
        await notes.close()


async def _serve(notes: StudyNotes, host: str, port: int, *, worker: bool) -> int:
    what = f" ({'with' if worker else 'without'} a worker)"
    return await serve_until_signal(
        notes.app, listener(host, port), notes.start if worker else notes.open, notes.stop, what
    )
