"""Upkeep: schedules tick, ended jobs are pruned, expired keys fall free. Done by whichever worker leads."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from penstock import codec
from penstock.domain.queue import Retention
from penstock.domain.schedule import Missed, Schedule
from penstock.domain.states import FINAL, JobState
from penstock.store.program import Call, LaneKey, Row, Steps, program
from penstock.store.programs.enqueue import enqueue
from penstock.store.programs.new import NewJob

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Declared:
    """A schedule that code declares: when, and the job each tick enqueues."""

    name: str
    when: Schedule
    lane: LaneKey
    level: int
    max_attempts: int
    data: bytes
    options: Mapping[str, Any]


@program
def declare_schedules(declared: Sequence[Declared], queues: Sequence[str], now: int) -> Steps[None]:
    """Take over the schedules of the code; others of these queues stay listed but no longer fire."""
    for one in declared:
        job = {"level": one.level, "attempts": one.max_attempts, "data": codec.raw(one.data), "options": one.options}
        params = {
            "name": one.name,
            "cron": one.when.cron,
            "every": None if one.when.every is None else one.when.every // _MICROSECOND,
            "tz": one.when.tz,
            "missed": one.when.missed,
            "lane": codec.dumps(list(one.lane)),
            "job": codec.dumps(job),
            "next_at": one.when.next_after(now),
        }
        yield Call("put_schedule", params)
    names = codec.ids([one.name for one in declared])
    yield Call("undeclare_schedules", {"names": names, "queues": codec.ids(queues)})


@program
def tick(now: int) -> Steps[int | None]:
    """Enqueue the ticks that are due; answers when the next one is (µs), None when none is."""
    for row in (yield Call("due_schedules", {"now": now})):
        ticks, next_at = _schedule(row).due(row[7], now)
        yield from enqueue([_tick_job(row, at) for at in ticks], now, bounded=False)
        yield Call("move_schedule", {"name": row[0], "next_at": next_at, "last_at": ticks[-1] if ticks else None})
    upcoming = yield Call("next_tick")
    return upcoming[0][0] if upcoming else None


def _schedule(row: Row) -> Schedule:
    every = None if row[2] is None else timedelta(microseconds=row[2])
    return Schedule(cron=row[1], every=every, tz=row[3], missed=Missed(row[4]))


def tick_id(name: str, at: int) -> str:
    """The id of the job of one tick: one per schedule and instant, so that each tick is a job exactly once.

    Laid out as a UUIDv7 (RFC 9562, 5.7) of the tick's instant (µs), so that it sorts among the others by time.
    """
    digest = int.from_bytes(hashlib.sha256(f"{name}@{at}".encode()).digest()[:10])
    high, low = digest >> 68, digest & ((1 << 62) - 1)
    return str(UUID(int=(at // 1000) << 80 | 7 << 76 | high << 64 | 2 << 62 | low))


def _tick_job(row: Row, at: int) -> NewJob:
    name, lane, job = row[0], codec.loads(row[5]), codec.loads(row[6])
    return NewJob(
        id=tick_id(name, at),
        lane=LaneKey(*lane),
        level=job["level"],
        max_attempts=job["attempts"],
        data=codec.dumps(job["data"]),
        options=job["options"],
        given_id=True,
    )


@program
def pause_schedule(name: str, now: int) -> Steps[bool]:
    """Let a schedule fire no more until it is resumed; False when there is none of that name."""
    return bool((yield Call("pause_schedule", {"name": name, "now": now}, only=True)))


@program
def resume_schedule(name: str, now: int) -> Steps[bool]:
    """Let a schedule fire again, from its next tick on; False when there is none of that name."""
    rows = yield Call("get_schedule", {"name": name})
    if not rows:
        return False
    yield Call("resume_schedule", {"name": name, "next_at": _schedule(rows[0]).next_after(now)})
    return True


_STATES = ("completed", "failed", "cancelled")


@program
def prune(now: int, limit: int = 1000) -> Steps[int]:
    """Delete ended jobs past their queue's retention, expired keys and empty flows; answers how many jobs went.

    Never a job that one after it, or its flow, still needs. Call again while it answers much.
    """
    gone = 0
    for queue, stored in (yield Call("queues_with_ended")):
        kept = codec.loads(stored) if stored else _DEFAULT
        for state in _STATES:
            # A job's own retention holds also where its queue keeps everything: then only such jobs are past it.
            age = kept.get(f"{state}_age")
            before = now - age if age is not None else -1
            params = {"queue": queue, "state": state, "limit": limit}
            gone += yield from _prune("prunable", params | {"before": before, "now": now})
            count = kept.get(f"{state}_count")
            if count is not None:
                gone += yield from _prune("prunable_over_count", params | {"keep": count})
        if kept.get("bytes") is not None:
            gone += yield from _prune("prunable_over_bytes", {"queue": queue, "keep": kept["bytes"], "limit": limit})
    yield Call("prune_keys", {"now": now})
    yield Call("prune_flows", {"before": now - _FLOW_AGE})
    return gone


@program
def prune_older(queue: str, before: int, now: int, limit: int = 1000) -> Steps[int]:
    """Delete jobs of a queue that ended before a moment, whatever its retention; answers how many went.

    As `prune`: never one that is still needed; one with a retention of its own goes when that is over. Call again while
    it answers much.
    """
    gone = 0
    for state in _STATES:
        params = {"queue": queue, "state": state, "limit": limit, "before": before, "now": now}
        gone += yield from _prune("prunable", params)
    return gone


def _prune(statement: str, params: Mapping[str, Any]) -> Steps[int]:
    ids = [row[0] for row in (yield Call(statement, params))]
    if not ids:
        return 0
    # Locked, then looked at again: since then a job may have been enqueued after one of them, or one been retried.
    locked = yield Call("lock_jobs", {"ids": codec.ids(sorted(ids))})
    ended = {row[0] for row in locked if JobState(row[1]) in FINAL}
    ended -= {row[0] for row in (yield Call("needed_parents", {"ids": codec.ids(sorted(ended))}))}
    return len((yield Call("prune", {"ids": codec.ids(sorted(ended))})))


def retention_json(retention: Retention) -> dict[str, int | None]:
    """A queue's retention as stored: ages in µs, counts, bytes."""
    ages = {"completed": retention.completed, "failed": retention.failed, "cancelled": retention.cancelled}
    return {
        **{f"{state}_age": None if age is None else age // _MICROSECOND for state, age in ages.items()},
        "completed_count": retention.max_completed,
        "failed_count": retention.max_failed,
        "cancelled_count": retention.max_cancelled,
        "bytes": retention.max_bytes,
    }


_DEFAULT = retention_json(Retention())
_FLOW_AGE = timedelta(days=1) // _MICROSECOND
