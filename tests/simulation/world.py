"""One schedule's world: its database, its oracle, its clock, its one source of chance, and what happened in it."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from penstock import codec
from penstock.domain.states import JobState
from penstock.errors import PenstockError
from penstock.store.programs.read import job_payload
from tests.conformance.model_ground import SECOND, Refused
from tests.conformance.tables import Tables, _compare_job, _take_over, adopt_ending, compare
from tests.simulation.database import Database
from tests.simulation.oracle import ENDING, Oracle
from tests.simulation.promises import Promises
from tests.simulation.steps import Step

R = TypeVar("R")
START = 1_767_614_400 * SECOND
TICK = 1_000
"""Two moments are at least so far apart (µs): more than what one program spreads its places over."""

_LOOKS_PER_FULL_ONE = 4


class Event(NamedTuple):
    """Something that happened: a store call with its answer, or a fault."""

    at: int
    who: str
    what: str
    answer: Any


class World:
    """What all actors of a schedule share. Every number, id and choice comes from its seed."""

    def __init__(self, database: Database, seed: int) -> None:
        self.rng = random.Random(seed)
        self.time = START
        self.oracle = Oracle()
        self.trace: list[Event] = []
        self.seen: Counter[str] = Counter()
        self.steps = 0
        self._looks = 0
        self._database = database
        self._numbers = 0
        self._promises = Promises()
        database.empty()
        self._found = database.read()

    def tick(self) -> int:
        """A new moment."""
        self.time += TICK
        return self.time

    def number(self) -> int:
        """A number that nothing has yet."""
        self._numbers += 1
        return self._numbers

    def new_id(self) -> str:
        """An id that nothing has yet; ids are in the order of their making."""
        return f"{self.number():08x}-0000-7000-8000-000000000000"

    def note(self, who: str, what: str) -> None:
        """Remember a fault in the trace and in the counts."""
        self.seen[what] += 1
        self.trace.append(Event(self.time, who, what, None))

    def do(self, who: str, step: Step[R]) -> R:
        """Run a store call whole, on the store and on the oracle; their answers and then the tables must be the same.

        Raises what the program raises, and AssertionError where the two differ or a promise is broken.
        """
        self.steps += 1
        before, changes = self._found, self._database.changes
        answer: Any = None
        error: PenstockError | None = None
        try:
            answer = self._database.run(step.program)
            told: Any = step.told(answer)
        except PenstockError as refusal:
            error, told = refusal, type(refusal).__name__
        self.trace.append(Event(step.now, who, step.program.name, told))
        # Where the store wrote nothing its answer tells whether that was right; the next look confirms it.
        looks = not step.quiet and self._database.changes != changes
        if looks:
            self._found = self._database.read()
        expected = self._expected(step, told)
        assert told in expected, f"{step.program.name} answered {told!r}, expected {expected[0]!r}"
        if looks:
            self._adopt_endings()
            self._compare(before)
            self._promises.look(step, before, self._found, self.seen)
        if error is not None:
            raise error
        return answer

    def _expected(self, step: Step[Any], told: Any) -> Sequence[Any]:
        """What the oracle answers: one value, or the names of the errors that are right."""
        oracle = self.oracle
        oracle.now = step.now
        claims = step.program.name == "claim"
        taken = {id_: place for place, id_ in enumerate(told)} if claims else {}
        jobs = self._found.jobs

        def tie(id_: str) -> int:
            # Of equals the store may take whom it likes: who it took comes first, in its order. A claim leaves as ready
            # those that it did not take; whoever lets parked jobs go leaves as ready those that it chose.
            is_ready = id_ in jobs and jobs[id_].state == JobState.READY
            return taken.get(id_, 1_000_000 + (is_ready == claims))

        oracle.tie = tie
        if not step.refusable:
            return [step.like(oracle)]
        try:
            return [oracle.trying(lambda: step.like(oracle))]
        except Refused as refusal:
            return refusal.names

    def _compare(self, before: Tables) -> None:
        """Compare what the step changed; now and then everything, also what it should have changed and has not."""
        self._looks += 1
        if self._looks % _LOOKS_PER_FULL_ONE == 0:
            compare(self.oracle, self._found)
            return
        known = self.oracle.jobs
        assert self._found.jobs.keys() == known.keys()
        changed = [(known[id_], row) for id_, row in self._found.jobs.items() if before.jobs.get(id_) != row]
        for job, row in changed:
            _take_over(self.oracle, job, row)
        for job, row in changed:
            _compare_job(self.oracle, job, row)

    def _adopt_endings(self) -> None:
        """Take over the jobs that endings enqueued, in the order of their ids."""
        for id_ in sorted(self._found.jobs.keys() - self.oracle.jobs.keys()):
            payload = self._database.run(job_payload(id_))
            assert payload is not None, f"{id_} has no data"
            told = codec.loads(payload[0])
            adopt_ending(self.oracle, self._found.jobs[id_], told, ENDING["level"], ENDING["attempts"])
            self.seen["ending of its own"] += 1

    def confirm(self) -> None:
        """Hold the tables against the oracle once more."""
        self._found = self._database.read()
        compare(self.oracle, self._found)

    def jobs(self, *states: JobState) -> list[str]:
        """Ids of the jobs in these states, oldest first."""
        return [id_ for id_, job in self.oracle.jobs.items() if job.state in states]

    @property
    def tables(self) -> Tables:
        """What the store holds, as last read."""
        return self._found
