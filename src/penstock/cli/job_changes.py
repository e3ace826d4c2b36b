"""`penstock jobs retry | cancel | move | rerun | signal`."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer

from penstock import codec
from penstock.app import Penstock
from penstock.cli.filters import (
    ENDED,
    OPEN,
    Flow,
    Kind,
    QueueName,
    Since,
    State,
    Status,
    Tag,
    Tenant,
    Until,
    each_job,
    job_filter,
    moment,
    span,
    states_of,
)
from penstock.cli.group import complain
from penstock.cli.output import print_json
from penstock.cli.session import Json, run
from penstock.domain.options import moment_of
from penstock.domain.states import JobState
from penstock.errors import Conflict, NotFound
from penstock.store.programs.read import JobFilter

JobIds = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Jobs' ids, or enough of their beginnings.")]
All = Annotated[bool, typer.Option("--all", help="Every job that the filters choose.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Reason = Annotated[str, typer.Option("--reason", help="What the jobs' history says.")]

Choose = Callable[[Penstock], Awaitable[JobFilter]]
_ALL = 10_000_000


def retry(
    ctx: typer.Context,
    ids: JobIds = None,
    all_: All = False,
    status: Status = None,
    state: State = None,
    kind: Kind = None,
    queue: QueueName = None,
    tenant: Tenant = None,
    tag: Tag = None,
    flow: Flow = None,
    since: Since = None,
    until: Until = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Run ended jobs again, keeping their history. With --all: the failed ones, unless --status says otherwise."""

    async def choose(engine: Penstock) -> JobFilter:
        states = states_of(status, state) or (JobState.FAILED,)
        if not set(states) <= set(ENDED):
            raise typer.BadParameter("only ended jobs can be retried", param_hint="--status")
        return await job_filter(
            engine, states=states, kind=kind, queue=queue, tenant=tenant, tag=tag, flow=flow, since=since, until=until,
            limit=_ALL,
        )  # fmt: skip

    chosen = _chosen(ctx, ids, all_, choose, "retry", yes)
    done, refused = run(ctx, lambda engine: _retry(engine, chosen))
    if as_json:
        print_json({"retried": done, "refused": refused})
    else:
        waiting = sum(len(one["blocked"]) for one in done)
        after = f"; {waiting} more wait for them" if waiting else ""
        typer.echo(f"{_jobs(len(done))} will run again{after}")
    _end(refused)


