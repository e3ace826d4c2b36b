"""What is measured: each engine with its settings, and what a reader must know to compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

StoreKind = Literal["postgres", "sqlite", "redis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One engine on one store.

    driver: a module, or a file of Node beside it, in `rivals`; environment: the folder's name, and that of its pins
    (None: this checkout's own); python: the least version it runs on; most_jobs: of a drain or bulk enqueue, for
    engines so slow that more would only cost patience; bulk: whether one call can enqueue many jobs; analyze: whether
    it drains faster with fresh statistics; settings: for its driver; note: what is unlike the others.
    """

    name: str
    store: StoreKind
    driver: str
    environment: str | None
    note: str
    python: tuple[int, int] = (3, 11)
    most_jobs: int | None = None
    bulk: bool = True
    analyze: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Whether it is the engine of this checkout."""
        return self.environment is None


_LOCAL_QUEUE = {
    "concurrentJobs": 24,
    "localQueue": {"size": 500},
    "completeJobBatchDelay": 250,
    "failJobBatchDelay": 250,
}
_SLOW = 5_000

TARGETS = (
    Target(
        name="penstock-postgres", store="postgres", driver="tools.peers.ours", environment=None,
        settings={"concurrency": 100}, note="keeps all jobs; defaults, 100 handlers at once",
    ),
    Target(
        name="penstock-sqlite", store="sqlite", driver="tools.peers.ours", environment=None,
        settings={"concurrency": 100}, note="keeps all jobs, synchronous=FULL; defaults, 100 handlers at once",
    ),
    Target(
        name="pgqueuer", store="postgres", driver="pgqueuer", environment="pgqueuer",
        settings={"batch": 500}, note="batch 500, asyncpg, uvloop; finished jobs move to a log",
    ),
    Target(
        name="pgqueuer-100", store="postgres", driver="pgqueuer", environment="pgqueuer",
        settings={"batch": 100}, note="the same with batch 100",
    ),
    Target(
        name="graphile-worker", store="postgres", driver="graphile_worker.mjs", environment="graphile-worker",
        settings=_LOCAL_QUEUE, note="Node; local queue 500, ends written every 250 ms; deletes finished jobs",
    ),
    Target(
        name="huey-sqlite", store="sqlite", driver="huey", environment="huey", bulk=False,
        most_jobs=2 * _SLOW, settings={"workers": 1, "fsync": True},
        note="1 thread, synchronous=FULL, polls every 10 ms; a job leaves the store before it runs",
    ),
    Target(
        name="oban", store="postgres", driver="oban", environment="oban", python=(3, 12),
        analyze=False, settings={"limit": 100, "pool": 10},
        note="Python 3.12; 100 jobs at once; without ANALYZE, which misplans its completions; keeps all jobs",
    ),
    Target(
        name="awa-pg", store="postgres", driver="awa", environment="awa-pg",
        settings={"workers": 256, "connections": 20}, note="core in Rust; 256 workers, queue storage, COPY",
    ),
    Target(
        name="procrastinate", store="postgres", driver="procrastinate", environment="procrastinate", most_jobs=_SLOW,
        settings={"concurrency": 30, "pool": 10}, note="30 jobs at once; keeps all jobs",
    ),
    Target(
        name="dbos", store="postgres", driver="dbos", environment="dbos", most_jobs=_SLOW, bulk=False,
        settings={"workers": 100, "poll_s": 0.05}, note="100 workflows at once, polls every 50 ms; keeps all",
    ),
    Target(
        name="huey-redis", store="redis", driver="huey", environment="huey", bulk=False,
        settings={"workers": 1}, note="1 thread; nothing is kept on disk",
    ),
    Target(
        name="bullmq", store="redis", driver="bullmq.mjs", environment="bullmq",
        settings={"concurrency": 100}, note="Node; 100 jobs at once; nothing is kept on disk",
    ),
)  # fmt: skip


def chosen(names: list[str]) -> list[Target]:
    """These targets, and ours on the stores of the rivals among them; all without names. KeyError: an unknown one."""
    if not names:
        return list(TARGETS)
    by_name = {target.name: target for target in TARGETS}
    wanted = [by_name[name] for name in names]
    beside = {our_side(target) for target in wanted}
    return [target for target in TARGETS if target in wanted or target.name in beside]


def our_side(target: Target) -> str:
    """The name of the target of ours that this one is compared with; Redis, which has none of ours, with PostgreSQL."""
    return "penstock-sqlite" if target.store == "sqlite" else "penstock-postgres"
