"""`penstock workers`."""

import typer

from penstock.app import Penstock
from penstock.cli.group import commands, examples
from penstock.cli.output import print_json, print_table, seconds
from penstock.cli.session import Json, run
from penstock.operations import WorkerView

app = commands()


@app.command(epilog=examples("penstock workers", "penstock workers --json"))
def workers(ctx: typer.Context, as_json: Json = False) -> None:
    """List the workers: where they run, what they serve, what they have done."""

    async def work(engine: Penstock) -> list[WorkerView]:
        return list(await engine.queues.workers())

    found = run(ctx, work)
    if as_json:
        print_json(found)
        return
    print_table(
        ("worker", "host", "pid", "queues", "running", "done", "failed", "silent", "state"),
        [
            (w.name, w.host, w.pid, w.queues, w.running, w.stats.get("completed", ""), w.stats.get("failed", ""),
             seconds(w.silent_s), "stopping" if w.stopping else "")
            for w in found
        ],
        empty="no workers: start one with penstock worker module:worker",
    )  # fmt: skip
