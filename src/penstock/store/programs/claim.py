"""Claim: a worker takes ready jobs of one queue; jobs whose time has come fall due; concurrency keys are kept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from operator import attrgetter
from typing import NamedTuple

from penstock import codec
from penstock.domain.claimed import ClaimedJob
from penstock.domain.order import STRICT_STEP
from penstock.domain.rates import Rate, allowance, record
from penstock.store.program import Call, Row, Steps, program, wake_queues

_POSITION = attrgetter("position")


class HeldKind(NamedTuple):
    """Jobs that a worker does not want now: of a kind (`whole`), or of a kind and tenant."""

    kind: str
    tenant: str | None = None
    whole: bool = False


class LaneFacts(NamedTuple):
    """What all jobs of a lane share, besides its queue."""

    kind: str
    tenant: str | None


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a worker asks of one queue.

    `claim_id`: random 63-bit fence of everything the claimed runs write. `after`: lane id -> position already claimed.
    `gated`: the queue has a rate or a total, so that claims must take turns. `any_kind`: also kinds it does not know.
    `held`: what it does not want now. `ahead`: how many turns tenants have had that others have not.
    `known`: lane id -> what earlier claims have told of it, which is not told again.
    """

    queue: str
    kinds: tuple[str, ...]
    limit: int
    claim_id: int
    worker_id: int
    seal_keys: tuple[str, ...] = ()
    solo: bool = False
    any_kind: bool = False
    gated: bool = False
    after: Mapping[int, int] = field(default_factory=dict)
    held: Sequence[HeldKind] = ()
    ahead: Mapping[str | None, int] = field(default_factory=dict)
    known: Mapping[int, LaneFacts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The jobs taken, in order; `full`: there may be more; `next_at`: when a rate lets the next one start (µs).

    `unadmitted`: some have a concurrency key and may not start before `admit` has looked at it. `stopped`: taken, but
    their cancel was requested before they could be admitted; they are to end as cancelled. `learnt`: lane id -> what
    was told of it, for those that were not known.
    """

    jobs: list[ClaimedJob]
    full: bool
    next_at: int | None = None
    unadmitted: bool = False
    stopped: Sequence[ClaimedJob] = ()
    learnt: Mapping[int, LaneFacts] = field(default_factory=dict)


class Admitted(NamedTuple):
    """Of claimed jobs those that may start, and those that are to end as cancelled. The rest was parked."""

    jobs: list[ClaimedJob]
    stopped: Sequence[ClaimedJob] = ()


@program
def claim(request: ClaimRequest, now: int) -> Steps[Claimed]:
    """Take up to `limit` ready jobs. Run it with durable=False: a claim lost in a crash only means another run.

    One statement and one trip, but for a gated queue.
    """
    limit, next_at, spend = request.limit, None, None
    if request.gated:
        limit, next_at, spend = yield from _gate(request, now)
        if limit <= 0:
            return Claimed([], full=False, next_at=next_at)
    rows = yield Call("claim", _params(request, limit, now), only=not request.gated)
    full = len(rows) >= limit
    learnt = {row[1]: LaneFacts(*codec.loads(row[-1])) for row in rows if row[-1] is not None}
    jobs = _in_order(_jobs(rows, request, learnt), request.ahead)
    unadmitted = any(job.concurrency_key is not None for job in jobs)
    stopped: Sequence[ClaimedJob] = ()
    if request.gated:
        if unadmitted:
            jobs, stopped = yield from _admit(request.claim_id, jobs)
            unadmitted = False
        if spend is not None and jobs:
            rate, starts = spend
            noted = codec.dumps(record(rate, starts, now, len(jobs)))
            yield Call("spend_rate", {"queue": request.queue, "starts": noted})
    return Claimed(jobs, full, next_at, unadmitted, stopped, learnt)


@program
def admit(claim_id: int, jobs: Sequence[ClaimedJob]) -> Steps[Admitted]:
    """Of the jobs of an unadmitted claim, those that may start; the rest is parked until its key has room."""
    return (yield from _admit(claim_id, jobs))


def _params(request: ClaimRequest, limit: int, now: int) -> dict[str, object]:
    return {
        "queue": request.queue,
        "kinds": codec.ids(request.kinds),
        "seal_keys": codec.ids(request.seal_keys),
        "any_kind": request.any_kind,
        "solo": request.solo,
        "hints": codec.rows([{"lane": lane, "after": after} for lane, after in request.after.items()]),
        "held": codec.rows([held._asdict() for held in request.held]),
        "ahead": codec.rows([{"tenant": tenant, "turns": turns} for tenant, turns in request.ahead.items()]),
        "known": codec.ids(list(request.known)),
        "limit": limit,
        "claim_id": request.claim_id,
        "worker_id": request.worker_id,
        "now": now,
    }


def _jobs(rows: Sequence[Row], request: ClaimRequest, learnt: Mapping[int, LaneFacts]) -> list[ClaimedJob]:
    """The rows, each with what it shares with others."""
    claim = (request.queue, request.claim_id)
    shared = {lane: claim + (learnt.get(lane) or request.known[lane]) for lane in {row[1] for row in rows}}
    make = ClaimedJob._make
    return [make((*row[:-1], *shared[row[1]])) for row in rows]


def _in_order(jobs: list[ClaimedJob], ahead: Mapping[str | None, int]) -> list[ClaimedJob]:
    """The claimed jobs as the statement chose them: by priority (unless the queue ages), a turn per tenant, age."""
    jobs.sort(key=_POSITION)
    if len({job.tenant for job in jobs}) < 2:
        return jobs  # the position holds priority and age
    turns: Counter[tuple[str | None, int]] = Counter()
    placed: list[tuple[int, int, int, ClaimedJob]] = []
    for job in jobs:
        band = -job.level if job.aging_step is None else 0
        turns[job.tenant, band] += 1
        placed.append((band, turns[job.tenant, band] + ahead.get(job.tenant, 0), job.position, job))
    return [job for *_, job in sorted(placed, key=lambda one: one[:3])]


def _gate(request: ClaimRequest, now: int) -> Steps[tuple[int, int | None, tuple[Rate, list[tuple[int, int]]] | None]]:
    """How many of the asked may start: bounded by the queue's total and by its rate."""
    found = yield Call("lock_queue", {"queue": request.queue})
    if not found:
        return request.limit, None, None
    starts_json, total, rate_limit, rate_period = found[0]
    limit = request.limit
    if total is not None:
        running = (yield Call("running_in_queue", {"queue": request.queue}))[0][0]
        limit = min(limit, total - running)
    if rate_limit is None:
        return limit, None, None
    rate = Rate(rate_limit, timedelta(microseconds=rate_period))
    starts = [(end, n) for end, n in codec.loads(starts_json)]
    allowed, next_at = allowance(rate, starts, now)
    return min(limit, allowed), next_at, (rate, starts)


def _admit(claim_id: int, jobs: Sequence[ClaimedJob]) -> Steps[Admitted]:
    """Keep at most n running per concurrency key. The key's lock is taken after the claim, so the count that follows

    sees every claim that committed before and holds back every one that comes after. When several workers hold claims
    of one key that they have not admitted yet, each counts the others', and the last to look keeps its own.
    """
    keys = sorted({job.concurrency_key for job in jobs if job.concurrency_key is not None})
    yield from _lock_keys(keys)
    running = Counter(dict((yield Call("running_by_key", {"keys": codec.ids(keys)}))))
    running.subtract(job.concurrency_key for job in jobs if job.concurrency_key is not None)
    kept: list[ClaimedJob] = []
    over: list[ClaimedJob] = []
    for job in jobs:
        key = job.concurrency_key
        if key is not None:
            if running[key] >= job.concurrency_limit:
                over.append(job)
                continue
            running[key] += 1
        kept.append(job)
    if not over:
        return Admitted(kept)
    rows = yield Call("park", {"ids": codec.ids([job.id for job in over]), "claim_id": claim_id})
    parked = {row[0] for row in rows}
    return Admitted(kept, [job for job in over if job.id not in parked])


def _lock_keys(keys: Sequence[str]) -> Steps[None]:
    """Take the turn on these keys (sorted); their rows are made at the first use."""
    locked = yield Call("lock_concurrency_keys", {"keys": codec.ids(keys)})
    if len(locked) < len(keys):
        yield Call("make_concurrency_keys", {"keys": codec.ids(keys)})
        # Again, in a statement of its own: what somebody else made meanwhile is seen and locked only now.
        yield Call("lock_concurrency_keys", {"keys": codec.ids(keys)})


@program
def fall_due(now: int, limit: int = 1000) -> Steps[int | None]:
    """Let scheduled jobs whose time has come be ready; answers when the next one is due (µs), None when none waits."""
    fallen = yield Call("fall_due", {"now": now, "limit": limit, "strict_step": STRICT_STEP})
    if fallen:
        yield wake_queues({row[0] for row in fallen})
        if len(fallen) >= limit:
            return now
    upcoming = yield Call("next_due")
    return upcoming[0][0] if upcoming else None


@program
def solo_waiting(queue: str) -> Steps[bool]:
    """Whether a job that has to be claimed alone is ready in this queue."""
    return bool((yield Call("solo_waiting", {"queue": queue})))


def unpark(keys: Sequence[str]) -> Steps[None]:
    """Let parked jobs of these concurrency keys go on where there is room."""
    ordered = sorted(set(keys))
    yield from _lock_keys(ordered)
    freed = yield Call("unpark", {"keys": codec.ids(ordered)})
    if freed:
        yield wake_queues({row[0] for row in freed})


@program
def unpark_all() -> Steps[None]:
    """The safety net: whatever happened, a key with room does not keep jobs parked."""
    keys = [row[0] for row in (yield Call("parked_keys"))]
    if keys:
        yield from unpark(keys)