def cancel(
    ctx: typer.Context,
    ids: JobIds = None,
    all_: All = False,
    status: Status = None,
    state: State = None,
    kind: Kind = None,
    queue: QueueName = None,
    tenant: Tenant = None,
    tag: Tag = None,
    flow: Flow = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = "cancelled by a person",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Cancel jobs: waiting ones never run, running ones are told to stop. With --all: every open one that is chosen."""

    async def choose(engine: Penstock) -> JobFilter:
        states = states_of(status, state) or OPEN
        if not set(states) <= set(OPEN):
            raise typer.BadParameter("only pending and running jobs can be cancelled", param_hint="--status")
        return await job_filter(
            engine, states=states, kind=kind, queue=queue, tenant=tenant, tag=tag, flow=flow, since=since, until=until,
            limit=_ALL,
        )  # fmt: skip

    chosen = _chosen(ctx, ids, all_, choose, "cancel", yes)
    report = run(ctx, lambda engine: engine.jobs.cancel_many(chosen, reason=reason))
    refused = [{"id": id_, "error": f"job {id_} has ended already"} for id_ in report.ended]
    refused += [{"id": id_, "error": f"no job {id_}"} for id_ in report.unknown]
    if as_json:
        print_json({"cancelled": report.cancelled, "stopping": report.stopping, "refused": refused})
    else:
        stopping = f"; {len(report.stopping)} were running and are told to stop" if report.stopping else ""
        typer.echo(f"{_jobs(len(report.cancelled))} cancelled{stopping}")
    # What --all chose may have ended in the meantime: that is no failure.
    _end([] if all_ else refused)


def move(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A waiting job's id, or enough of its beginning.")],
    delay: Annotated[str | None, typer.Option("--delay", help="Run it so much from now: 0s, 10m, 2h.")] = None,
    run_at: Annotated[str | None, typer.Option("--run-at", help="Run it at this ISO time.", metavar="TIME")] = None,
    priority: Annotated[str | None, typer.Option("--priority", help="low, normal, high, urgent or an integer.")] = None,
    as_json: Json = False,
) -> None:
    """Give a waiting job another time or priority."""
    if (delay is None) == (run_at is None) and (delay is not None or priority is None):
        raise typer.BadParameter("give one of --delay and --run-at, or --priority", param_hint="--delay")

    async def work(engine: Penstock) -> dict[str, Any]:
        now = engine.store.clock.now()
        due = None if run_at is None else moment(run_at, "--run-at", now)
        if delay is not None:
            due = now + span(delay, "--delay") // timedelta(microseconds=1)
        id_ = await engine.jobs.resolve(job_id)
        level: int | str | None = int(priority) if priority and priority.lstrip("-").isdigit() else priority
        state = await engine.jobs.move(id_, run_at=None if due is None else moment_of(due), priority=level)
        return {"id": id_, "state": state}

    moved = run(ctx, work)
    if as_json:
        print_json(moved)
    else:
        typer.echo(f"job {moved['id']} is {moved['state']}")


def rerun(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A job's id, or enough of its beginning.")],
    step: Annotated[str, typer.Option("--from", metavar="STEP", help="The first step to be done again.")],
    as_json: Json = False,
) -> None:
    """Enqueue a copy of a job that has done what was done before a step. The job itself stays as it is."""

    async def work(engine: Penstock) -> dict[str, str]:
        id_ = await engine.jobs.resolve(job_id)
        return {"id": await engine.jobs.rerun(id_, from_step=step), "copy_of": id_}

    copied = run(ctx, work)
    if as_json:
        print_json(copied)
    else:
        typer.echo(f"job {copied['id']} runs from step {step!r} of job {copied['copy_of']}")


def signal(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="ID", help="A job's id, or enough of its beginning.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal that its handler waits for.")],
    data: Annotated[str, typer.Option("--data", metavar="JSON", help="What the handler gets.")] = "null",
    as_json: Json = False,
) -> None:
    """Send a signal to a job; it is kept until the job's handler waits for it."""
    try:
        value = codec.loads(data)
    except ValueError as error:
        raise typer.BadParameter(f"it is no JSON: {error}", param_hint="--data") from None

    async def work(engine: Penstock) -> dict[str, Any]:
        id_ = await engine.jobs.resolve(job_id)
        return {"id": id_, "woken": await engine.signal(id_, name, value)}

    sent = run(ctx, work)
    if as_json:
        print_json(sent)
    else:
        typer.echo(f"job {sent['id']} {'goes on' if sent['woken'] else 'will find it when it waits for it'}")


def _chosen(
    ctx: typer.Context, ids: Sequence[str] | None, all_: bool, choose: Choose, verb: str, yes: bool
) -> list[str]:
    """The full ids: those given, or with --all those of the filter, once a person has agreed."""
    if bool(ids) == all_:
        raise typer.BadParameter(f"name the jobs to {verb}, or choose them with --all and filters", param_hint="ID")

    async def work(engine: Penstock) -> list[str]:
        wanted = await choose(engine)
        if ids:
            return [await engine.jobs.resolve(one) for one in ids]
        return [job.id async for job in each_job(engine, wanted)]

    found = run(ctx, work)
    if all_ and not found:
        raise NotFound(f"no job to {verb} matches")
    if all_ and not yes:
        typer.confirm(f"{verb} {_jobs(len(found))}?", abort=True, err=True)
    return found


async def _retry(engine: Penstock, ids: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    done: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    for id_ in ids:
        try:
            revived = await engine.jobs.retry(id_)
        except (Conflict, NotFound) as error:
            refused.append({"id": id_, "error": str(error)})
        else:
            done.append({"id": id_, "ready": revived.ready, "blocked": revived.blocked})
    return done, refused


def _end(refused: Sequence[dict[str, str]]) -> None:
    for one in refused:
        complain(one["error"])
    if refused:
        raise typer.Exit(1)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
