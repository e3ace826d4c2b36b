"""What producers ask for: single jobs with all their options, chains and fan-ins, drawn from the schedule's seed."""

import random
from collections.abc import Sequence
from datetime import timedelta

from penstock import Unique
from penstock.domain.flows import When
from penstock.store.programs.commit import Writes
from penstock.store.programs.new import NewFlow, NewJob
from tests.conformance.machine_inputs import Wish
from tests.simulation.oracle import ENDING
from tests.simulation.world import World

MOST_JOBS = 25
_WHEN = (When.ALL_COMPLETED, When.ALL_COMPLETED, When.ALL_ENDED, When.ANY_COMPLETED)
_KEYS = (
    Unique("k"), Unique("l"), Unique("k", replace=True), Unique("l", timedelta(seconds=30)), Unique("m", forever=True),
)  # fmt: skip


class Wishes:
    """Draws jobs. Those of one commit are the producer's to enqueue as often as it takes."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def _rng(self) -> random.Random:
        return self._world.rng

    @property
    def room(self) -> bool:
        """Whether the schedule takes more jobs: small ones are many."""
        return len(self._world.oracle.jobs) < MOST_JOBS

    def single(self, now: int) -> NewJob:
        """A job that comes after none."""
        rng = self._rng
        bound = rng.random() < 0.5
        wish = Wish(
            queue=rng.choice(("strict", "strict", "aged")),
            kind=rng.choice(("plain", "plain", "odd", "fragile")),
            tenant=rng.choice((None, None, "t")),
            level=rng.choice((0, 0, 1, -1, 10)),
            attempts=rng.randint(1, 3),
            retry_s=rng.choice((0, 5)),
            delay=rng.choice((None, None, None, 5, 12)),
            deadline=rng.choice((None, None, None, 3, 60)),
            unique=rng.choice(_KEYS) if bound and rng.random() < 0.6 else None,
            ckey=rng.choice(("one", "two", "mixed")) if bound else None,
            climit=rng.randint(1, 3),
        )
        return self._make(wish, now)

    def singles(self, now: int) -> Writes:
        """A few jobs of one commit."""
        return Writes(jobs=[self.single(now) for _ in range(self._rng.randint(1, 4))])

    def parents(self, now: int) -> Writes:
        """A new flow with the jobs that a fan-in may wait for; perhaps none."""
        flow = NewFlow(self._world.new_id(), "f")
        jobs = [self._tied(now, flow=flow.id, attempts=self._rng.randint(1, 2)) for _ in range(self._rng.randint(0, 5))]
        return Writes([flow], jobs)

    def fan_in(self, after: Sequence[str], flow: str | None, now: int) -> NewJob:
        """A job after these jobs or flows."""
        return self._tied(now, after=after, flow=flow, attempts=self._rng.randint(1, 2))

    def below(self, job_id: str, now: int) -> list[NewJob]:
        """What a run adds after itself, so that its flow grows while it runs."""
        if not self.room or self._rng.random() < 0.5:
            return []
        return [self._tied(now, after=(job_id,))]

    def _tied(self, now: int, *, after: Sequence[str] = (), flow: str | None = None, attempts: int = 1) -> NewJob:
        rng = self._rng
        wish = Wish(
            kind=rng.choice(("plain", "plain", "fragile")),
            delay=rng.choice((None, None, None, 5)),
            attempts=attempts,
            when=rng.choice(_WHEN) if after else When.ALL_COMPLETED,
            ckey=rng.choice((None, None, None, "one")),
        )
        job = self._make(wish, now)
        job.after, job.flow_id = tuple(dict.fromkeys(after)), flow
        if not job.after and job.when is When.ANY_COMPLETED:
            job.when = When.ALL_COMPLETED
        return job

    def _make(self, wish: Wish, now: int) -> NewJob:
        job = wish.job(self._world.new_id(), now, self._world.number())
        if "ended_by" in job.options:
            job.options = {**job.options, "ended_by": ENDING}
        return job
