"""The leader's duties, in each worker: declare others lost, rescue their runs, and keep house."""

from collections.abc import Callable
from typing import Any

from penstock.errors import StoreUnavailable
from penstock.store.programs.workers import Lead
from penstock.worker.leader import LEFT, STEPS_PER_LEASE
from penstock.worker.maintenance import LOOKS_PER_LEASE, Silence
from tests.conformance.model_ground import SECOND
from tests.simulation import steps, worker_steps
from tests.simulation.scheduler import Life
from tests.simulation.worker import LEASE_S, Worker


class Leader:
    """Keeps the lead or waits for a silence, as `penstock.worker.leader` does it, on the schedule's clock."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._world = worker.world
        self._term: tuple[int, int] | None = None
        self._seen: Lead | None = None
        self._seen_at = 0
        self._kept_at = 0
        self._silence = Silence(2 * LEASE_S / LOOKS_PER_LEASE)

    def live(self) -> Life:
        """One look after another."""
        while True:
            wait = LEASE_S / (LOOKS_PER_LEASE if self._term else STEPS_PER_LEASE)
            yield wait * self._world.rng.uniform(0.9, 1.1)
            if not self._worker.memory.is_valid:
                continue
            try:
                if self._term is None:
                    yield from self._stand()
                else:
                    yield from self._keep(*self._term)
                if self._term is not None and self._world.time - self._kept_at < LEASE_S * SECOND:
                    yield from self._do_duties()
            except StoreUnavailable:
                continue

    def _stand(self) -> Life:
        found = yield from self._worker.ask(worker_steps.reading_lead)
        now = self._world.time
        if found is not None and found.beats != LEFT:
            if found != self._seen:
                self._seen, self._seen_at = found, now
            if now - self._seen_at < LEASE_S * SECOND:
                return
        number = self._worker.memory.number
        term = yield from self._worker.ask(lambda at: worker_steps.taking_lead(number, found, at))
        if term is not None:
            self._term, self._kept_at = (number, term), now
            self._world.seen["leader of a later term" if term > 1 else "first leader"] += 1

    def _keep(self, number: int, term: int) -> Life:
        asked = self._world.time
        if (yield from self._worker.ask(lambda now: worker_steps.keeping_lead(number, term, now))):
            self._kept_at = asked
        else:
            self._world.note(self._worker.name, "found another leading")
            self._term = self._seen = None

    def _do_duties(self) -> Life:
        worker, rng = self._worker, self._world.rng
        lead = self._world.oracle.lead
        if lead is not None and (lead.worker_id, lead.term) != self._term:
            self._world.seen["two leaders at once"] += 1
        yield from self._rescue()
        if rng.random() < 0.6:
            yield 0.0
            duties: tuple[Callable[[int], steps.Step[Any]], ...] = (steps.expiring, steps.unparking, steps.pruning)
            yield from worker.ask(rng.choice(duties))

    def _rescue(self) -> Life:
        worker = self._worker
        found = yield from worker.ask(worker_steps.looking_at_workers)
        now = self._world.time / SECOND
        silent = self._silence.look({number: pulse.beats for number, pulse in found.items()}, now)
        for number, (seconds, since) in silent.items():
            if number == worker.memory.number or seconds < LEASE_S or self._kept_at / SECOND <= since:
                continue
            self._world.note(worker.name, "worker declared lost")
            yield from self._take_from(number)

    def _take_from(self, number: int) -> Life:
        limit = self._world.rng.choice((1, 2, 500))
        while True:
            taken = yield from self._worker.ask(lambda now: worker_steps.rescuing(number, limit, now))
            self._world.seen["runs rescued"] += taken
            if taken < limit:
                return
            yield 0.0
