"""What people do with queues, schedules and workers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock import codec
from penstock.domain.options import moment_of
from penstock.errors import NotFound
from penstock.store.base import Store
from penstock.store.programs.change import pause_queue, resume_queue
from penstock.store.programs.read import rows_of
from penstock.store.programs.upkeep import pause_schedule, resume_schedule


@dataclass(slots=True)
class QueueView:
    """A queue: jobs by state (live ones always, ended ones of the last hour) and its shared settings."""

    name: str
    paused_since: datetime | None = None
    rate: str | None = None
    total_concurrency: int | None = None
    max_length: int | None = None
    unknown_kinds: str = "wait"
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as its last heartbeat left it. `silent_s` is how long ago that was."""

    id: int
    name: str
    host: str
    pid: int
    build_id: str | None
    queues: tuple[str, ...]
    kinds: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    silent_s: float
    stopping: bool
    stats: dict[str, Any]
    running: int


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule: when it fired last and fires next. `declared` is False when no code declares it any more."""

    name: str
    when: str
    kind: str
    queue: str
    missed: str
    next_at: datetime | None
    last_at: datetime | None
    paused_since: datetime | None
    declared: bool


class QueueOperations:
    """Inspect and control queues, schedules and workers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self) -> Sequence[QueueView]:
        """All queues that have settings or jobs, by name."""
        queues: dict[str, QueueView] = {}
        for name, paused, limit, period, total, _, length, unknown, *_ in await self._store.read(
            rows_of("list_queues")
        ):
            rate = None if limit is None else f"{limit} per {period / 1_000_000:g} s"
            queues[name] = QueueView(name, _moment(paused), rate, total, length, unknown)
        hour_ago = self._store.clock.now() - 3_600_000_000
        for name, state, count, *_ in await self._store.read(rows_of("open_counts")):
            queues.setdefault(name, QueueView(name)).counts[state] = count
        for name, state, count in await self._store.read(rows_of("ended_since", since=hour_ago)):
            queues.setdefault(name, QueueView(name)).counts[state] = count
        return [queues[name] for name in sorted(queues)]

    async def pause(self, queue: str) -> None:
        """Let nobody claim from this queue until it is resumed."""
        await self._store.run(pause_queue(queue, self._store.clock.now()))

    async def resume(self, queue: str) -> bool:
        """Undo a pause; answers whether the queue was paused."""
        return await self._store.run(resume_queue(queue))

    async def workers(self) -> Sequence[WorkerView]:
        """All registered workers."""
        now = self._store.clock.now()
        return [
            WorkerView(
                w[0],
                w[1],
                w[2],
                w[3],
                w[4],
                tuple(codec.loads(w[5])),
                tuple(codec.loads(w[6])),
                moment_of(w[7]),
                moment_of(w[8]),
                max(0.0, (now - w[8]) / 1_000_000),
                bool(w[10]),
                codec.loads(w[11]),
                w[12],
            )
            for w in await self._store.read(rows_of("list_workers"))
        ]

    async def schedules(self) -> Sequence[ScheduleView]:
        """All schedules, by name."""
        return [_schedule(row) for row in await self._store.read(rows_of("list_schedules"))]

    async def pause_schedule(self, name: str) -> None:
        """Let a schedule fire no more. Raises NotFound."""
        if not await self._store.run(pause_schedule(name, self._store.clock.now())):
            raise NotFound(f"no schedule {name!r}")

    async def resume_schedule(self, name: str) -> None:
        """Let a schedule fire again, from its next tick on. Raises NotFound."""
        if not await self._store.run(resume_schedule(name, self._store.clock.now())):
            raise NotFound(f"no schedule {name!r}")


def _schedule(row: tuple[Any, ...]) -> ScheduleView:
    name, cron, every, tz, missed, lane, next_at, last_at, paused, declared = row
    queue, kind, *_ = codec.loads(lane)
    when = f"{cron} ({tz})" if cron is not None else f"every {every / 1_000_000:g} s"
    return ScheduleView(
        name, when, kind, queue, missed, _moment(next_at), _moment(last_at), _moment(paused), bool(declared)
    )


def _moment(time: int | None) -> datetime | None:
    return None if time is None else moment_of(time)
