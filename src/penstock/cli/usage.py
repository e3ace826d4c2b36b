"""`penstock usage`."""

from decimal import Decimal
from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.cli.filters import Flow, Kind, Tenant, moment
from penstock.cli.group import commands, examples
from penstock.cli.output import print_json, print_table, seconds
from penstock.cli.session import Json, run
from penstock.domain.options import moment_of
from penstock.operations.usage import BY, UsageView

app = commands()


@app.command(
    epilog=examples(
        "penstock usage --by tenant --since 7d",
        "penstock usage --by model --since 2026-11-01 --until 2026-12-01 --json",
        "penstock usage --by step --kind generate_plan",
    ),
)
def usage(
    ctx: typer.Context,
    by: Annotated[str, typer.Option("--by", metavar="WHAT", help=f"One of {', '.join(BY)}.")] = "model",
    since: Annotated[
        str, typer.Option("--since", metavar="AGE", help="Calls made since: an age (2h, 7d) or an ISO time.")
    ] = "30d",
    until: Annotated[
        str | None, typer.Option("--until", metavar="AGE", help="Calls made before: an age or an ISO time.")
    ] = None,
    tenant: Tenant = None,
    kind: Kind = None,
    flow: Flow = None,
    job: Annotated[str | None, typer.Option("--job", help="Only of this job (the beginning of its id).")] = None,
    as_json: Json = False,
) -> None:
    """Sum up what model calls have cost: tokens, money, the cost of retries, and what steps have saved."""
    if by not in BY:
        raise typer.BadParameter(f"{by!r} is unknown; one of {', '.join(BY)}", param_hint="--by")

    async def work(engine: Penstock) -> list[UsageView]:
        now = engine.store.clock.now()
        return await engine.usage(
            since=moment_of(moment(since, "--since", now)),
            until=None if until is None else moment_of(moment(until, "--until", now)),
            by=by, tenant=tenant, kind=kind,
            flow_id=None if flow is None else await engine.flows.resolve(flow),
            job_id=None if job is None else await engine.jobs.resolve(job),
        )  # fmt: skip

    found = run(ctx, work)
    if as_json:
        print_json([{name: _plain(getattr(one, name)) for name in UsageView.__slots__} for one in found])
        return
    print_table(
        (by, "calls", "failed", "tokens in", "cached", "out", "cost", "retries", "saved", "a call"),
        [
            (
                one.name or "-", one.calls, one.failed, f"{one.input_tokens:,}", f"{one.cached_tokens:,}",
                f"{one.output_tokens:,}", _cost(one), _money(one.retries), _money(one.saved),
                "" if one.mean_s is None else seconds(one.mean_s),
            )
            for one in found
        ],
        empty="no model calls match",
    )  # fmt: skip


def _plain(value: object) -> object:
    """Money as text, so that no digit is lost."""
    return str(value) if isinstance(value, Decimal) else value


def _cost(one: UsageView) -> str:
    more = f" + {one.unpriced} without a price" if one.unpriced else ""
    return _money(one.cost) + more


def _money(amount: Decimal) -> str:
    return f"${amount:,.4f}"
