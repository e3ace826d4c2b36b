"""The program, its global options and its commands by name. Nothing heavy is imported: `--help` has to be quick."""

from typing import Annotated

import typer

from penstock.cli.group import DEBUG, Root, examples

DATABASE = "penstock.database"
TYPED_DATABASE = "penstock.database.typed"
"""As above, but only when it was typed: not the application's own, which the environment names."""

_COMMANDS = {
    "worker": ("penstock.cli.worker", "Run jobs: claim them and call their handlers."),
    "jobs": ("penstock.cli.jobs", "List, show, explain, tail, retry, rerun, signal, cancel and move jobs."),
    "flows": ("penstock.cli.flows", "List, show, cancel and retry flows."),
    "queues": ("penstock.cli.queues", "List, pause and resume queues."),
    "schedules": ("penstock.cli.schedules", "List, pause and resume schedules."),
    "workers": ("penstock.cli.workers", "List the workers and what they do."),
    "usage": ("penstock.cli.usage", "Sum up what model calls have cost."),
    "budgets": ("penstock.cli.budgets", "Set what model calls may cost, and see what is spent."),
    "limits": ("penstock.cli.limits", "See what providers of models allow, and what waits for that."),
    "sinks": ("penstock.cli.sinks", "See who is told what model calls used."),
    "migrate": ("penstock.cli.migrate", "Bring the database's schema up to this version."),
    "doctor": ("penstock.cli.doctor", "Check configuration, database, workers and queues."),
    "bench": ("penstock.cli.bench", "Measure the engine beside a hand-written SQL floor."),
    "secrets": ("penstock.cli.secrets", "Make keys for Secret fields."),
}

app = typer.Typer(
    name="penstock",
    cls=Root,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog=examples(
        "penstock worker myapp.jobs:worker",
        "penstock jobs list --status failed --since 2h",
        "penstock --database postgresql://localhost/app doctor",
    ),
)


@app.callback()
def options(
    ctx: typer.Context,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            envvar="PENSTOCK_DATABASE_URL",
            metavar="URL",
            help="sqlite:///file.db or postgresql://… (default: sqlite:///penstock.db)",
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """The durable job engine: run workers, look at jobs, help them along."""
    ctx.meta[DATABASE] = database
    source = ctx.get_parameter_source("database")
    ctx.meta[TYPED_DATABASE] = database if source is not None and source.name == "COMMANDLINE" else None
    ctx.meta[DEBUG] = debug


def _declare(name: str, module: str, text: str) -> None:
    @app.command(name, help=text)
    def stand_in() -> None: ...

    Root.modules[name] = module


for _name, (_module, _text) in _COMMANDS.items():
    _declare(_name, _module, _text)
