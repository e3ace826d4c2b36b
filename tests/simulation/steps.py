"""The store calls of all actors: each a program, with what the oracle makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from penstock.domain.claimed import ClaimedJob
from penstock.domain.states import JobState
from penstock.domain.streams import StreamWrite
from penstock.store.program import Program, Steps, program
from penstock.store.programs.cancel import CancelReport, cancel, cancel_flow, expire
from penstock.store.programs.change import Move, move_waiting, pause_queue, resume_queue
from penstock.store.programs.claim import Admitted, Claimed, ClaimRequest, admit, claim, fall_due, unpark_all
from penstock.store.programs.commit import Writes, commit, finish
from penstock.store.programs.enqueue import Fence
from penstock.store.programs.events import StoredEvent, read_events
from penstock.store.programs.new import Enqueued
from penstock.store.programs.retry import Revived, retry_flow, retry_job
from penstock.store.programs.settle import Progress, complete, settle, write_progress
from penstock.store.programs.streams import Place, stream_news, write_streams
from penstock.store.programs.upkeep import prune
from tests.conformance.machine_inputs import ALL_KINDS
from tests.conformance.model_ground import Run
from tests.simulation.database import TOTALS
from tests.simulation.oracle import Ending, Oracle

R = TypeVar("R")
KINDS = (*ALL_KINDS, "tidied")


@dataclass(frozen=True, slots=True)
class Step(Generic[R]):
    """One store call at `now` (µs). `told`: of the engine's answer what the oracle answers, too.

    fences: the runs it writes for; takes: the worker whose runs it takes. quiet: it changes no job. refusable: it may
    be refused as a whole.
    """

    program: Program[R]
    now: int
    like: Callable[[Oracle], Any]
    told: Callable[[R], Any] = lambda answer: answer
    fences: frozenset[tuple[str, int]] = frozenset()
    takes: int | None = None
    quiet: bool = False
    refusable: bool = False


def enqueueing(writes: Writes, now: int, fence: Run | None = None) -> Step[list[Enqueued]]:
    """A producer, or a run on its way."""

    def like(oracle: Oracle) -> list[tuple[str, bool]]:
        answers = oracle.enqueue(writes.jobs, writes.flows, fence)
        oracle.publish(writes.events)
        return answers

    program = commit(writes, now, Fence(fence.job, fence.claim) if fence else None)
    return Step(program, now, like, _enqueued, refusable=True)


def _enqueued(answer: list[Enqueued]) -> list[tuple[str, bool]]:
    return [(one.id, one.created) for one in answer]


def claiming(queue: str, limit: int, claim_id: int, worker: int, now: int, *, solo: bool) -> Step[Claimed]:
    """A fetcher."""
    request = ClaimRequest(queue, KINDS, limit, claim_id, worker, solo=solo, gated=queue in TOTALS)
    return Step(
        claim(request, now),
        now,
        lambda oracle: oracle.claim(queue, KINDS, limit, solo=solo, claim_id=claim_id, worker=worker),
        lambda answer: [job.id for job in answer.jobs],
    )


def admitting(claim_id: int, jobs: Sequence[ClaimedJob], now: int) -> Step[Admitted]:
    """A fetcher, before it begins jobs that have concurrency keys."""
    return Step(
        admit(claim_id, jobs),
        now,
        lambda oracle: oracle.admit(claim_id, jobs),
        lambda admitted: [job.id for job in admitted.jobs],
        fences=frozenset((job.id, claim_id) for job in jobs),
    )


def completing(endings: Sequence[Ending], now: int) -> Step[set[str]]:
    """A completer, of runs that need no more than that."""
    program = complete([ending.row for ending in endings], now)
    fences = frozenset((ending.run.job, ending.run.claim) for ending in endings)
    return Step(program, now, lambda oracle: oracle.complete(endings), fences=fences)


def settling(endings: Sequence[Ending], now: int, worker: str) -> Step[dict[str, JobState]]:
    """A completer."""
    return Step(
        settle([ending.row for ending in endings], now, worker),
        now,
        lambda oracle: oracle.write_endings(endings),
        fences=frozenset((ending.run.job, ending.run.claim) for ending in endings),
    )


def finishing(ending: Ending, writes: Writes, now: int, worker: str) -> Step[list[Enqueued]]:
    """A handler's own transaction that ends its job."""

    def like(oracle: Oracle) -> list[tuple[str, bool]]:
        answers = oracle.enqueue(writes.jobs, writes.flows, ending.run)
        oracle.write_endings([ending])
        oracle.publish(writes.events)
        return answers

    fences = frozenset({(ending.run.job, ending.run.claim)})
    return Step(finish(ending.row, writes, now, worker), now, like, _enqueued, fences=fences, refusable=True)


