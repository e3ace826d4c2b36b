"""What may be wrong with an installation: checks of the configuration, the database, workers, queues and schedules."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Protocol

from penstock import codec
from penstock.config import Settings
from penstock.domain.options import moment_of
from penstock.errors import PenstockError, SchemaError
from penstock.store.base import Store
from penstock.store.program import Call, Row, Steps, program
from penstock.store.sqlite.one_sqlite import sqlite_libraries

MAX_CLOCK_DIFFERENCE_S = 2.0
_LEASES_UNTIL_STUCK = 3
"""A leader takes a silent worker's jobs after one lease; more than this and nobody does."""


class Level(StrEnum):
    """How a check went. Only `fail` makes the examination fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found and, unless it is well, what to do."""

    name: str
    level: Level
    found: str
    advice: str | None = None


_MOST_WINDOWS = 10_000
_SINK_BEHIND_US = 3_600_000_000

_MOST_STEPS = 10_000
"""Names of stored steps that are looked at."""

_ANSWERS = Check("database", Level.OK, "it answers")


class Examined(Protocol):
    """An engine that is not open yet."""

    @property
    def store(self) -> Store:
        """Its database."""
        ...

    @property
    def settings(self) -> Settings:
        """Its configuration."""
        ...


@dataclass(frozen=True, slots=True)
class _Facts:
    """What one reading of the database says. Times µs; rows as their statements give them."""

    now: int
    database_now: int
    asked_at: int
    workers: Sequence[Row]
    orphans: int
    queues: Sequence[Row]
    open_counts: Sequence[Row]
    ready_kinds: Sequence[Row]
    schedules: Sequence[Row]
    stored_steps: Sequence[Row]
    budgets: Sequence[Row]
    sinks: Sequence[Row]
    lease_us: int

    def live_of(self, queue: str) -> list[Row]:
        """The workers that serve a queue and were heard of within a lease."""
        return [
            w for w in self.workers
            if not w[10] and self.now - w[8] <= self.lease_us and queue in codec.loads(w[5])
        ]  # fmt: skip

    def counts(self, *states: str) -> dict[str, int]:
        """Queue -> how many of its jobs are in one of these states."""
        found: dict[str, int] = {}
        for queue, state, count, *_ in self.open_counts:
            if state in states:
                found[queue] = found.get(queue, 0) + count
        return found


async def examine(build: Callable[[], Examined]) -> list[Check]:
    """Build the engine, open its store, look at everything, close it. Checks that need a failed one are left out."""
    try:
        engine = build()
    except PenstockError as error:
        return [Check("configuration", Level.FAIL, str(error), "correct the option or variable it names")]
    checks = [_configuration(engine.settings)]
    try:
        await engine.store.open()
    except SchemaError as error:
        return [
            *checks,
            Check("database", Level.OK, "it answers"),
            Check("schema", Level.FAIL, str(error), "penstock migrate"),
        ]
    except PenstockError as error:
        return [
            *checks,
            Check("database", Level.FAIL, str(error), "start the database, or correct PENSTOCK_DATABASE_URL"),
        ]
    try:
        before = time.time_ns() // 1_000
        facts = await engine.store.read(_look(engine.store.clock.now(), before, engine.settings.lease_s))
    finally:
        await engine.store.close()
    checks += _database(engine.settings.database_url)
    looks = (_clock, _workers, _leases, _handlers, _steps, _unserved, _paused, _schedules, _budgets, _sinks)
    return checks + [look(facts) for look in looks]


def worst(checks: Iterable[Check]) -> Level:
    """The gravest level."""
    levels = {check.level for check in checks}
    return next((level for level in (Level.FAIL, Level.WARN) if level in levels), Level.OK)


@program
def _look(now: int, asked_at: int, lease_s: float) -> Steps[_Facts]:
    return _Facts(
        now=now,
        asked_at=asked_at,
        database_now=(yield Call("database_now"))[0][0],
        workers=(yield Call("list_workers")),
        orphans=len((yield Call("worker_orphans"))),
        queues=(yield Call("list_queues")),
        open_counts=(yield Call("open_counts")),
        ready_kinds=(yield Call("list_kinds")),
        schedules=(yield Call("list_schedules")),
        stored_steps=(yield Call("stored_steps", {"limit": _MOST_STEPS})),
        budgets=(yield Call("open_windows", {"now": now, "name": None, "limit": _MOST_WINDOWS})),
        sinks=(yield Call("list_sinks")),
        lease_us=int(lease_s * 1_000_000),
    )


def _configuration(settings: Settings) -> Check:
    keys = "with keys for secrets" if settings.secret_keys.get_secret_value() else "no keys for secrets"
    scheme = settings.database_url.partition(":")[0]
    return Check("configuration", Level.OK, f"{scheme}, lease {settings.lease_s:g} s, {keys}")


def _database(url: str) -> list[Check]:
    checks = [_ANSWERS, Check("schema", Level.OK, "it is the one this version needs")]
    if url.startswith("sqlite:"):
        # Opening refuses a file that cannot have one.
        checks.append(Check("journal", Level.OK, "write-ahead log"))
        checks.append(_libraries(sqlite_libraries()))
    return checks


def _libraries(loaded: Sequence[str]) -> Check:
    if len(loaded) <= 1:
        return Check("sqlite library", Level.OK, "one in this process")
    advice = "open the file only through Python's own sqlite3: two copies break each other's locks and lose commits"
    return Check("sqlite library", Level.FAIL, f"{len(loaded)} in this process: {', '.join(loaded)}", advice)


