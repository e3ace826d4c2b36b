"""`penstock sinks`."""

from typing import Annotated

import typer

from penstock.cli.group import commands, examples
from penstock.cli.output import print_json, print_table
from penstock.cli.session import Json, run

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The sink's name.")]

app = commands("See who is told what model calls used, and settle what they refuse.")


@app.command("list", epilog=examples("penstock sinks list", "penstock sinks list --json"))
def list_sinks(ctx: typer.Context, as_json: Json = False) -> None:
    """List usage sinks: how many calls each is still owed, and how many it has refused."""
    found = run(ctx, lambda engine: engine.sinks.list())
    if as_json:
        print_json(found)
        return
    print_table(
        ("sink", "since", "owed", "owed since", "refused", "last problem"),
        [(one.name, one.since, one.owed, one.owed_since, one.refused, one.problem) for one in found],
        empty="no usage sinks: workers bring those of their engine, Penstock(usage_sinks=[…])",
    )


@app.command(epilog=examples("penstock sinks refused stripe"))
def refused(ctx: typer.Context, name: NameArgument, as_json: Json = False) -> None:
    """List the calls that a sink has refused, and why."""
    found = run(ctx, lambda engine: engine.sinks.refused(name))
    if as_json:
        print_json(found)
        return
    print_table(
        ("call", "refused", "why"),
        [(one.call_id, one.refused_at, one.problem) for one in found],
        empty=f"{name} has refused nothing",
    )


@app.command(epilog=examples("penstock sinks retry stripe"))
def retry(ctx: typer.Context, name: NameArgument, as_json: Json = False) -> None:
    """Send once more what a sink has refused, when what it complained of is put right."""
    count = run(ctx, lambda engine: engine.sinks.retry(name))
    _say(as_json, {"sink": name, "retried": count}, f"calls sent to {name} again: {count}")


@app.command(epilog=examples("penstock sinks drop stripe"))
def drop(ctx: typer.Context, name: NameArgument, as_json: Json = False) -> None:
    """Let go what a sink has refused: it is not sent again. The ledger keeps it."""
    count = run(ctx, lambda engine: engine.sinks.drop(name))
    _say(as_json, {"sink": name, "dropped": count}, f"calls that {name} is not sent: {count}")


@app.command(epilog=examples("penstock sinks forget stripe"))
def forget(ctx: typer.Context, name: NameArgument, as_json: Json = False) -> None:
    """Owe a sink nothing any more, once no code names it."""
    run(ctx, lambda engine: engine.sinks.forget(name))
    _say(as_json, {"sink": name, "forgotten": True}, f"{name} is owed nothing any more")


def _say(as_json: bool, facts: dict[str, object], text: str) -> None:
    if as_json:
        print_json(facts)
    else:
        typer.echo(text)
