"""What is measured of a target, each part on a fresh store."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from penstock.bench.report import percentile
from tools.peers.places import Place, Postgres, Redis, Sqlite
from tools.peers.process import DriverProcess, PeerError, tell_all
from tools.peers.targets import Target

_LOOK_S = 0.01
_STALL_S = 60.0
_SETTLE_S = 1.0
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Sizes:
    """jobs: of a drain and of the bulk enqueue; singles: enqueued one by one, and by tasks; pings: for the latency."""

    jobs: int = 50_000
    singles: int = 2_000
    pings: int = 500


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of one target."""

    name: str
    unit: str
    value: float


Server = Postgres | Sqlite | Redis


def drain(target: Target, server: Server, sizes: Sizes) -> Iterator[Measured]:
    """By one process."""
    yield from _drain(target, server, sizes, 1)


def drain2(target: Target, server: Server, sizes: Sizes) -> Iterator[Measured]:
    """By two processes at once."""
    yield from _drain(target, server, sizes, 2)


def enqueue(target: Target, server: Server, sizes: Sizes) -> Iterator[Measured]:
    """One by one, by 50 tasks, in bulk where it has a call for that; a fresh store for each."""
    for name, how, jobs in (
        ("enqueue one by one", "one by one", sizes.singles),
        ("enqueue, 50 tasks", "tasks", sizes.singles * 2),
        ("enqueue, 1,000 a call", "bulk", _most(target, sizes.jobs)),
    ):
        if how == "bulk" and not target.bulk:
            continue
        with server.fresh() as place, DriverProcess(target, place.url) as producer:
            producer.ask("prepare")
            seconds = producer.ask("enqueue", how=how, jobs=jobs)["seconds"]
            left = producer.ask("remaining", jobs=jobs)["remaining"]
            if left != jobs:
                raise PeerError(f"{target.name}: of {jobs} enqueued jobs {left} wait")
            yield Measured(name, "jobs/s", jobs / seconds)


def latency(target: Target, server: Server, sizes: Sizes) -> Iterator[Measured]:
    """Singles from one process to an idle worker in another: from before the enqueue to the handler's first line."""
    with server.fresh() as place, DriverProcess(target, place.url) as producer:
        producer.ask("prepare")
        with DriverProcess(target, place.url) as worker:
            worker.ask("work")
            # So long a worker is let alone before it counts as idle.
            time.sleep(_SETTLE_S)
            yield Measured("idle RSS", "MiB", worker.rss_mib())
            asked = producer.ask("pace", jobs=sizes.pings)["asked"]
            _until_finished(producer, [worker], sizes.pings)
            began = _single_runs(target, [worker.ask("stop")], sizes.pings)
    took = [(began[n] - asked[n]) * 1_000 for n in range(sizes.pings)]
    for name, share in _QUANTILES.items():
        yield Measured(f"idle latency {name}", "ms", percentile(took, share))


PARTS: dict[str, Callable[[Target, Server, Sizes], Iterator[Measured]]] = {
    "drain": drain,
    "drain2": drain2,
    "enqueue": enqueue,
    "latency": latency,
}


def _most(target: Target, jobs: int) -> int:
    return min(jobs, target.most_jobs or jobs)


def _drain(target: Target, server: Server, sizes: Sizes, processes: int) -> Iterator[Measured]:
    jobs = _most(target, sizes.jobs)
    with _filled(target, server, jobs) as (place, producer), ExitStack() as stack:
        workers = [stack.enter_context(DriverProcess(target, place.url)) for _ in range(processes)]
        own_before, server_before = sum(worker.cpu_s() for worker in workers), place.server_cpu_s()
        tell_all(workers, "work")
        ended = _until_finished(producer, workers, jobs)
        own = sum(worker.cpu_s() for worker in workers) - own_before
        server_after = place.server_cpu_s()
        began = _single_runs(target, tell_all(workers, "stop"), jobs)
    after = "1 process" if processes == 1 else f"{processes} processes"
    yield Measured(f"drain, {after}", "jobs/s", jobs / (ended - min(began.values())))
    yield Measured(f"worker CPU, {after}", "µs/job", own / jobs * 1e6)
    if server_before is not None and server_after is not None:
        yield Measured(f"server CPU, {after}", "µs/job", (server_after - server_before) / jobs * 1e6)


@contextmanager
def _filled(target: Target, server: Server, jobs: int) -> Iterator[tuple[Place, DriverProcess]]:
    with server.fresh() as place, DriverProcess(target, place.url) as producer:
        producer.ask("prepare")
        producer.ask("enqueue", how="bulk", jobs=jobs)
        if target.analyze:
            place.settle()
        yield place, producer


def _until_finished(producer: DriverProcess, workers: list[DriverProcess], jobs: int) -> float:
    """Wait until all handlers have begun and the store says that all jobs are finished; answers when it did."""
    seen, since = (-1, jobs + 1), time.monotonic()
    while True:
        ran = sum(answer["ran"] for answer in tell_all(workers, "ran"))
        # Counting costs the store something, so it is asked only at the end.
        left = producer.ask("remaining", jobs=jobs)["remaining"] if ran >= jobs else jobs
        now = time.monotonic()
        if left == 0:
            return now
        if (ran, left) != seen:
            seen, since = (ran, left), now
        elif now - since > _STALL_S:
            raise PeerError(f"{ran} of {jobs} jobs began, {left} are not finished, and nothing moves")
        time.sleep(_LOOK_S if ran < jobs else 0)


def _single_runs(target: Target, answers: list[dict[str, list[tuple[int, float]]]], jobs: int) -> dict[int, float]:
    """When each job's handler began. Raises PeerError unless jobs 0 to `jobs` - 1 have run exactly once."""
    runs = [run for answer in answers for run in answer["runs"]]
    began = dict(runs)
    if len(runs) != len(began):
        raise PeerError(f"{target.name}: {len(runs) - len(began)} jobs ran more than once")
    if began.keys() != set(range(jobs)):
        raise PeerError(f"{target.name}: {len(began)} of {jobs} jobs ran, not those that were enqueued")
    return began
