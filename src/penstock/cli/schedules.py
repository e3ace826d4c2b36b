"""`penstock schedules`."""

from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.cli.group import commands, examples
from penstock.cli.output import print_json, print_table
from penstock.cli.session import Json, run
from penstock.operations import ScheduleView

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]

app = commands("List, pause and resume schedules.")


@app.command("list", epilog=examples("penstock schedules list", "penstock schedules list --json"))
def list_schedules(ctx: typer.Context, as_json: Json = False) -> None:
    """List schedules: when each fired last and fires next."""

    async def work(engine: Penstock) -> list[ScheduleView]:
        return list(await engine.queues.schedules())

    found = run(ctx, work)
    if as_json:
        print_json(found)
        return
    print_table(
        ("schedule", "when", "kind", "queue", "last", "next", "state"),
        [(s.name, s.when, s.kind, s.queue, s.last_at, s.next_at, _state(s)) for s in found],
        empty="no schedules: workers bring those that their engine declares",
    )


@app.command(epilog=examples("penstock schedules pause nightly-report"))
def pause(ctx: typer.Context, name: NameArgument, as_json: Json = False) -> None:
    """Let a schedule fire no more until it is resumed."""
    run(ctx, lambda engine: engine.queues.pause_schedule(name))
    _say(name, True, as_json, f"schedule {name} is paused")


@app.command(epilog=examples("penstock schedules resume nightly-report"))
def resume(ctx: typer.Context, name: NameArgument, as_json: Json = False) -> None:
    """Let a schedule fire again, from its next tick on."""
    run(ctx, lambda engine: engine.queues.resume_schedule(name))
    _say(name, False, as_json, f"schedule {name} goes on with its next tick")


def _say(name: str, paused: bool, as_json: bool, text: str) -> None:
    if as_json:
        print_json({"schedule": name, "paused": paused})
    else:
        typer.echo(text)


def _state(schedule: ScheduleView) -> str:
    if not schedule.declared:
        return "not declared any more"
    return "paused" if schedule.paused_since else ""
