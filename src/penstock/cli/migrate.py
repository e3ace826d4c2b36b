"""`penstock migrate`."""

import asyncio

import typer

from penstock.cli.group import commands, examples
from penstock.cli.output import print_json
from penstock.cli.session import Json, engine_of

app = commands()


@app.command(epilog=examples("penstock migrate", "penstock --database postgresql://localhost/app migrate"))
def migrate(ctx: typer.Context, as_json: Json = False) -> None:
    """Bring the database's schema up to this version; several at once are safe."""
    applied = asyncio.run(engine_of(ctx).store.migrate())
    if as_json:
        print_json({"applied": applied})
    elif applied:
        typer.echo(f"applied {', '.join(f'{number:04}' for number in applied)}; the schema is up to date")
    else:
        typer.echo("the schema is up to date")
