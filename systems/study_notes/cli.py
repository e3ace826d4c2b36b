"""The command line: serve, worker, demo."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from penstock import PenstockError
from systems.study_notes.demo import BadFile, DemoFailed, run_demo
from systems.study_notes.infrastructure.logs import configure_logs
from systems.study_notes.wiring import StudyNotes, build

SAMPLE = Path(__file__).parent / "samples" / "water_mills.md"
DEMO_FOLDER = Path("data/demo")
# Live event streams never end by themselves: at shutdown they are given this long.
_OPEN_REQUESTS_S = 3

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
    listener = _listener(host, notes.settings.port if port is None else port)
    raise typer.Exit(_run(_serve(notes, listener, worker=worker)))


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


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would end the process before the worker has let its jobs finish."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn."""
        yield


async def _serve(notes: StudyNotes, listener: socket.socket, *, worker: bool) -> int:
    server = _Server(uvicorn.Config(notes.app, log_config=None, timeout_graceful_shutdown=_OPEN_REQUESTS_S))

    def on_signal() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await (notes.start() if worker else notes.open())
    host, port = listener.getsockname()[:2]
    typer.echo(f"listening on http://{host}:{port} ({'with' if worker else 'without'} a worker)", err=True)
    try:
        await server.serve(sockets=[listener])
    finally:
        code = await notes.stop()
    return code


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # Before anybody is told of it: who connects at once is to wait, not to be refused.
        listener.listen()
    except OSError as error:
        listener.close()
        _stop(f"cannot listen on {host}:{port}: {error.strerror or error}", EXIT_FAILED)
    return listener
