"""`penstock flows`."""

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from penstock.app import Penstock
from penstock.cli.filters import Limit, Tenant
from penstock.cli.group import commands, examples
from penstock.cli.job_changes import Reason
from penstock.cli.output import print_facts, print_json, print_table, print_text, seconds, short_ids
from penstock.cli.session import Json, run
from penstock.domain.options import moment_of
from penstock.flows import FlowJob, FlowView

FlowId = Annotated[str, typer.Argument(metavar="ID", help="A flow's id, or enough of its beginning.")]

app = commands("List, show, cancel and retry flows.")


@app.command("list", epilog=examples("penstock flows list --open", "penstock flows list --name make_note --json"))
def list_flows(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="Only flows of this name.")] = None,
    tenant: Tenant = None,
    open_: Annotated[bool | None, typer.Option("--open/--ended", help="Only those that run, or have ended.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List flows, newest first."""

    async def work(engine: Penstock) -> list[FlowView]:
        return list(await engine.flows.list(name=name, tenant=tenant, open=open_, limit=limit))

    found = run(ctx, work)
    if as_json:
        print_json([flow_json(flow) for flow in found])
        return
    ids = short_ids([flow.id for flow in found])
    print_table(
        ("id", "name", "status", "progress", "jobs", "failed", "created"),
        [
            (
                ids[f.id],
                f.name,
                f.status,
                f"{f.counts.progress():.0%}",
                f.counts.total,
                f.counts.failed,
                _at(f.created_at),
            )
            for f in found
        ],
        empty="no flows match",
    )


@app.command(epilog=examples("penstock flows show 019a6b2c-41d7-7"))
def show(ctx: typer.Context, flow_id: FlowId, limit: Limit = 200, as_json: Json = False) -> None:
    """Show a flow and its jobs, with what each comes after."""

    async def work(engine: Penstock) -> tuple[FlowView, list[FlowJob], list[tuple[str, str]]]:
        id_ = await engine.flows.resolve(flow_id)
        flow, jobs = await engine.flows.get(id_), await engine.flows.jobs(id_, limit)
        return flow, list(jobs), list(await engine.flows.edges(id_))

    flow, jobs, edges = run(ctx, work)
    if as_json:
        print_json(flow_json(flow) | {"jobs": [_job_json(job, edges) for job in jobs]})
        return
    counts = flow.counts
    print_facts(
        [
            ("id", flow.id),
            ("name", flow.name),
            ("tenant", flow.tenant),
            ("status", flow.status),
            ("progress", f"{counts.progress():.0%}: {counts.completed} completed, {counts.failed} failed, "
             f"{counts.cancelled} cancelled, {counts.open} open"),
            ("round", flow.round if flow.round > 1 else None),
            ("created", _at(flow.created_at)),
            ("finished", _at(flow.finished_at)),
        ]
    )  # fmt: skip
    ids, before = short_ids([job.id for job in jobs]), Counter(child for _, child in edges)
    print_table(
        ("id", "kind", "state", "attempt", "after", "took", "note"),
        [
            (ids[j.id], j.kind, j.state, f"{j.attempt}/{j.max_attempts}", before[j.id] or "", _took(j), _note(j))
            for j in jobs
        ],
        empty="it has no jobs",
    )
    if counts.total > len(jobs):
        print_text(f"{counts.total - len(jobs)} more; see --limit")


@app.command(epilog=examples("penstock flows cancel 019a6b2c-41d7-7"))
def cancel(
    ctx: typer.Context, flow_id: FlowId, reason: Reason = "its flow was cancelled by a person", as_json: Json = False
) -> None:
    """Cancel every open job of a flow."""

    async def work(engine: Penstock) -> dict[str, Any]:
        id_ = await engine.flows.resolve(flow_id)
        report = await engine.flows.cancel(id_, reason=reason)
        return {"id": id_, "cancelled": report.cancelled, "stopping": report.stopping}

    done = run(ctx, work)
    if as_json:
        print_json(done)
    else:
        typer.echo(f"flow {done['id']}: {len(done['cancelled'])} jobs cancelled, {len(done['stopping'])} told to stop")


@app.command(epilog=examples("penstock flows retry 019a6b2c-41d7-7"))
def retry(ctx: typer.Context, flow_id: FlowId, as_json: Json = False) -> None:
    """Run what failed in a flow again, and what follows it."""

    async def work(engine: Penstock) -> dict[str, Any]:
        id_ = await engine.flows.resolve(flow_id)
        return {"id": id_, **asdict(await engine.flows.retry(id_))}

    done = run(ctx, work)
    if as_json:
        print_json(done)
    else:
        typer.echo(f"flow {done['id']}: {len(done['ready'])} jobs run again, {len(done['blocked'])} wait for them")


def flow_json(flow: FlowView) -> dict[str, Any]:
    """A flow as plain values, times as datetimes."""
    times = {"created_at": _at(flow.created_at), "finished_at": _at(flow.finished_at)}
    return {**asdict(flow), **times, "status": flow.status, "progress": flow.counts.progress()}


def _job_json(job: FlowJob, edges: list[tuple[str, str]]) -> dict[str, Any]:
    times = {"started_at": _at(job.started_at), "finished_at": _at(job.finished_at)}
    return {**asdict(job), **times, "after": [parent for parent, child in edges if child == job.id]}


def _took(job: FlowJob) -> str:
    if job.started_at is None or job.finished_at is None:
        return ""
    return seconds((job.finished_at - job.started_at) / 1_000_000)


def _note(job: FlowJob) -> str:
    share = "" if job.progress is None else f"{job.progress:.0%} "
    return (share + (job.message or job.reason or "")).strip()


def _at(time: int | None) -> datetime | None:
    return None if time is None else moment_of(time)
