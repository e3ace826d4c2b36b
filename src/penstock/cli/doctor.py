"""`penstock doctor`."""

import asyncio
from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.cli.group import commands, examples
from penstock.cli.output import print_json, print_table
from penstock.cli.session import Json, engine_of, refuse_missing_file
from penstock.cli.target import load
from penstock.operations.doctor import Level, examine, worst

app = commands()


@app.command(epilog=examples("penstock doctor", "penstock doctor myapp.jobs:worker", "penstock doctor --json"))
def doctor(
    ctx: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(metavar="[MODULE:WORKER]", help="Import this first, to see what it loads beside Penstock."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check configuration, database, workers and queues; exit 1 when something is broken."""

    def build() -> Penstock:
        if target is not None:
            load(target)
        engine = engine_of(ctx)
        refuse_missing_file(engine.settings.database_url)
        return engine

    checks = asyncio.run(examine(build))
    level = worst(checks)
    if as_json:
        print_json({"level": level, "checks": checks})
    else:
        rows = [(check.name, check.level, check.found, check.advice) for check in checks]
        print_table(("check", "", "found", "what to do"), rows, empty="")
    if level is Level.FAIL:
        raise typer.Exit(1)
