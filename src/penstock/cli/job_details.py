"""Everything about one job: gathered as plain values, and printed for people."""

from dataclasses import asdict
from typing import Any

import orjson

from penstock import codec
from penstock.app import Penstock
from penstock.cli.output import print_facts, print_table, print_text, seconds
from penstock.domain.flows import FlowCounts
from penstock.store.programs.read import rows_of


async def details(engine: Penstock, job_id: str) -> dict[str, Any]:
    """A job with its data, result, error history, parents and children (id and state) and flow. Raises NotFound."""
    job = await engine.jobs.get(job_id)
    data, result = await engine.jobs.payload(job_id)
    flow = None if job.flow_id is None else await engine.flows.get(job.flow_id)
    return {
        **asdict(job),
        "data": data,
        "result": result,
        "steps": [asdict(step) for step in await engine.jobs.steps(job_id)],
        "streams": [asdict(stream) for stream in await engine.jobs.streams(job_id)],
        "errors": [asdict(error) for error in await engine.jobs.errors(job_id)],
        "parents": await _parents(engine, job_id),
        "children": await _children(engine, job_id, job.flow_id),
        "flow": None if flow is None else {"id": flow.id, "name": flow.name, "status": flow.status},
    }


async def _parents(engine: Penstock, job_id: str) -> list[dict[str, Any]]:
    rows = await engine.store.read(rows_of("parents_of", ids=codec.ids([job_id])))
    return [{"id": row[1], "state": row[2] or _flow_state(*row[3:7])} for row in rows]


def _flow_state(open_: int | None, total: int, failed: int, cancelled: int) -> str:
    """The status of a parent that is a flow; one that is neither was pruned."""
    if open_ is None:
        return "pruned"
    return FlowCounts(total, open_, total - open_ - failed - cancelled, failed, cancelled).status()


async def _children(engine: Penstock, job_id: str, flow_id: str | None) -> list[dict[str, Any]]:
    """Those of the same flow: edges are kept by child, so that others are not found from their parent."""
    if flow_id is None:
        return []
    children = {child for parent, child in await engine.flows.edges(flow_id) if parent == job_id}
    return [
        {"id": job.id, "state": job.state} for job in await engine.flows.jobs(flow_id, 10_000) if job.id in children
    ]


_SHOWN = 80
_FACTS = (
    "id", "kind", "queue", "state", "reason", "message", "priority", "losses", "tenant", "tags", "unique_key",
    "concurrency_key", "worker_id", "created_at", "due_at", "claimed_at", "started_at", "finished_at", "deadline_at",
    "cancel_requested_at",
)  # fmt: skip


def print_details(job: dict[str, Any]) -> None:
    """The same for people."""
    facts = [(name.replace("_", " "), job[name]) for name in _FACTS if job[name] != 0]
    facts.insert(4, ("attempt", f"{job['attempt']} of {job['max_attempts']}"))
    if job["progress"] is not None:
        facts.insert(5, ("progress", f"{job['progress']:.0%}"))
    if job["flow"]:
        facts.append(("flow", f"{job['flow']['name']} {job['flow']['id']} ({job['flow']['status']})"))
    print_facts(facts)
    print_text("\ndata", style="bold")
    print_text(_pretty(job["data"]))
    if job["result"] is not None:
        print_text("\nresult", style="bold")
        print_text(_pretty(job["result"]))
    for word, related in (("comes after", job["parents"]), ("before", job["children"])):
        if related:
            print_text("")
            print_table((word, "state"), [(one["id"], one["state"]) for one in related], empty="")
    if job["steps"]:
        print_text("")
        rows = [(one["name"], one["state"], _step_note(one), seconds(one["duration_s"])) for one in job["steps"]]
        print_table(("step", "state", "result", "took"), rows, empty="")
    if job["streams"]:
        print_text("")
        written = [(one["name"], f"{one['length']:,}{'+' * one['cut']}", one["version"]) for one in job["streams"]]
        print_table(("stream", "characters", "version"), written, empty="")
    for error in job["errors"]:
        _print_error(error)


def _step_note(step: dict[str, Any]) -> str:
    if step["state"] == "waits":
        until = "" if step["until"] is None else f" until {step['until']:%Y-%m-%d %H:%M:%S}"
        return (f"for signal {step['signal']}" if step["signal"] else "") + until
    text = orjson.dumps(step["result"]).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _print_error(error: dict[str, Any]) -> None:
    took = "" if error["duration_s"] is None else f" after {seconds(error['duration_s'])}"
    where = "" if error["worker"] is None else f" on {error['worker']}"
    print_text(f"\nattempt {error['attempt']} failed{took}{where}, {error['at']:%Y-%m-%d %H:%M:%S}", style="bold")
    print_text(error["traceback"].rstrip() or f"{error['error_class']}: {error['message']}")


def _pretty(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
