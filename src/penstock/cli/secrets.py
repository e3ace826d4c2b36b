"""`penstock secrets`."""

import re
from typing import Annotated

import typer

from penstock.cli.group import commands, examples
from penstock.cli.output import print_json
from penstock.cli.session import Json
from penstock.sealing import new_key

app = commands("Make keys for Secret fields.")


@app.callback()
def secrets() -> None:
    """Make keys for Secret fields."""


@app.command("new-key", epilog=examples("penstock secrets new-key", "penstock secrets new-key --id 2026-11"))
def make_key(
    key_id: Annotated[str, typer.Option("--id", help="What it is called, e.g. a date.")] = "k1",
    as_json: Json = False,
) -> None:
    """Make a key. Put it first in PENSTOCK_SECRET_KEYS: the first seals, all open."""
    if not re.fullmatch(r"[\w-]+", key_id):
        raise typer.BadParameter(f"{key_id!r} must consist of letters, digits, - and _", param_hint="--id")
    key = new_key(key_id)
    if as_json:
        print_json({"id": key_id, "key": key})
    else:
        typer.echo(key)
