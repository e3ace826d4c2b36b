"""`penstock jobs`: list, show and explain; what changes them is in `job_changes`, what follows them in `tail`."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from penstock.app import Penstock
from penstock.cli.filters import (
    Flow,
    Kind,
    Limit,
    QueueName,
    Since,
    State,
    Status,
    Tag,
    Tenant,
    Until,
    each_job,
    job_filter,
    states_of,
)
from penstock.cli.group import commands, examples
from penstock.cli.job_changes import cancel, move, rerun, retry, signal
from penstock.cli.job_details import details, print_details
from penstock.cli.output import print_facts, print_json, print_table, print_text, seconds, short_ids
from penstock.cli.session import Json, run
from penstock.cli.tail import tail
from penstock.operations import JobView

JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's id, or enough of its beginning.")]

app = commands("List, show, explain, tail, retry, rerun, signal, cancel and move jobs.")


@app.command(
    "list",
    epilog=examples(
        "penstock jobs list",
        "penstock jobs list --status failed --since 2h",
        "penstock jobs list --kind send_mail --queue mail --limit 500 --json",
    ),
)
def list_jobs(
    ctx: typer.Context,
    status: Status = None,
    state: State = None,
    kind: Kind = None,
    queue: QueueName = None,
    tenant: Tenant = None,
    tag: Tag = None,
    flow: Flow = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""

    async def work(engine: Penstock) -> list[JobView]:
        wanted = await job_filter(
            engine, states=states_of(status, state), kind=kind, queue=queue, tenant=tenant, tag=tag, flow=flow,
            since=since, until=until, limit=limit,
        )  # fmt: skip
        return [job async for job in each_job(engine, wanted)]

    found = run(ctx, work)
    if as_json:
        print_json(found)
        return
    ids = short_ids([job.id for job in found])
    print_table(
        ("id", "kind", "queue", "state", "attempt", "age", "note"),
        [
            (ids[j.id], j.kind, j.queue, j.state, f"{j.attempt}/{j.max_attempts}", _age(j.created_at), _note(j))
            for j in found
        ],
        empty="no jobs match",
    )


@app.command(epilog=examples("penstock jobs show 019a6b2c-41d7-7", "penstock jobs show 019a6b2c-41d7-7 --json"))
def show(ctx: typer.Context, job_id: JobId, as_json: Json = False) -> None:
    """Show one job: data, result, errors, what it comes after and what comes after it. Sealed secrets stay sealed."""

    async def work(engine: Penstock) -> dict[str, Any]:
        return await details(engine, await engine.jobs.resolve(job_id))

    found = run(ctx, work)
    if as_json:
        print_json(found)
    else:
        print_details(found)


@app.command(epilog=examples("penstock jobs why 019a6b2c-41d7-7"))
def why(ctx: typer.Context, job_id: JobId, as_json: Json = False) -> None:
    """Say why a job is where it is, and until when."""

    async def work(engine: Penstock) -> dict[str, Any]:
        return asdict(await engine.jobs.why(await engine.jobs.resolve(job_id)))

    found = run(ctx, work)
    if as_json:
        print_json(found)
        return
    print_facts([("job", found["job_id"]), ("state", found["state"]), ("until", found["until"])])
    for reason in found["reasons"]:
        print_text(f"- {reason}")


app.command(
    epilog=examples(
        "penstock jobs tail 019a6b2c-41d7-7",
        "penstock jobs tail 019a6b2c-41d7-7 --stream plan --no-follow > plan.txt",
        "penstock jobs tail 019a6b2c-41d7-7 --stream plan --from 1200 --version 2 --json",
    )
)(tail)
app.command(
    epilog=examples("penstock jobs retry 019a6b2c-41d7-7", "penstock jobs retry --all --kind send_mail --since 1d")
)(retry)
app.command(epilog=examples("penstock jobs cancel 019a6b2c-41d7-7", "penstock jobs cancel --all --queue mail --yes"))(
    cancel
)
app.command(
    epilog=examples(
        "penstock jobs move 019a6b2c-41d7-7 --priority urgent", "penstock jobs move 019a6b2c-41d7-7 --delay 2h"
    )
)(move)
app.command(
    epilog=examples(
        "penstock jobs rerun 019a6b2c-41d7-7 --from outline", "penstock jobs show 019a6b2c-41d7-7  # its steps"
    )
)(rerun)
app.command(
    epilog=examples(
        "penstock jobs signal 019a6b2c-41d7-7 approved",
        "penstock jobs signal 019a6b2c-41d7-7 edited --data '{\"by\": 3}'",
    )
)(signal)


def _age(at: datetime) -> str:
    return seconds((datetime.now(UTC) - at).total_seconds())


def _note(job: JobView) -> str:
    if job.finished_at is None and (job.progress is not None or job.message):
        share = "" if job.progress is None else f"{job.progress:.0%}"
        return f"{share} {job.message or ''}".strip()
    return job.reason or ""
