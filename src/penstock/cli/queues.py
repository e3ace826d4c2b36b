"""`penstock queues`."""

from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.cli.group import commands, examples
from penstock.cli.output import print_json, print_table
from penstock.cli.session import Json, run
from penstock.operations import QueueView

QueueArgument = Annotated[str, typer.Argument(metavar="QUEUE", help="The queue's name.")]

app = commands("List, pause and resume queues.")


@app.command("list", epilog=examples("penstock queues list", "penstock queues list --json"))
def list_queues(ctx: typer.Context, as_json: Json = False) -> None:
    """List queues: jobs that are open, those that ended in the last hour, and what holds them back."""

    async def work(engine: Penstock) -> list[QueueView]:
        return list(await engine.queues.list())

    found = run(ctx, work)
    if as_json:
        print_json(found)
        return
    states = ("ready", "running", "scheduled", "blocked", "completed", "failed", "cancelled")
    print_table(
        ("queue", *states, "limits"),
        [(q.name, *(q.counts.get(state, 0) or "" for state in states), _limits(q)) for q in found],
        empty="no queues yet: they appear with their first job or worker",
    )


@app.command(epilog=examples("penstock queues pause mail"))
def pause(ctx: typer.Context, queue: QueueArgument, as_json: Json = False) -> None:
    """Let nobody claim from a queue until it is resumed; running jobs go on."""
    run(ctx, lambda engine: engine.queues.pause(queue))
    _say(queue, True, as_json, f"queue {queue} is paused; go on with: penstock queues resume {queue}")


@app.command(epilog=examples("penstock queues resume mail"))
def resume(ctx: typer.Context, queue: QueueArgument, as_json: Json = False) -> None:
    """Undo a pause."""
    was_paused = run(ctx, lambda engine: engine.queues.resume(queue))
    _say(queue, False, as_json, f"queue {queue} goes on" if was_paused else f"queue {queue} was not paused")


def _say(queue: str, paused: bool, as_json: bool, text: str) -> None:
    if as_json:
        print_json({"queue": queue, "paused": paused})
    else:
        typer.echo(text)


def _limits(queue: QueueView) -> str:
    limits = [
        f"paused since {queue.paused_since:%Y-%m-%d %H:%M:%S}" if queue.paused_since else "",
        queue.rate or "",
        f"{queue.total_concurrency} at once" if queue.total_concurrency else "",
        f"{queue.max_length} ready at most" if queue.max_length else "",
    ]
    return ", ".join(filter(None, limits))
