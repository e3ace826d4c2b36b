"""Unique keys: taken by new jobs in key order, kept by whoever holds them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from penstock import codec
from penstock.domain.order import STRICT_STEP
from penstock.domain.states import JobState
from penstock.store.program import Call, Lane, LaneKey, Steps
from penstock.store.programs.insert import place
from penstock.store.programs.new import NewJob


@dataclass(frozen=True, slots=True)
class Keys:
    """Who holds the keys of new jobs. `holders`: job id -> id of the job that holds its key (itself, when it took it);

    `taken`: key -> id of the job that has just taken it; `freed`: concurrency keys of holders put off till later.
    """

    holders: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    freed: list[str] = field(default_factory=list)


def take_keys(jobs: Sequence[NewJob], lanes: Mapping[LaneKey, Lane], now: int) -> Steps[Keys]:
    """Take the jobs' keys.

    A holder that still waits, of the same kind, takes the new data and time of a job with `replace`.
    """
    first: dict[str, NewJob] = {}
    for job in jobs:
        if job.unique:
            first.setdefault(job.unique.key, job)
    rows = [
        {"key": key, "job": job.id, "scope": job.unique.scope, "expires": job.unique.expires_at(now)}
        for key, job in sorted(first.items())
        if job.unique
    ]
    before = yield Call("bound_wait")
    taken = {row[0] for row in (yield Call("take_unique", {"keys": codec.rows(rows), "now": now}))}
    yield Call("unbound_wait", {"before": before[0][0]})
    lost = [key for key in first if key not in taken]
    held = dict((yield Call("read_unique", {"keys": codec.ids(lost)}))) if lost else {}
    freed = yield from _replace({held[key]: job for key, job in first.items() if key in held}, lanes, now)
    holders = {job.id: held.get(job.unique.key, first[job.unique.key].id) for job in jobs if job.unique}
    return Keys(holders, {key: first[key].id for key in first if key in taken}, freed)


def _replace(held: Mapping[str, NewJob], lanes: Mapping[LaneKey, Lane], now: int) -> Steps[list[str]]:
    """Let holders (by id) take over what these jobs say, where they ask for it; answers the concurrency keys of those

    that are now scheduled: one that was ready may have kept others parked.
    """
    rows = [
        place(job, lanes[job.lane], now) | {"id": id_, "data": codec.raw(job.data), "lane": lanes[job.lane].id}
        for id_, job in held.items()
        if job.unique and job.unique.replace
    ]
    if not rows:
        return []
    replaced = yield Call("replace_waiting", {"jobs": codec.rows(rows), "now": now, "strict_step": STRICT_STEP})
    return sorted({key for _, state, key in replaced if key is not None and state == JobState.SCHEDULED})


def give_back(taken: Mapping[str, str], created: Iterable[NewJob]) -> Steps[None]:
    """Free the keys just taken for jobs that existed already, and so were not enqueued: nothing would free them."""
    kept = {(job.unique.key, job.id) for job in created if job.unique}
    rows = [{"key": key, "job": job} for key, job in sorted(taken.items()) if (key, job) not in kept]
    if rows:
        yield Call("return_unique", {"keys": codec.rows(rows)})
