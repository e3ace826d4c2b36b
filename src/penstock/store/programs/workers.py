"""Workers and leadership: registration, heartbeats, what a worker holds, and rescue of what a lost one held."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock import codec
from penstock.domain.outcomes import Lost, Outcome, Released, RunFacts, decide
from penstock.domain.retry import load_policy
from penstock.store.program import Call, LaneKey, Row, Steps, program
from penstock.store.programs.settle import RunEnd, settle

_MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself when it starts.

    `lease_us`: how long it may be silent; `steps`: those that its kinds declare.
    """

    name: str
    host: str
    pid: int
    build_id: str | None
    queues: tuple[str, ...]
    kinds: tuple[str, ...]
    lease_us: int
    steps: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pulse:
    """A registered worker as others see it: its name, its counter, and how long (µs) it may stand still."""

    name: str
    beats: int
    lease_us: int


@dataclass(frozen=True, slots=True)
class HeldRun:
    """A run that the store says this worker holds. Times µs; `started_at` None: not yet known to have begun."""

    job_id: str
    claim_id: int
    claimed_at: int
    started_at: int | None
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat finds: whether the worker's row is still there, and the runs assigned to it.

    `marked`: the jobs of those runs that it was told have begun and that it could note.
    """

    registered: bool
    held: list[HeldRun]
    marked: frozenset[str] = frozenset()


@program
def add_worker(info: WorkerInfo, now: int) -> Steps[int]:
    """Register a worker; answers its number."""
    params: dict[str, Any] = {"name": info.name, "host": info.host, "pid": info.pid, "build_id": info.build_id}
    params |= {"queues": codec.ids(info.queues), "kinds": codec.ids(info.kinds)}
    params |= {"steps": codec.dumps(dict(info.steps)), "lease": info.lease_us, "now": now}
    return int((yield Call("add_worker", params, only=True))[0][0])


@program
def beat(
    worker_id: int, now: int, *, stopping: bool, stats: Mapping[str, Any], started: Sequence[tuple[str, int, int]] = ()
) -> Steps[Beat]:
    """Renew the lease, mark long runs as started (job id, claim id, µs), and answer what the store assigns to us."""
    params = {"worker_id": worker_id, "now": now, "stopping": stopping, "stats": codec.dumps(dict(stats))}
    registered = yield Call("beat", params)
    marked: frozenset[str] = frozenset()
    if started:
        runs = [{"id": job, "claim": claim, "at": at} for job, claim, at in sorted(started)]
        marked = frozenset(row[0] for row in (yield Call("mark_started", {"runs": codec.rows(runs)})))
    held = yield Call("held_by_worker", {"worker_id": worker_id})
    return Beat(bool(registered), [HeldRun(r[0], r[1], r[2], r[3], bool(r[4])) for r in held], marked)


@program
def cancels_of_worker(worker_id: int) -> Steps[set[str]]:
    """The jobs this worker runs whose cancel was requested."""
    return {row[0] for row in (yield Call("cancels_of_worker", {"worker_id": worker_id}, only=True))}


@program
def remove_worker(worker_id: int) -> Steps[None]:
    """Sign off. A worker that still holds runs stays listed, so that they are rescued."""
    yield Call("remove_worker", {"worker_id": worker_id}, only=True)


@program
def worker_beats() -> Steps[dict[int, Pulse]]:
    """All registered workers by number; those who hold runs without being registered have beats -1 and no lease."""
    beats = {row[0]: Pulse(row[1], row[2], row[3]) for row in (yield Call("worker_beats"))}
    for (worker_id,) in (yield Call("worker_orphans")):
        beats.setdefault(worker_id, Pulse(f"worker {worker_id}", -1, 0))
    return beats


@program
def rescue(worker_id: int, worker: str, now: int, rng: random.Random, limit: int = 500) -> Steps[int]:
    """Take runs from a lost worker (its name in `worker`); answers how many. Call again while it answers `limit`."""
    rows = yield Call("runs_of_worker", {"worker_id": worker_id, "limit": limit})
    # A run known to have begun counts as an attempt.
    ends = [_end(row, Lost(worker, started=row[11] is not None), now, rng) for row in rows]
    if ends:
        yield from settle(ends, now, worker)
    if len(ends) < limit:
        yield Call("remove_worker", {"worker_id": worker_id})
    return len(ends)


@program
def give_back(worker_id: int, worker: str, now: int, only: Collection[tuple[str, int]] | None = None) -> Steps[int]:
    """Release runs assigned to a worker that it does not hold: all, or only these (job id, claim id); answers how many.

    Each is fenced by its claim, so one that was settled meanwhile stays as it is.
    """
    rows = yield Call("runs_of_worker", {"worker_id": worker_id, "limit": _MOST_ROWS})
    released = Released("the store assigned it to a worker that did not hold it")
    rng = random.Random()  # noqa: S311 - a release draws nothing
    ends = [_end(row, released, now, rng) for row in rows if only is None or (row[0], row[1]) in only]
    return len((yield from settle(ends, now, worker))) if ends else 0


def _end(row: Row, outcome: Outcome, now: int, rng: random.Random) -> RunEnd:
    """The end of a run as its row alone tells it."""
    (job_id, claim_id, queue, kind, tenant, seal_key, solo, level, attempt, losses, max_attempts, started_at, deadline,
     place, aging, options, _) = row  # fmt: skip
    stored = codec.loads(options) if options else {}
    facts = RunFacts(
        level=level, attempts_before=attempt, losses_before=losses, max_attempts=max_attempts,
        retry=load_policy(stored.get("retry")), aging_step=aging, deadline=deadline, position=place,
    )  # fmt: skip
    settlement = decide(outcome, facts, now, rng)
    return RunEnd(job_id, claim_id, LaneKey(queue, kind, tenant, seal_key, bool(solo)), settlement, started_at)


@dataclass(frozen=True, slots=True)
class Lead:
    """The leader's row: who, in which term, and its counter (-1: it has left)."""

    worker_id: int
    term: int
    beats: int


@program
def read_leader(name: str) -> Steps[Lead | None]:
    """Who leads, if anybody ever did."""
    rows = yield Call("read_leader", {"name": name}, only=True)
    return Lead(*rows[0]) if rows else None


@program
def take_lead(name: str, worker_id: int, seen: Lead | None) -> Steps[int | None]:
    """Begin a new term after the one `seen`; answers the term, or None when another was quicker."""
    params = {"name": name, "worker_id": worker_id}
    params |= {"term": seen.term, "beats": seen.beats} if seen else {"term": -1, "beats": -1}
    rows = yield Call("take_lead", params, only=True)
    return int(rows[0][0]) if rows else None


@program
def keep_lead(name: str, worker_id: int, term: int) -> Steps[bool]:
    """Renew the term; False when it is over."""
    return bool((yield Call("keep_lead", {"name": name, "worker_id": worker_id, "term": term}, only=True)))


@program
def leave_lead(name: str, worker_id: int, term: int) -> Steps[None]:
    """Give the term up, so that another need not wait for a silence."""
    yield Call("leave_lead", {"name": name, "worker_id": worker_id, "term": term}, only=True)