def _clock(facts: _Facts) -> Check:
    apart = abs(facts.database_now - facts.asked_at) / 1_000_000
    if apart <= MAX_CLOCK_DIFFERENCE_S:
        return Check("clock", Level.OK, "this machine and the database agree")
    return Check("clock", Level.WARN, f"this machine and the database are {apart:.1f} s apart", "run NTP on both")


def _workers(facts: _Facts) -> Check:
    live = [w for w in facts.workers if facts.now - w[8] <= facts.lease_us]
    silent = [w[1] for w in facts.workers if w not in live]
    found = f"{len(live)} live" + (f", silent: {', '.join(silent)}" if silent else "")
    if live or not facts.open_counts:
        return Check("workers", Level.OK, found)
    return Check("workers", Level.WARN, found, "start one: penstock worker module:worker")


def _leases(facts: _Facts) -> Check:
    stuck = [w for w in facts.workers if w[12] and facts.now - w[8] > _LEASES_UNTIL_STUCK * facts.lease_us]
    if not stuck and not facts.orphans:
        return Check("leases", Level.OK, "no job is held by a silent worker")
    held = [f"{w[1]} holds {w[12]}, silent since {moment_of(w[8]):%Y-%m-%d %H:%M:%S} UTC" for w in stuck]
    if facts.orphans:
        held.append(f"{facts.orphans} workers that hold jobs are not registered")
    return Check("leases", Level.FAIL, "; ".join(held), "start a worker: the first that runs takes their jobs back")


def _handlers(facts: _Facts) -> Check:
    waits = {q[0] for q in facts.queues if q[7] == "fail"}
    missing = [
        f"{kind} in {queue}"
        for queue, kind in facts.ready_kinds
        if queue not in waits
        and (live := facts.live_of(queue))
        and not any(kind in codec.loads(worker[6]) for worker in live)
    ]
    if not missing:
        return Check("handlers", Level.OK, "live workers know every kind that waits in their queues")
    return Check(
        "handlers",
        Level.FAIL,
        f"no live worker knows {', '.join(missing)}",
        "give a worker the handler, or cancel the jobs",
    )


def _steps(facts: _Facts) -> Check:
    declared: dict[str, set[str]] = {}
    for worker in facts.workers:
        if not worker[10] and facts.now - worker[8] <= facts.lease_us:
            for kind, names in codec.loads(worker[13]).items():
                declared.setdefault(kind, set()).update(names)
    gone = [
        f"{name!r} of {kind} ({count} jobs, {job_id} first)"
        for kind, name, count, job_id in facts.stored_steps
        if kind in declared and not any(fnmatchcase(name, pattern) for pattern in declared[kind])
    ]
    if gone:
        advice = "keep the names of steps, or let these jobs end with the old code: what is stored is not found again"
        return Check("steps", Level.WARN, f"no live worker's code has {', '.join(gone)}", advice)
    unchecked = sorted({row[0] for row in facts.stored_steps} - declared.keys())
    found = "the code of live workers has all that unfinished jobs have stored"
    if unchecked:
        found = f"not checked, since they declare none (steps=): {', '.join(unchecked)}"
    return Check("steps", Level.OK, found)


def _unserved(facts: _Facts) -> Check:
    waiting = facts.counts("ready", "scheduled", "blocked")
    alone = [f"{queue} ({count})" for queue, count in sorted(waiting.items()) if not facts.live_of(queue)]
    if not alone:
        return Check("served queues", Level.OK, "every queue with jobs has a worker")
    return Check(
        "served queues", Level.WARN, f"jobs but no worker: {', '.join(alone)}", "start a worker that serves them"
    )


def _paused(facts: _Facts) -> Check:
    waiting = facts.counts("ready", "scheduled")
    paused = [f"{q[0]} ({waiting[q[0]]})" for q in facts.queues if q[1] is not None and q[0] in waiting]
    if not paused:
        return Check("paused queues", Level.OK, "no paused queue has waiting jobs")
    return Check(
        "paused queues", Level.WARN, f"paused with waiting jobs: {', '.join(paused)}", "penstock queues resume QUEUE"
    )


def _schedules(facts: _Facts) -> Check:
    gone = [s[0] for s in facts.schedules if not s[9]]
    if not gone:
        return Check("schedules", Level.OK, f"{len(facts.schedules)}, all declared")
    advice = "declare them again, or leave them: they do not fire"
    return Check("schedules", Level.WARN, f"no code declares {', '.join(gone)} any more", advice)


def _budgets(facts: _Facts) -> Check:
    holding: dict[str, int] = {}
    for name, *_, waiting in facts.budgets:
        holding[name] = holding.get(name, 0) + waiting
    held = [f"{name} holds {jobs} jobs" for name, jobs in holding.items() if jobs]
    if not held:
        return Check("budgets", Level.OK, "none holds a job")
    advice = "wait for the windows to turn, or penstock budgets set NAME with more"
    return Check("budgets", Level.WARN, "; ".join(held), advice)


def _sinks(facts: _Facts) -> Check:
    refused = [f"{name} has refused {count} calls" for name, _, _, _, count, _ in facts.sinks if count]
    if refused:
        advice = "penstock sinks refused NAME says why; then retry or drop them"
        return Check("usage sinks", Level.WARN, "; ".join(refused), advice)
    behind = [
        f"{name} is owed {owed} calls since {moment_of(oldest):%Y-%m-%d %H:%M:%S} UTC"
        for name, _, owed, oldest, *_ in facts.sinks
        if oldest is not None and facts.now - oldest > _SINK_BEHIND_US
    ]
    if behind:
        advice = "start a worker whose engine has the sink, or penstock sinks forget NAME"
        return Check("usage sinks", Level.WARN, "; ".join(behind), advice)
    return Check("usage sinks", Level.OK, f"{len(facts.sinks)}, none behind")
