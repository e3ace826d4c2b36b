"""`penstock worker`."""

import inspect
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from penstock.cli.changes import Changes
from penstock.cli.group import commands, examples
from penstock.cli.root import DATABASE
from penstock.cli.target import load
from penstock.config import load_settings
from penstock.errors import ConfigurationError
from penstock.worker import Worker
from penstock.worker.logs import configure
from penstock.worker.process import run_process
from penstock.worker.processes import run_processes
from penstock.worker.reload import run_reloading

app = commands()


@app.command(
    epilog=examples(
        "penstock worker myapp.jobs:worker",
        "penstock worker myapp.jobs:make_worker --processes 4",
        "penstock worker myapp.jobs:worker --queue mail --concurrency 50 --reload",
    )
)
def worker(
    ctx: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="MODULE:NAME", help="A Worker, or a function without arguments that makes one.")
    ],
    processes: Annotated[int, typer.Option("--processes", min=1, max=1_000, help="So many worker processes.")] = 1,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start anew when code changes, once running jobs have finished.")
    ] = False,
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", min=1, max=100_000, help="Jobs at once, of each queue.")
    ] = None,
    queue: Annotated[
        list[str] | None, typer.Option("--queue", metavar="NAME", help="Only this queue of the worker; repeatable.")
    ] = None,
    grace: Annotated[
        float | None, typer.Option("--grace", metavar="SECONDS", help="How long running jobs may go on when it stops.")
    ] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", help="auto, json or console.")] = None,
    log_level: Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.")] = None,
) -> None:
    """Run a worker until SIGTERM or SIGINT.

    Exit codes: 0 all jobs finished, 1 some were given back, 130 a second signal ended it at once.
    """
    _tell_the_code(
        PENSTOCK_DATABASE_URL=ctx.meta.get(DATABASE), PENSTOCK_LOG_FORMAT=log_format, PENSTOCK_LOG_LEVEL=log_level
    )
    settings = load_settings()
    configure(settings.log_format, settings.log_level)
    changes = Changes(queue, concurrency, grace)
    if processes > 1 or reload:
        raise typer.Exit(_in_children(target, changes, processes, reload))
    raise typer.Exit(run_process(lambda: _run(target, changes)))


async def _run(target: str, changes: Changes) -> int:
    engine, chosen = changes.of(await _made(target))
    await engine.store.open()
    try:
        return await chosen.run()
    finally:
        await engine.store.close()


async def _made(target: str) -> Worker:
    """The worker that the target is or makes. Raises ConfigurationError when it is neither."""
    found = load(target)
    if not isinstance(found, Worker) and callable(found):
        found = found()
        if inspect.isawaitable(found):
            found = await found
    if not isinstance(found, Worker):
        raise ConfigurationError(f"{target} must be a Worker or a function that makes one, not {type(found).__name__}")
    return found


def _in_children(target: str, changes: Changes, processes: int, reload: bool) -> int:
    """Run children that are called as this process was, but for what the parent does itself."""
    command = [sys.executable, "-m", "penstock", "worker", target, *changes.arguments]
    if not reload:
        return run_processes(processes, command)
    if processes > 1:
        command += ["--processes", str(processes)]
    return run_reloading(command, [Path.cwd()])


def _tell_the_code(**settings: str | None) -> None:
    """Set variables that the application's own engine reads, in this process and those it starts."""
    os.environ.update({name: value for name, value in settings.items() if value is not None})
