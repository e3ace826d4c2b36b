"""The store calls by which workers sign on, beat, lead and take what others have lost."""

import random
from collections.abc import Collection, Sequence

from penstock.store.programs.workers import (
    Beat,
    Lead,
    Pulse,
    WorkerInfo,
    add_worker,
    beat,
    give_back,
    keep_lead,
    read_leader,
    remove_worker,
    rescue,
    take_lead,
    worker_beats,
)
from tests.conformance.model_ground import AGING, Run
from tests.simulation.steps import KINDS, Step


def signing_on(name: str, lease: int, now: int) -> Step[int]:
    """A worker that starts, or was declared lost."""
    info = WorkerInfo(name, "here", 1, None, tuple(AGING), KINDS, lease)
    return Step(add_worker(info, now), now, lambda oracle: oracle.sign_on(), quiet=True)


def signing_off(worker: int, now: int) -> Step[None]:
    """A worker that stops, and holds nothing any more."""
    return Step(remove_worker(worker), now, lambda oracle: oracle.sign_off(worker), quiet=True)


def beating(worker: int, begun: Sequence[Run], now: int) -> Step[Beat]:
    """A heartbeat."""
    started = [(run.job, run.claim, now) for run in begun]
    return Step(
        beat(worker, now, stopping=False, stats={}, started=started),
        now,
        lambda oracle: oracle.renew(worker, begun),
        lambda found: (found.registered, sorted((r.job_id, r.claim_id, r.cancel_requested) for r in found.held)),
        quiet=not begun,
    )


def giving_back(worker: int, name: str, only: Collection[tuple[str, int]], now: int) -> Step[int]:
    """What the store assigns to a worker that does not hold it."""
    fences = frozenset(only)
    return Step(give_back(worker, name, now, only), now, lambda oracle: oracle.give_back(worker, only), fences=fences)


def looking_at_workers(now: int) -> Step[dict[int, Pulse]]:
    """The leader looks who is alive."""
    return Step(
        worker_beats(),
        now,
        lambda oracle: oracle.beats(),
        lambda found: {number: pulse.beats for number, pulse in found.items()},
        quiet=True,
    )


def rescuing(worker: int, limit: int, now: int) -> Step[int]:
    """The leader takes runs of a lost worker."""
    program = rescue(worker, "w", now, random.Random(1), limit)
    return Step(program, now, lambda oracle: oracle.rescue(worker, limit), takes=worker)


def reading_lead(now: int) -> Step[Lead | None]:
    """A candidate looks who leads."""
    return Step(read_leader("maintenance"), now, lambda oracle: oracle.lead, quiet=True)


def taking_lead(worker: int, seen: Lead | None, now: int) -> Step[int | None]:
    """A candidate has seen a silence."""
    program = take_lead("maintenance", worker, seen)
    return Step(program, now, lambda oracle: oracle.take_lead(worker, seen), quiet=True)


def keeping_lead(worker: int, term: int, now: int) -> Step[bool]:
    """A leader goes on."""
    program = keep_lead("maintenance", worker, term)
    return Step(program, now, lambda oracle: oracle.keep_lead(worker, term), quiet=True)
