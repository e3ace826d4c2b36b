"""Unique keys: taken by new jobs in key order, kept by whoever holds them."""

from collections.abc import Mapping, Sequence

from penstock import codec
from penstock.domain.states import FINAL, JobState
from penstock.domain.unique import UniqueScope
from penstock.store.program import Call, Lane, LaneKey, Steps
from penstock.store.programs.insert import place
from penstock.store.programs.new import NewJob


def take_keys(jobs: Sequence[NewJob], lanes: Mapping[LaneKey, Lane], now: int) -> Steps[dict[str, str]]:
    """Take the jobs' keys; answers job id -> id of the job that holds its key (itself, when it took it).

    A holder that still waits, of the same kind and queue, takes the new data and time of a job with `replace`.
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
    replacing = [
        place(job, lanes[job.lane], now) | {"id": held[key], "data": codec.raw(job.data), "lane": lanes[job.lane].id}
        for key, job in first.items()
        if key in held and job.unique and job.unique.replace
    ]
    if replacing:
        yield Call("replace_waiting", {"jobs": codec.rows(replacing)})
    return {job.id: held.get(job.unique.key, first[job.unique.key].id) for job in jobs if job.unique}


def give_back(jobs: Sequence[NewJob]) -> Steps[None]:
    """Free the keys that these jobs have just taken although their ids existed and had ended already."""
    keys = {job.id: job.unique.key for job in jobs if job.unique and job.unique.scope is UniqueScope.ACTIVE}
    if not keys:
        return
    found = yield Call("lock_parents", {"ids": codec.ids(sorted(keys))})
    rows = [{"key": keys[id_], "job": id_} for id_, state, _ in found if JobState(state) in FINAL]
    if rows:
        yield Call("release_unique", {"keys": codec.rows(rows)})