def telling(run: Run, share: float, now: int) -> Step[set[str]]:
    """A handler's progress."""
    program = write_progress([Progress(run.job, run.claim, share, None)], now)
    return Step(program, now, lambda oracle: oracle.progress(run), quiet=True)


def streaming(run: Run, start: int, text: str, now: int) -> Step[tuple[set[str], int, str]]:
    """A handler's stream, and somebody who reads all of it."""

    @program
    def written_and_read() -> Steps[tuple[set[str], int, str]]:
        written = yield from write_streams([StreamWrite(run.job, run.claim, 1, "s", 0, start, text)], now)
        news = yield from stream_news(run.job, "s", {}, Place(None, 0))
        pieces = news.pieces if news else []
        version = pieces[0].head.version if pieces else 0
        return {job for job, _, _ in written}, version, "".join(piece.text for piece in pieces)

    return Step(written_and_read(), now, lambda oracle: oracle.stream(run, start, text), quiet=True)


def expiring(now: int) -> Step[int]:
    """The leader looks for deadlines that have passed."""
    return Step(expire(now), now, lambda oracle: oracle.expire())


def falling_due(now: int) -> Step[int | None]:
    """Somebody looks whose time has come."""
    return Step(fall_due(now), now, lambda oracle: oracle.fall_due())


def unparking(now: int) -> Step[None]:
    """The leader looks for parked jobs that have room."""
    return Step(unpark_all(), now, lambda oracle: oracle.unpark_all())


def pruning(now: int) -> Step[int]:
    """The leader forgets what is old."""
    return Step(prune(now), now, lambda oracle: oracle.prune())


def reading_log(after: int, limit: int, now: int) -> Step[list[StoredEvent]]:
    """A consumer reads on."""

    def like(oracle: Oracle) -> list[tuple[int, str, str | None]]:
        return [(after + n, *event) for n, event in enumerate(oracle.log[after : after + limit], 1)]

    program = read_events(after, limit)
    return Step(program, now, like, lambda found: [(e.position, e.type, e.subject) for e in found], quiet=True)


def cancelling(ids: Sequence[str], now: int) -> Step[CancelReport]:
    """A person cancels jobs."""
    return Step(
        cancel(ids, now, "enough"),
        now,
        lambda oracle: oracle.cancel(ids),
        lambda report: (report.cancelled, report.stopping, report.ended, report.unknown),
    )


def cancelling_flow(flow: str, now: int) -> Step[CancelReport | None]:
    """A person cancels a flow."""
    return Step(
        cancel_flow(flow, now, "enough"),
        now,
        lambda oracle: oracle.cancel_flow(flow),
        lambda report: None if report is None else (sorted(report.cancelled), sorted(report.stopping)),
    )


def retrying_job(id_: str, now: int) -> Step[Revived]:
    """A person brings a job back."""
    return Step(retry_job(id_, now), now, lambda oracle: oracle.retry_job(id_), _revived, refusable=True)


def retrying_flow(flow: str, now: int) -> Step[Revived]:
    """A person brings the failed part of a flow back."""
    return Step(retry_flow(flow, now), now, lambda oracle: oracle.retry_flow(flow), _revived, refusable=True)


def _revived(answer: Revived) -> tuple[list[str], list[str]]:
    return sorted(answer.ready), sorted(answer.blocked)


def moving(id_: str, due: int | None, level: int | None, now: int) -> Step[JobState]:
    """A person moves a waiting job."""
    move = Move(id_, due, level)
    return Step(move_waiting(move, now), now, lambda oracle: oracle.move(id_, due, level), refusable=True)


def pausing(queue: str, now: int) -> Step[None]:
    """A person stops a queue."""
    return Step(pause_queue(queue, now), now, lambda oracle: oracle.paused.add(queue))


def resuming(queue: str, now: int) -> Step[bool]:
    """A person starts a queue again."""

    def like(oracle: Oracle) -> bool:
        was = queue in oracle.paused
        oracle.paused.discard(queue)
        return was

    return Step(resume_queue(queue), now, like)
