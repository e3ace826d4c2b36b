"""The command line: serve, worker, demo."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from penstock import PenstockError
from systems.common.logs import configure_logs
from systems.common.serving import listener
from systems.common.serving import serve as serve_until_signal
from systems.study_notes.demo import BadFile, DemoFailed, run_demo
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
    help="Study notes: a document becomes a note with pictures, a quiz and flashcards.",
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
