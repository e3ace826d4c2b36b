"""Claim: a worker takes ready jobs of one queue; jobs whose time has come fall due; concurrency keys are kept."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from penstock import codec
from penstock.domain.order import STRICT_STEP
from penstock.domain.rates import Rate, allowance, record
from penstock.store.program import Call, Row, Steps, program, wake_queues


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What a worker asks of one queue.

    `claim_id`: random 63-bit fence of everything the claimed runs write. `after`: lane id -> position already claimed.
    `gated`: the queue has a rate or a total, so that claims must take turns. `any_kind`: also kinds it does not know.
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


@dataclass(slots=True)
class ClaimedJob:
    """A job as a worker gets it. Times µs; `data` and `options` are JSON text (options may be None)."""

    id: str
    claim_id: int
    queue: str
    lane_id: int
    kind: str
    tenant: str | None
    position: int
    level: int
    attempts_before: int
    losses_before: int
    max_attempts: int
    created_at: int
    deadline_at: int | None
    flow_id: str | None
    concurrency_key: str | None
    data: str
    options: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """The jobs taken, in order; `full`: there may be more; `next_at`: when a rate lets the next one start (µs)."""

    jobs: list[ClaimedJob]
    full: bool
    next_at: int | None = None


@program
def claim(request: ClaimRequest, now: int) -> Steps[Claimed]:
    """Take up to `limit` ready jobs. Run it with durable=False: a claim lost in a crash only means another run."""
    limit, next_at, spend = request.limit, None, None
    if request.gated:
        limit, next_at, spend = yield from _gate(request, now)
        if limit <= 0:
            return Claimed([], full=False, next_at=next_at)
    rows = yield Call("claim", _params(request, limit, now))
    full = len(rows) >= limit
    rows = _in_order(rows)
    if any(row[12] is not None for row in rows):
        rows = yield from _park_over_limit(request.claim_id, rows)
    if spend is not None and rows:
        rate, starts = spend
        yield Call("spend_rate", {"queue": request.queue, "starts": codec.dumps(record(rate, starts, now, len(rows)))})
    return Claimed([_job(row, request) for row in rows], full, next_at)


def _params(request: ClaimRequest, limit: int, now: int) -> dict[str, object]:
    return {
        "queue": request.queue,
        "kinds": codec.ids(request.kinds),
        "seal_keys": codec.ids(request.seal_keys),
        "any_kind": request.any_kind,
        "solo": request.solo,
        "hints": codec.rows([{"lane": lane, "after": after} for lane, after in request.after.items()]),
        "limit": limit,
        "claim_id": request.claim_id,
        "worker_id": request.worker_id,
        "now": now,
    }


def _in_order(rows: Sequence[Row]) -> list[Row]:
    """The claimed rows as the statement chose them: by priority (unless the queue ages), a turn per tenant, age."""
    turns: Counter[tuple[object, int]] = Counter()
    placed: list[tuple[int, int, int, Row]] = []
    for row in sorted(rows, key=lambda row: int(row[4])):
        tenant, place, level, aging = row[3], row[4], row[5], row[16]
        band = -level if aging is None else 0
        turns[tenant, band] += 1
        placed.append((band, turns[tenant, band], place, row))
    return [row for *_, row in sorted(placed, key=lambda one: one[:3])]


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


def _park_over_limit(claim_id: int, rows: Sequence[Row]) -> Steps[list[Row]]:
    """Keep at most n running per concurrency key. The key's lock is taken after the claim, so the count that follows

    sees every claim that committed before and holds back every one that comes after.
    """
    keys = sorted({row[12] for row in rows if row[12] is not None})
    yield from _lock_keys(keys)
    running = Counter(dict((yield Call("running_by_key", {"keys": codec.ids(keys)}))))
    running.subtract(row[12] for row in rows if row[12] is not None)
    kept: list[Row] = []
    parked: list[str] = []
    for row in rows:
        key = row[12]
        if key is not None:
            if running[key] >= row[13]:
                parked.append(row[0])
                continue
            running[key] += 1
        kept.append(row)
    if parked:
        yield Call("park", {"ids": codec.ids(parked), "claim_id": claim_id})
    return kept


def _lock_keys(keys: Sequence[str]) -> Steps[None]:
    """Take the turn on these keys (sorted); their rows are made at the first use."""
    locked = yield Call("lock_concurrency_keys", {"keys": codec.ids(keys)})
    if len(locked) < len(keys):
        yield Call("make_concurrency_keys", {"keys": codec.ids(keys)})
        # Again, in a statement of its own: what somebody else made meanwhile is seen and locked only now.
        yield Call("lock_concurrency_keys", {"keys": codec.ids(keys)})


def _job(row: Row, request: ClaimRequest) -> ClaimedJob:
    return ClaimedJob(
        id=row[0], claim_id=request.claim_id, queue=request.queue, lane_id=row[1], kind=row[2], tenant=row[3],
        position=row[4], level=row[5], attempts_before=row[6], losses_before=row[7], max_attempts=row[8],
        created_at=row[9], deadline_at=row[10], flow_id=row[11], concurrency_key=row[12], data=row[14], options=row[15],
    )  # fmt: skip


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
