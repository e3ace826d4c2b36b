"""Options that choose jobs, and their meaning."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated

import typer

from penstock.app import Penstock
from penstock.domain.options import micros
from penstock.domain.states import FINAL, WAITING, JobState, JobStatus
from penstock.operations import JobView
from penstock.store.programs.read import JobFilter

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_PAGE = 500

Status = Annotated[
    list[JobStatus] | None,
    typer.Option("--status", help="How the job stands, for people; repeatable."),
]
State = Annotated[list[JobState] | None, typer.Option("--state", help="How it stands in the engine; repeatable.")]
Kind = Annotated[str | None, typer.Option("--kind", help="Only this kind.")]
QueueName = Annotated[str | None, typer.Option("--queue", help="Only this queue.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")]
Tag = Annotated[str | None, typer.Option("--tag", help="Only with this tag.")]
Flow = Annotated[str | None, typer.Option("--flow", help="Only of this flow (the beginning of its id).")]
Since = Annotated[
    str | None, typer.Option("--since", help="Enqueued since: an age (90s, 2h, 1d12h) or an ISO time.", metavar="AGE")
]
Until = Annotated[str | None, typer.Option("--until", help="Enqueued before: an age or an ISO time.", metavar="AGE")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many.")]


def span(text: str, option: str) -> timedelta:
    """A duration such as 90s, 2h or 1d12h. Raises a usage error naming the option."""
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise typer.BadParameter(f"{text!r} is no duration: write 90s, 30m, 2h, 1d12h or 1w", param_hint=option)
    return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta())


def moment(text: str, option: str, now: int) -> int:
    """An age before `now` (µs), or an ISO 8601 time (local unless it has a zone), in µs. Raises a usage error."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return now - span(text, option) // timedelta(microseconds=1)
    return micros(option, at.astimezone())


def states_of(status: list[JobStatus] | None, state: list[JobState] | None) -> tuple[str, ...] | None:
    """The engine's states that both options ask for; None: all."""
    wanted: set[str] = set(state or ())
    for one in status or ():
        wanted |= WAITING if one is JobStatus.PENDING else {one.value}
    return tuple(sorted(wanted)) or None


ENDED = tuple(sorted(FINAL))
OPEN = tuple(sorted({*WAITING, JobState.RUNNING}))


async def job_filter(
    engine: Penstock,
    *,
    states: tuple[str, ...] | None,
    kind: str | None,
    queue: str | None,
    tenant: str | None,
    tag: str | None,
    flow: str | None,
    since: str | None,
    until: str | None,
    limit: int,
) -> JobFilter:
    """The options as a filter. Raises NotFound for an unknown flow, a usage error for a bad time."""
    now = engine.store.clock.now()
    return JobFilter(
        states=states, kind=kind, queue=queue, tenant=tenant, tag=tag, limit=limit,
        flow_id=None if flow is None else await engine.flows.resolve(flow),
        since=None if since is None else moment(since, "--since", now),
        until=None if until is None else moment(until, "--until", now),
    )  # fmt: skip


async def each_job(engine: Penstock, wanted: JobFilter) -> AsyncIterator[JobView]:
    """All jobs of a filter, newest first, page by page, `limit` at most."""
    left, before = wanted.limit, wanted.before
    while left > 0:
        page = await engine.jobs.list(replace(wanted, before=before, limit=min(left, _PAGE)))
        for job in page:
            yield job
        if len(page) < min(left, _PAGE):
            return
        left -= len(page)
        before = page[-1].id
